"""Amazon Bedrock's Converse API."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.inference.calls.guard import AnswerDamaged, bounded_pieces, check_status, check_told, read_bounded
from pipelex.inference.calls.heard import tail_of_answer
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.anthropic import thinking_budget
from pipelex.inference.chat.attachments.takes import BEDROCK
from pipelex.inference.chat.library import LibraryProvider
from pipelex.inference.chat.settings import CallSettings

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

_CONNECT_SECONDS = 10.0
_POOL = 100
_PIECE = 65_536
_STOP: Final = b":event-type\x07\x00\x0bmessageStop"
"""The header of the event that ends a streamed answer, in Amazon's binary framing."""


class Bedrock(LibraryProvider["BaseClient"]):
    """Models on Amazon Bedrock. Credentials are the backend's, or else whatever the AWS client finds."""

    takes = BEDROCK
    effort_map = "anthropic"

    def library_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        request = super().library_settings(call, settings, is_structured=is_structured)
        for key in ("max_retries", "timeout"):  # both belong to the connection here
            request.pop(key, None)
        self._add_thinking(call, settings, request)
        return request

    def _add_thinking(self, call: ModelCall, settings: CallSettings, request: "ModelSettings") -> None:
        """Set how much the model thinks; only Claude has a budget of thinking tokens here."""
        if settings.reasoning_effort is None:
            return
        is_claude = "anthropic." in call.entry.model_id
        if not (is_claude and call.entry.table.thinking_mode == "manual" and settings.reasoning_budget):
            request["thinking"] = settings.reasoning_effort if settings.reasoning_effort != "none" else False
            return
        budget = thinking_budget(call, settings, self.library_model(call), request.get("max_tokens"))
        if budget is not None:
            thinking = {"thinking": {"type": "enabled", "budget_tokens": budget}}
            cast("dict[str, Any]", request)["bedrock_additional_model_requests_fields"] = thinking
            request.pop("temperature", None)  # the API refuses it together with thinking

    def library_model(self, call: ModelCall) -> "Model[Any]":
        from pydantic_ai.models.bedrock import BedrockConverseModel
        from pydantic_ai.profiles import ModelProfile
        from pydantic_ai.providers.bedrock import BedrockProvider

        provider = BedrockProvider(bedrock_client=self._shared(call.seconds, lambda: self._connected(call)))
        profile = ModelProfile(
            supports_tools=True,
            supports_json_schema_output=True,
            supports_thinking=call.entry.table.thinking_mode != "none",
        )
        return BedrockConverseModel(call.entry.model_id, provider=provider, profile=profile)

    async def _close(self, client: "BaseClient") -> None:
        client.close()

    def _connected(self, call: ModelCall) -> "BaseClient":
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        logger = logging.getLogger("botocore")
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)  # at DEBUG, it would log requests with their keys
        key = self._backend.table.api_key
        common: dict[str, Any] = {
            "read_timeout": call.seconds,
            "connect_timeout": min(call.seconds, _CONNECT_SECONDS),
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "max_pool_connections": _POOL,
        }
        config: Any = Config(**common, signature_version=UNSIGNED) if key else Config(**common)
        session: Any = boto3.Session(
            aws_access_key_id=self._extra("aws_access_key_id"),
            aws_secret_access_key=self._extra("aws_secret_access_key"),
            aws_session_token=self._extra("aws_session_token"),
            region_name=self._extra("aws_region"),
            profile_name=self._extra("aws_profile"),
        )
        table = self._backend.table
        checked = table.ca_bundle if table.verify else False
        client: Any = session.client("bedrock-runtime", config=config, endpoint_url=table.endpoint, verify=checked)
        client.meta.events.register("before-send.bedrock-runtime", _bounding(client, call.max_bytes))
        if key:
            client.meta.events.register("before-call.bedrock-runtime", _bearing(key))
        return client


def _bounding(client: Any, limit: int) -> Callable[..., Any]:
    """A handler that sends a request and reads no more of the answer than the limit; the AWS client reads all of it.

    It decodes no content coding, so the limit applies to the bytes on the wire.
    """

    def send(request: Any, **_: Any) -> Any:
        is_streamed, request.stream_output = request.stream_output, True
        response: Any = client._endpoint.http_session.send(request)
        try:
            check_status(response.status_code, response.headers.get("location", ""))
            is_success = response.status_code < 300
            if is_streamed and is_success:
                response.raw.stream = _checked(response.raw.stream, limit)
                return response
            pieces = response.raw.stream(_PIECE, decode_content=False)
            response._content = read_bounded(pieces, limit, tail_of_answer() if is_success else None)
            if is_success:
                check_told(response._content)
        except BaseException:
            response.raw.close()
            raise
        return response

    return send


def _checked(read: Callable[..., Iterable[bytes]], limit: int) -> Callable[..., Iterator[bytes]]:
    """The same reading of a streamed answer, which has to be whole and within its limit."""
    tail = tail_of_answer()

    def stream(*args: Any, **named: Any) -> Iterator[bytes]:
        return _to_its_end(bounded_pieces(read(*args, **named), limit, tail))

    return stream


def _to_its_end(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a streamed answer; without the check, an answer that breaks off would be taken for a whole one.

    Raises:
        AnswerDamaged: the answer breaks off.
    """
    last, is_whole = b"", False
    for piece in pieces:
        last = last[-len(_STOP) :] + piece
        is_whole = is_whole or _STOP in last
        yield piece
    if not is_whole:
        raise AnswerDamaged("it breaks off before its end")


def _bearing(key: str) -> Callable[..., None]:
    """A handler that sends an API key, because the AWS client takes one only from the environment."""

    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["Authorization"] = f"Bearer {key}"

    return add
