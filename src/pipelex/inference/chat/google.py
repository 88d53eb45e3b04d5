"""Gemini, through Google's Gemini API or Vertex AI."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipelex.errors import ConfigurationError
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.attachments.takes import GOOGLE
from pipelex.inference.chat.library import LibraryProvider
from pipelex.inference.chat.settings import CallSettings

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.genai.types import ThinkingConfigDict
    from pydantic_ai.models import Model
    from pydantic_ai.providers.google import BaseGoogleProvider
    from pydantic_ai.settings import ModelSettings

_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}
_PATHS = ("/openai", "/v1beta", "/v1")
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Google(LibraryProvider["BaseGoogleProvider"]):
    """Gemini models: at the Gemini API with a key, or on Vertex AI for a backend that names a `gcp_project_id`."""

    takes = GOOGLE
    effort_map = "gemini"

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.models.google import GoogleModelSettings

        base = super().library_settings(call, settings, is_structured=is_structured)
        request = GoogleModelSettings(**base)
        thinking = _thinking(call, settings)
        if thinking is not None:
            request["google_thinking_config"] = thinking
        return request

    def library_model(self, call: ModelCall) -> "Model[Any]":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.profiles.google import GoogleModelProfile

        profile = GoogleModelProfile(
            supports_tools=True, supports_json_schema_output=True, supports_json_object_output=True
        )
        return GoogleModel(call.entry.model_id, provider=self.library_provider(call), profile=profile)

    def library_provider(self, call: ModelCall) -> "BaseGoogleProvider":
        """The library's connection to the backend, also used by clients of other families."""
        root = self._root(call, "", without=_PATHS) or None
        return self._shared((root, call.seconds), lambda: self._connected(root, call))

    async def _close(self, client: "BaseGoogleProvider") -> None:
        client.client.close()  # the unused synchronous half

    def _connected(self, root: str | None, call: ModelCall) -> "BaseGoogleProvider":
        from pydantic_ai.providers.google import GoogleProvider
        from pydantic_ai.providers.google_cloud import GoogleCloudProvider

        http_client = self._pool(call)
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
        """The credentials in the file that the backend names.

        None leaves them to the client, which looks where Google's tools put them.
        """
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


def _thinking(call: ModelCall, settings: CallSettings) -> "ThinkingConfigDict | None":
    effort = settings.reasoning_effort
    if effort is None:
        return None
    if effort == "none":
        return {"thinking_budget": 0}
    if call.entry.table.thinking_mode == "adaptive":
        return cast("ThinkingConfigDict", {"thinking_level": _LEVELS[effort]})
    return {"thinking_budget": settings.reasoning_budget or 0}
