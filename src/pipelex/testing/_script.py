"""A model with scripted answers, which records its requests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel

from pipelex.language.blueprints import ModelFamily


@dataclass(frozen=True)
class Asked:
    """One request as it reached the model."""

    family: ModelFamily
    """The kind of model: `llm`, `img_gen`, `search`, `extract` or `judgment`."""
    model: str
    """The handle of the model that was asked."""
    pipe: str | None
    """The code of the pipe that asked; None if the orchestrator does not say."""
    prompt: str
    """The text of the request, without the description of the structure that `schema` says; of an extraction, the name of
    its source."""
    system: str = ""
    """The system prompt of a language model."""
    images: int = 0
    """The number of images in the request."""
    documents: int = 0
    """The number of documents in the request."""
    schema: Mapping[str, Any] | None = None
    """The JSON Schema that an answer has to satisfy; None if text is wanted."""
    again: str | None = None
    """The complaint about the previous answer, when the same object is asked for again."""

    def __str__(self) -> str:
        return f"{self.pipe or '?'} asked {self.model}: {self.prompt!r}"


@dataclass(frozen=True)
class Reply:
    """An answer with token counts. Without these, a plain value is enough."""

    content: Any
    """A text, an object or a list of objects; of an image, its bytes; of an extraction, the text of each page."""
    input_tokens: int | None = None
    """The number of tokens of the request; when None, its number of words."""
    output_tokens: int | None = None
    """The number of tokens of the answer; when None, its number of words."""
    is_cut: bool = False
    """Whether the answer was cut off at the token limit."""


@dataclass(frozen=True)
class Refusal:
    """A refusal of the model, which fails the run with `model.content_refused`."""

    text: str = "I cannot help with that."


@dataclass(frozen=True)
class Failure:
    """A failure of the provider, classified like that of a real one: 429 and 503 are retried."""

    status: int = 503
    """The HTTP status of the answer."""
    message: str = "scripted failure"


Answer: TypeAlias = str | bytes | Mapping[str, Any] | BaseModel | Sequence[Any] | Reply | Refusal | Failure | None
"""An answer that a model can be told to give: a text; an object or several, as JSON or pydantic models; the bytes of an
image, or None for any image; the pages of an extraction, each a text; a refusal; a failure."""
Respond: TypeAlias = Callable[[Asked], Answer]
"""A function from what was asked to the answer."""


class ScriptExhausted(AssertionError):
    """A model got a request for which its script has no answer."""


class _InOrder(list[Answer]):
    """Answers that are used one after the other."""


def in_order(*answers: Answer) -> Answer:
    """Several answers for one pipe, each used once, in this order. A single plain answer is used every time."""
    return _InOrder(answers)


@dataclass
class ScriptedModel:
    """A model of every family whose answers a test writes.

    An answer is looked for in three places: first in `pipes`, by the code of the asking pipe; then `respond` is called
    with the request; then the next of `answers` is used, each once, in the order of the requests. The order of
    concurrent requests is random, so answer them by pipe or by function.

    ```python
    model = ScriptedModel("Sunny", pipes={"rate": {"level": 3}})
    ```
    """

    answers: list[Answer]
    """The answers that are left."""
    pipes: dict[str, Answer]
    """The answers of pipes; one that was made by `in_order` gets shorter with every use."""
    respond: Respond | None
    """The function that answers what no pipe's entry does."""
    asked: list[Asked] = field(default_factory=list[Asked])
    """Every request so far, repeated ones included."""

    def __init__(
        self, *answers: Answer, pipes: Mapping[str, Answer] | None = None, respond: Respond | None = None
    ) -> None:
        self.answers = list(answers)
        self.pipes = {
            pipe: _InOrder(given) if isinstance(given, _InOrder) else given for pipe, given in (pipes or {}).items()
        }
        self.respond = respond
        self.asked = []

    @property
    def prompts(self) -> list[str]:
        """The texts of all requests so far."""
        return [asked.prompt for asked in self.asked]

    def answer(self, asked: Asked) -> Answer:
        """Record a request, and return its answer.

        Raises:
            ScriptExhausted: the script has no answer for it.
        """
        self.asked.append(asked)
        given = self._of_pipe(asked.pipe)
        if given is not _NOTHING:
            return given
        if self.respond is not None:
            return self.respond(asked)
        if self.answers:
            return self.answers.pop(0)
        raise ScriptExhausted(f"the script has no answer left; {asked}")

    def _of_pipe(self, pipe: str | None) -> Any:
        if pipe is None or pipe not in self.pipes:
            return _NOTHING
        given = self.pipes[pipe]
        if not isinstance(given, _InOrder):
            return given
        return given.pop(0) if given else _NOTHING

    def assert_asked(self, times: int | None = None, *, pipe: str | None = None, containing: str = "") -> list[Asked]:
        """Check the number of requests, and return them.

        Only requests of the pipe, and with the text `containing`, count. Without a number, there must be at least one.

        Raises:
            AssertionError: there are more, or fewer; the message shows every request.
        """
        found = [
            asked
            for asked in self.asked
            if pipe in (None, asked.pipe) and containing in f"{asked.system}\n{asked.prompt}"
        ]
        if (len(found) != times) if times is not None else not found:
            wanted = "at least one request" if times is None else f"{times} request{'' if times == 1 else 's'}"
            shown = "\n".join(f"  {asked}" for asked in self.asked) or "  nothing was asked"
            of_pipe = f" of pipe {pipe!r}" if pipe else ""
            raise AssertionError(f"expected {wanted}{of_pipe} with {containing!r}, found {len(found)}:\n{shown}")
        return found

    def assert_used_up(self) -> None:
        """Check that every answer that can be used only once was used.

        Raises:
            AssertionError: some are left; the message shows them.
        """
        left = [*self.answers, *(one for given in self.pipes.values() if isinstance(given, _InOrder) for one in given)]
        if left:
            raise AssertionError(f"{len(left)} answers of the script were never asked for: {left!r}")


_NOTHING: Any = object()
