"""Gemini, through Google's Gemini API or Vertex AI."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipelex.errors import ConfigurationError
from pipelex.inference.chat.provider import LibraryProvider
from pipelex.inference.deck.catalog import ModelEntry

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.genai.types import ThinkingConfigDict
    from pydantic_ai.models import Model
    from pydantic_ai.providers.google import BaseGoogleProvider
    from pydantic_ai.settings import ModelSettings

    from pipelex.inference.chat.settings import CallSettings

_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_PATHS = ("/openai", "/v1beta", "/v1")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Google(LibraryProvider["BaseGoogleProvider"]):
    """Gemini models: at the Gemini API with a key, or on Vertex AI for a backend that names a `gcp_project_id`."""

    effort_map = "gemini"

    def request_settings(self, entry: ModelEntry, settings: "CallSettings", *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.models.google import GoogleModelSettings

        base = super().request_settings(entry, settings, is_structured=is_structured)
        request = GoogleModelSettings(**base)
        thinking = _thinking(entry, settings)
        if thinking is not None:
            request["google_thinking_config"] = thinking
        return request

    def _library_model(self, entry: ModelEntry) -> "Model[Any]":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.profiles.google import GoogleModelProfile

        profile = GoogleModelProfile(
            supports_tools=True, supports_json_schema_output=True, supports_json_object_output=True
        )
        root = self._root(entry, "", without=_PATHS) or None
        provider = self._shared(root, lambda: self._connected(root))
        return GoogleModel(entry.model_id, provider=provider, profile=profile)

    async def _close(self, client: "BaseGoogleProvider") -> None:
        client.client.close()  # the synchronous half, which is never used

    def _connected(self, root: str | None) -> "BaseGoogleProvider":
        from pydantic_ai.providers.google import GoogleProvider
        from pydantic_ai.providers.google_cloud import GoogleCloudProvider

        http_client = self._pool()
        project = self._extra("gcp_project_id")
        if project is None:
            return GoogleProvider(api_key=self._api_key, base_url=root, http_client=http_client)
        return GoogleCloudProvider(
            project=project,
            location=self._extra("gcp_location"),
            credentials=self._credentials(),
            base_url=root,
            http_client=http_client,
        )

    def _credentials(self) -> "Credentials | None":
        """Those of the backend's file; None leaves it to the client, which looks where Google's tools put them."""
        named = self._extra("gcp_credentials_file_path")
        if named is None:
            return None
        from google.oauth2 import service_account

        path = Path(named).expanduser()
        try:
            found: Any = service_account.Credentials.from_service_account_file(  # pyright: ignore[reportUnknownMemberType]
                str(path), scopes=[_SCOPE]
            )
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"the credentials of {self._backend.id!r} cannot be read from {path} ({type(error).__name__})",
                advice=f"Set 'gcp_credentials_file_path' of [{self._backend.id}] in backends.toml to a service account's"
                " JSON file.",
            ) from None
        return cast("Credentials", found)


def _thinking(entry: ModelEntry, settings: "CallSettings") -> "ThinkingConfigDict | None":
    effort = settings.reasoning_effort
    if effort is None:
        return None
    if effort == "none":
        return {"thinking_budget": 0}
    if entry.table.thinking_mode == "adaptive":
        return cast("ThinkingConfigDict", {"thinking_level": _LEVELS[effort]})
    return {"thinking_budget": settings.reasoning_budget or 0}
