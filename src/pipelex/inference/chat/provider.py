"""The interface of a client of language models."""

from dataclasses import dataclass
from typing import Protocol

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, RequestSettings
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method, Schema
from pipelex.inference.chat.structured.pairs import closed


@dataclass(frozen=True)
class SentSchema:
    """A schema in the form that a provider is sent."""

    schema: Schema
    is_strict: bool | None = None
    """Whether the provider must follow it strictly; None leaves it to the client library."""


def strict_if_native(schema: Schema, method: Method) -> SentSchema:
    """Native schemas are strict, except those with a value of any type, which no strict schema can describe."""
    strict = closed(schema) if method == "native" else None
    return SentSchema(schema) if strict is None else SentSchema(strict, is_strict=True)


class ChatProvider(Protocol):
    """A connected client of one backend, used by one event loop; its factory is called once, with the `Backend`."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must never be shown."""
        ...

    @property
    def cuts_softly(self) -> bool:
        """Whether a text that the provider's own limit stopped still counts as an answer, cut at its last sentence."""
        ...

    @property
    def effort_map(self) -> str:
        """The table of `inference.llm.effort_to_budget_maps` that says what an effort costs here; may be empty."""
        ...

    def method(self, wanted: Method) -> Method:
        """The method of asking for an object: the wanted one, or its replacement if the client lacks it."""
        ...

    async def prepare(self, call: ModelCall) -> None:
        """Import and connect what calls of the model need, before the time limit of a call starts."""
        ...

    async def request(
        self,
        call: ModelCall,
        messages: list[Message],
        settings: RequestSettings,
        form: AnswerForm,
    ) -> Answer:
        """Send one request to a model. Exceptions of the client library are left to the caller."""
        ...

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> RequestSettings:
        """The settings in the client's own terms."""
        ...

    def identified(self, settings: RequestSettings, *parts: str) -> RequestSettings:
        """The settings with the key of one request of the logical call, where the backend takes one."""
        ...

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        """The schema in the form that this backend is sent for one method.

        Objects with free keys may become lists of pairs: see `pipelex.inference.chat.structured.pairs`.
        """
        ...

    async def aclose(self) -> None: ...
