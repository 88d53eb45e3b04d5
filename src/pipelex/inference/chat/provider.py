"""What a client of language models is."""

from typing import TYPE_CHECKING, Any, Protocol

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.settings import ModelSettings


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
        """How an object is asked for, where the client has no way for the one wanted."""
        ...

    async def prepare(self, call: ModelCall) -> None:
        """Import and connect what calls of the model need, before their time is counted."""
        ...

    async def request(
        self,
        call: ModelCall,
        messages: "list[ModelMessage]",
        settings: "ModelSettings",
        parameters: "ModelRequestParameters",
    ) -> "ModelResponse":
        """One request to a model. What the client library raises is left to the caller."""
        ...

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> "ModelSettings":
        """The settings in the client's own terms."""
        ...

    def identified(self, settings: "ModelSettings", *parts: str) -> "ModelSettings":
        """The settings with the key of one request of the logical call, where the backend takes one."""
        ...

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema as this backend is sent it."""
        ...

    def restored(self, value: Any, schema: dict[str, Any]) -> Any:
        """An answer to the schema that was sent, as an answer to the original, which it is then checked against."""
        ...

    async def aclose(self) -> None: ...
