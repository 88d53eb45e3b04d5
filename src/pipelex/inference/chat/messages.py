"""A conversation with a language model, in our own types: what every client is given and returns.

Clients built on a library translate them (`chat/translated.py`); the client for chat completions writes them as it
sends them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured import Method, Schema

FinishReason = Literal["stop", "length", "content_filter", "tool_call", "error"]
RequestSettings: TypeAlias = dict[str, Any]
"""The settings of one request, in a client's own terms; in all of them, `extra_headers` are the request's headers."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """An image or a document of a prompt."""

    data: bytes = field(repr=False)
    media_type: str
    detail: str | None = None
    """The level of detail at which the model looks at an image: `high`, `low` or `auto`."""

    @property
    def is_image(self) -> bool:
        """Whether it is an image."""
        return self.media_type.startswith("image/")

    @property
    def is_text(self) -> bool:
        """Whether it goes into the prompt as text."""
        return self.media_type.startswith("text/")

    @property
    def inlined(self) -> str:
        """Its text, between two lines that mark its beginning and its end."""
        name = hashlib.sha1(self.data, usedforsecurity=False).hexdigest()[:6]
        begin, end = f'-----BEGIN FILE id="{name}" type="{self.media_type}"-----', f'-----END FILE id="{name}"-----'
        return f"{begin}\n{self.data.decode('utf-8', 'replace')}\n{end}"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool in an answer."""

    id: str
    name: str
    arguments: str | dict[str, Json]
    """The arguments as a JSON object, or as its text."""


@dataclass(frozen=True, slots=True)
class ToolReply:
    """The reply to a call of a tool."""

    use: ToolUse
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A message to the model: a prompt, or the replies to its tool calls."""

    text: str | None = None
    system: str | None = None
    files: tuple[AttachedFile, ...] = ()
    replies: tuple[ToolReply, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The tokens of one request."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """The number of input tokens that the provider had in its cache."""
    reasoning_tokens: int | None = None
    """The number of output tokens that were thoughts; None when the provider does not say."""


def _no_price() -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of the model."""

    text: str | None = None
    thinking: str | None = None
    tool_uses: tuple[ToolUse, ...] = ()
    finish_reason: FinishReason | None = None
    """The reason why the answer ends; None for a reason that only the provider has."""
    usage: TokenCounts = field(default_factory=TokenCounts)
    model_name: str | None = None
    response_id: str | None = None
    refusal: str = ""
    """The words with which a model refuses the content; empty when it does not refuse."""
    listed_price: Callable[[], float | None] = field(default=_no_price, repr=False, compare=False)
    """Returns the price by public lists, in USD; None when they have none."""
    said: Any = field(default=None, repr=False, compare=False)
    """The answer in the client's own form, to be sent back; None for an answer without content."""


Message: TypeAlias = Question | Answer


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The form of an answer: a text when the method is None, otherwise an object."""

    method: Method | None = None
    name: str = "answer"
    """The name of the object, or of the tool that takes it."""
    description: str | None = None
    schema: Schema = field(default_factory=dict[str, Any])
    is_strict: bool | None = None
    """Whether the provider must follow the schema strictly; None leaves it to the client."""
