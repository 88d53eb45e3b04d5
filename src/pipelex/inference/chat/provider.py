"""The interface of a client of language models."""

from dataclasses import dataclass
from typing import Protocol

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, RequestSettings
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method, Schema


@dataclass(frozen=True)
class SentSchema:
    """A schema as a provider is sent it."""

    schema: Schema
    is_strict: bool | None = None
    """Whether the provider is to keep to it strictly; None leaves it to the client library."""


class ChatProvider(Protocol):
    """A connected client of one backend, used by one event loop; its factory is called with the `Backend`, once."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown."""
        ...

    @property
    def cuts_softly(self) -> bool:
        """Whether a text stopped by the provider's own limit is an answer, cut at its last sentence."""
        ...

    @property
    def effort_map(self) -> str:
        """The table of `inference.llm.effort_to_budget_maps` that says what an effort costs here; may be empty."""
        ...

    def method(self, wanted: Method) -> Method:
        """The method of asking for an object, where the client has no way for the one wanted."""
        ...

    async def prepare(self, call: ModelCall) -> None:
        """Import and connect what calls of the model need, before their time is counted."""
        ...

    async def request(
        self,
        call: ModelCall,
        messages: list[Message],
        settings: RequestSettings,
        form: AnswerForm,
    ) -> Answer:
        """One request to a model. What the client library raises is left to the caller."""
        ...

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> RequestSettings:
        """The settings in the client's own terms."""
        ...

    def identified(self, settings: RequestSettings, *parts: str) -> RequestSettings:
        """The settings with the key of one request of the logical call, where the backend takes one."""
        ...

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        """The schema as this backend is sent it, for one way to ask. Objects with free keys may become lists of pairs.

        See `pipelex.inference.chat.structured.pairs`.
        """
        ...

    async def aclose(self) -> None: ...
