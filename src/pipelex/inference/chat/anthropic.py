"""Anthropic's Messages API, at Anthropic or on Amazon Bedrock."""

from typing import TYPE_CHECKING, Any, cast

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.attachments.takes import ANTHROPIC
from pipelex.inference.chat.library import LibraryProvider, without_forced_tool
from pipelex.inference.chat.settings import CallSettings, room_for_thinking, tell_no_room

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
    from pydantic_ai.profiles.anthropic import AnthropicEffort
    from pydantic_ai.settings import ModelSettings

_LEAST_BUDGET = 1024
"""The smallest budget of thinking tokens that Claude's APIs take."""

_ADDED_BY_LIBRARY = 4096
"""The output tokens that the library grants beside a budget when it chooses `max_tokens` itself."""

_EFFORTS = {"minimal": "low"}
"""The efforts that have another name in the API."""


class Anthropic(LibraryProvider["AsyncAnthropic"]):
    """The Messages API of Anthropic, or of an endpoint that speaks it."""

    takes = ANTHROPIC
    effort_map = "anthropic"

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        from pydantic_ai.models.anthropic import AnthropicModelSettings

        base = super().library_settings(call, settings, is_structured=is_structured)
        request = AnthropicModelSettings(**base)
        if "max_tokens" not in request and call.entry.table.max_tokens is not None:
            request["max_tokens"] = call.entry.table.max_tokens  # the API insists on a limit
        self._add_thinking(call, settings, request)
        if request.get("anthropic_thinking", {}).get("type", "disabled") != "disabled":
            request.pop("temperature", None)  # the API refuses it together with thinking
        if self.library_model(call).profile.get("anthropic_disallows_sampling_settings", False):
            request.pop("temperature", None)
        return request

    def _add_thinking(self, call: ModelCall, settings: CallSettings, request: "AnthropicModelSettings") -> None:
        if settings.reasoning_effort is None:
            return
        if settings.reasoning_effort == "none":
            request["anthropic_thinking"] = {"type": "disabled"}
        elif call.entry.table.thinking_mode == "adaptive":
            effort = _EFFORTS.get(settings.reasoning_effort, settings.reasoning_effort)
            request["anthropic_thinking"] = {"type": "adaptive"}
            request["anthropic_effort"] = cast("AnthropicEffort", effort)
        else:
            budget = thinking_budget(call, settings, self.library_model(call), request.get("max_tokens"))
            if budget is not None:
                request["anthropic_thinking"] = {"type": "enabled", "budget_tokens": budget}

    def _parameters(self, settings: "ModelSettings", parameters: "ModelRequestParameters") -> "ModelRequestParameters":
        thinking = cast("AnthropicModelSettings", settings).get("anthropic_thinking", {"type": "disabled"})
        return parameters if thinking["type"] == "disabled" else without_forced_tool(parameters)

    def library_model(self, call: ModelCall) -> "AnthropicModel":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.profiles.anthropic import AnthropicModelProfile
        from pydantic_ai.providers.anthropic import AnthropicProvider

        provider = AnthropicProvider(anthropic_client=self._client(call))
        profile = AnthropicModelProfile(supports_tools=True, supports_json_schema_output=True)
        return AnthropicModel(call.entry.model_id, provider=provider, profile=profile)

    def _client(self, call: ModelCall) -> "AsyncAnthropic":
        root = self._root(call, "https://api.anthropic.com", without=("/v1",))
        return self._shared((root, call.seconds), lambda: self._connected(root, call))

    def _connected(self, root: str, call: ModelCall) -> "AsyncAnthropic":
        from anthropic import AsyncAnthropic

        client = AsyncAnthropic(
            base_url=root,
            api_key=self._api_key,
            max_retries=0,
            timeout=call.seconds,
            http_client=self._pool(call),
        )
        client.auth_token = None  # otherwise a token from the environment would be sent beside the key
        return client


class AnthropicOnBedrock(Anthropic):
    """The Messages API on Amazon Bedrock. Credentials are the backend's, or else whatever the AWS client finds."""

    def _client(self, call: ModelCall) -> Any:
        from anthropic.lib.bedrock import AsyncAnthropicBedrock

        endpoint = self._backend.table.endpoint

        def connected() -> Any:
            return AsyncAnthropicBedrock(
                aws_region=self._extra("aws_region"),
                aws_profile=self._extra("aws_profile"),
                aws_access_key=self._extra("aws_access_key_id"),
                aws_secret_key=self._extra("aws_secret_access_key"),
                aws_session_token=self._extra("aws_session_token"),
                api_key=self._backend.table.api_key,
                base_url=endpoint,
                max_retries=0,
                timeout=call.seconds,
                http_client=self._pool(call),
            )

        return self._shared((endpoint, call.seconds), connected)


def thinking_budget(call: ModelCall, settings: CallSettings, model: "Model[Any]", most: int | None) -> int | None:
    """The thinking tokens within the limits of Claude's APIs; None, with a warning, if the output tokens do not suffice.

    Args:
        call: the call of the model.
        settings: the settings of the call.
        model: the library's model, which knows the maximum of some Claude models.
        most: the request's `max_tokens`, thinking included; None when the library chooses it.
    """
    room = _room(model, most)
    wanted = settings.reasoning_budget or 0
    budget = max(_LEAST_BUDGET, wanted if room is None else min(wanted, room))
    if most is not None and most <= budget:
        tell_no_room(call.entry, most)
        return None
    return budget


def _room(model: "Model[Any]", most: int | None) -> int | None:
    """The maximum of thinking tokens; None if unknown."""
    if most is not None:
        return room_for_thinking(most)
    known: int | None = model.profile.get("anthropic_max_output_tokens")
    return None if known is None else known - _ADDED_BY_LIBRARY
