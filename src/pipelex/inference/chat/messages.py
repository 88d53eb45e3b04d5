"""A conversation with a language model, in our own words: what every client is given, and what it gives back.

Clients that stand on a library translate it (`chat/translated.py`); the one for chat completions writes it as it is sent.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured import Method, Schema

FinishReason = Literal["stop", "length", "content_filter", "tool_call", "error"]
RequestSettings: TypeAlias = dict[str, Any]
"""The settings of one request, in a client's own terms; `extra_headers` are headers of the request in all of them."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """An image or a document of a prompt."""

    data: bytes = field(repr=False)
    media_type: str
    detail: str | None = None
    """The detail in which an image is to be looked at: `high`, `low` or `auto`."""

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
        """Its text between two lines that tell where it begins and ends."""
        name = hashlib.sha1(self.data, usedforsecurity=False).hexdigest()[:6]
        begin, end = f'-----BEGIN FILE id="{name}" type="{self.media_type}"-----', f'-----END FILE id="{name}"-----'
        return f"{begin}\n{self.data.decode('utf-8', 'replace')}\n{end}"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool in an answer."""

    id: str
    name: str
    arguments: str | dict[str, Json]
    """The arguments, as JSON or as its text."""


@dataclass(frozen=True, slots=True)
class ToolReply:
    """The reply to a call of a tool."""

    use: ToolUse
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A message to the model: a prompt, or what is said to its calls of tools."""

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
    """The tokens of the input that the provider had in its cache."""
    reasoning_tokens: int | None = None
    """The tokens of the output that were thoughts; None where that is not told."""


def _no_price() -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class Answer:
    """A message of the model."""

    text: str | None = None
    thinking: str | None = None
    tool_uses: tuple[ToolUse, ...] = ()
    finish_reason: FinishReason | None = None
    """The reason why the answer ends; None for a reason that only the provider knows."""
    usage: TokenCounts = field(default_factory=TokenCounts)
    model_name: str | None = None
    response_id: str | None = None
    refusal: str = ""
    """The words of a model that refuses the content; empty when it does not."""
    listed_price: Callable[[], float | None] = field(default=_no_price, repr=False, compare=False)
    """The price in public lists, in USD; None where they have none."""
    said: Any = field(default=None, repr=False, compare=False)
    """The answer in the client's own form, to be sent back; None for one that says nothing."""


Message: TypeAlias = Question | Answer


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The form in which an answer is asked for: a text where the method is None, else an object."""

    method: Method | None = None
    name: str = "answer"
    """The name of the object, or of the tool that takes it."""
    description: str | None = None
    schema: Schema = field(default_factory=dict[str, Any])
    is_strict: bool | None = None
    """Whether the provider is to keep to the schema strictly; None leaves it to the client."""
