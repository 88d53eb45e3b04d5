"""The result of a run, for callers of the Python API."""

from dataclasses import dataclass, field
from typing import TypeVar, cast, get_origin

from pydantic import TypeAdapter

from pipelex.content.render import markdown_to_html, render_content
from pipelex.content.structure import AnyShape
from pipelex.content.stuff import MAIN_STUFF, Absence, Json, Stuff, WorkingMemory
from pipelex.errors import PipelexError
from pipelex.errors.terminal import clean
from pipelex.pipes.calls import ItemFailures, PipeOutcome
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.trace import PipeTrace
from pipelex.tooling.pages import cleaned

T = TypeVar("T")


@dataclass(frozen=True)
class RunResult:
    """The result of a run."""

    run_id: str
    pipe: str
    """The entry pipe, domain-qualified."""
    value: Stuff | Absence
    """The main result: a value, or a recorded absence, which counts as a success."""
    working_memory: WorkingMemory
    """The memory of the entry pipe at its end. For a durable run, it has only the inputs and the main result, unless
    `full_memory` was asked for."""
    usage: tuple[ModelUsage, ...] = ()
    """The usage, one entry for each model."""
    failures: ItemFailures | None = None
    """The items of batches that failed and were left out, if the run was to leave out failing items."""
    trace: PipeTrace | None = field(default=None, compare=False)

    @property
    def main_stuff(self) -> Stuff:
        """The main result.

        Raises:
            PipelexError: the run ended with an absence.
        """
        if isinstance(self.value, Stuff):
            return self.value
        raise PipelexError(
            "pipe.input_unresolved",
            f"pipe '{self.pipe}' gave no value ({self.value.kind.replace('_', ' ')})",
            params={"pipe": self.pipe, "variable": MAIN_STUFF},
        )

    @property
    def content(self) -> Json:
        """The main result's content as plain JSON; a list is `{"items": [...]}`."""
        return self.main_stuff.content

    @property
    def text(self) -> str:
        """The text of a text-valued main result.

        Raises:
            TypeError: the result is not text.
        """
        content = self.content
        if not isinstance(content, dict) or "text" not in content:
            raise TypeError(f"the result of '{self.pipe}' is a {self.main_stuff.concept}, not text")
        return cast("str", content["text"])

    def output_as(self, type_: type[T]) -> T:
        """The main result as a Python type: a pydantic model, a dataclass, a typed dict, or a list of one.

        Raises:
            pydantic.ValidationError: the content does not fit the type.
        """
        content = self.content
        if self.main_stuff.is_list and get_origin(type_) is list:
            content = self.main_stuff.items
        return TypeAdapter(type_).validate_python(content)

    def _repr_html_(self) -> str:
        """The main result in a notebook: its Markdown as HTML, sanitised like the pages of runs."""
        if isinstance(self.value, Absence):
            return f"<em>no value ({self.value.kind.replace('_', ' ')})</em>"
        content = self.value.items if self.value.is_list else self.value.content
        text = render_content(AnyShape(), content, text_format="markdown")
        return cleaned(markdown_to_html(clean(text)))

    def to_json(self) -> dict[str, Json]:
        """The result as the protocol's `pipe_output`, with its usage."""
        main = self.working_memory.aliases.get(MAIN_STUFF, MAIN_STUFF)
        wire: dict[str, Json] = {
            "pipeline_run_id": self.run_id,
            "pipe_output": {"pipeline_run_id": self.run_id, "working_memory": self.working_memory.to_json()},
            "main_stuff_name": main,
        }
        if self.usage:
            wire["usage"] = [usage.model_dump(exclude_none=True) for usage in self.usage]
        if self.failures is not None:
            wire["failures"] = self.failures.model_dump()
        return wire


def result_of(
    run_id: str, pipe: str, outcome: PipeOutcome, memory: WorkingMemory, trace: PipeTrace | None
) -> RunResult:
    """The result of an ended run; the main result is added to the memory if it is not in it."""
    if memory.main is None and memory.absence_of(MAIN_STUFF) is None:
        memory = memory.with_value(MAIN_STUFF, outcome.value)
    return RunResult(run_id, pipe, outcome.value, memory, outcome.usage, outcome.failures, trace)
