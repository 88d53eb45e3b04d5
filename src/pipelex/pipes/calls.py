"""A run, its pipes and its batches: what is asked of a runtime, and what it gives."""

from typing import Final, Literal

from pydantic import Field

from pipelex.content.stuff import Absence, Json, Stuff
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.wire import AbsenceWire, StuffWire, Wire

MOST_REPORTED: Final = 100
"""Failed items of a batch that are told with their reports; the others are counted."""

OnItemFailure = Literal["fail", "collect"]


class Mocks(Wire):
    """The values that the effects of a dry run make up, where the method leaves them open."""

    text_chars: int = Field(default=256, ge=1)
    """The most characters of a prompt that a made-up text repeats."""
    list_items: int = Field(default=3, ge=1)
    """The items of a made-up list."""
    pages: int = Field(default=4, ge=1)
    """The pages of an extracted document."""
    image_urls: tuple[str, ...] = ("https://mock.invalid/image_1.png", "https://mock.invalid/image_2.png")
    """The addresses of made-up images, taken in turn."""
    is_sparse: bool = False
    """Whether optional fields are left out."""


class Reuse(Wire):
    """An earlier run, whose results of effects are taken wherever the very same is asked again."""

    run_id: str
    """The earlier run."""
    workflow_id: str | None = None
    """The engine's id of its entry workflow, where there is one."""
    execution: str | None = None
    """The execution of that workflow, where an id may have several."""
    start_over: str | None = None
    """The reference of the pipe that is run anew, with everything that followed it; with None, whatever is the same is
    taken."""


class RunOptions(Wire):
    """The options that a method's author or caller gives a run.

    They are fixed when the run starts, and the same in every child.
    """

    mode: Literal["live", "dry"] = "live"
    """`dry`: every effect is mocked from the declared types; nothing leaves the process."""
    max_concurrency: int = Field(default=8, ge=1)
    """Children of one batch in flight at a time."""
    on_item_failure: OnItemFailure = "fail"
    """The effect of a failing item of a batch: the run fails, or the item is left out of the list and reported."""
    full_memory: bool = False
    """Whether every name that a nested pipe leaves behind comes back to its caller, not only those that later steps
    read."""
    max_pipe_runs: int = Field(default=1_000_000, ge=1)
    """The most pipes that the run may run, the entry pipe and every item of a batch included; beyond them it fails."""
    tag_style: Literal["no_tag", "ticks", "xml", "square_brackets"] = "xml"
    """The marks that `@name` puts around a value, where the pipe does not say."""
    text_format: Literal["plain", "markdown", "html", "json"] = "plain"
    """The format in which `$name` writes a structured value, where the pipe does not say."""
    mocks: Mocks = Mocks()
    """The values that a dry run makes up."""
    reuse: Reuse | None = None
    """The run whose results are taken; None: every effect is performed."""


class RunIdentity(Wire):
    """The owner of a run; the same in every child."""

    run_id: str
    session_id: str | None = None
    user_id: str | None = None


class SlotOverride(Wire):
    """A step's say on how many values its pipe gives."""

    is_list: bool
    count: int | None = None


class PipeCall(Wire):
    """One pipe to run on the values it declares, nothing else."""

    pipe: str
    """The reference of the pipe with its domain."""
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    """The present ones of the pipe's declared inputs."""
    path: tuple[str, ...] = ()
    """The steps from the entry pipe down to this one, for example `("2-analyze[17]", "1-summarize")`; empty at the root."""
    override: SlotOverride | None = None
    exports: tuple[str, ...] = ()
    """Names of a sequence's inner results that the caller's later steps read."""
    dynamic_output: str | None = None
    """The concept that stands for `Dynamic`."""


class ItemFailure(Wire):
    """An item of a batch that failed and was left out of the list."""

    index: int
    """The rank in the list, from 0."""
    path: tuple[str, ...]
    """The path of the item's pipe run; see `PipeCall.path`."""
    error: dict[str, Json]
    """The report, as `ErrorReport.to_json` writes it."""


class ItemFailures(Wire):
    """The items that batches left out."""

    count: int
    first: tuple[ItemFailure, ...]
    """The first failures, in the order of the items. They are at most `MOST_REPORTED`, for a report must not grow with
    the list."""


class PipeOutcome(Wire):
    """The outcome of a pipe: a value or a recorded absence, exactly one of the two."""

    stuff: StuffWire | None = None
    absence: AbsenceWire | None = None
    exports: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    usage: tuple[ModelUsage, ...] = ()
    """The usage of the pipe and everything below it, one entry for each model."""
    failures: ItemFailures | None = None
    """Items that batches in the pipe or below it left out."""
    runs: int = 1
    """The pipes that ran: this one and everything below it."""

    @property
    def value(self) -> Stuff | Absence:
        if self.stuff is not None:
            return self.stuff
        assert self.absence is not None
        return self.absence

    @classmethod
    def of(cls, value: Stuff | Absence) -> "PipeOutcome":
        return cls(stuff=value) if isinstance(value, Stuff) else cls(absence=value)


class BatchCall(Wire):
    """One pipe to run on every item of a list."""

    call: PipeCall
    """The call without the item; its last path segment is the stem of each item's own: `analyze` → `analyze[17]`."""
    item_name: str
    items: StuffWire
    """The list, possibly held by reference."""
    offset: int = 0
    """The rank of the first item in the whole list, for a slice of it."""

    @property
    def last(self) -> int:
        """Rank of the last item in the whole list."""
        return self.offset + self.items.count - 1

    def of_items(self, items: Stuff, offset: int) -> "BatchCall":
        """The same batch over other items of the whole list."""
        return self.model_copy(update={"items": items, "offset": offset})

    def item_call(self, index: int) -> PipeCall:
        """The call for one item of this slice."""
        *above, stem = self.call.path
        return self.call.model_copy(
            update={
                "inputs": {**self.call.inputs, self.item_name: Stuff(self.items.concept, self.items.items[index])},
                "path": (*above, f"{stem}[{self.offset + index}]"),
            }
        )


class BatchOutcome(Wire):
    """The outcome of a pipe on the items of a list."""

    values: StuffWire
    """The values in the order of the items, without those that are absent or failed; possibly held by reference."""
    usage: tuple[ModelUsage, ...] = ()
    failures: ItemFailures | None = None
    runs: int = 0
    """The pipes that ran, on all items."""
