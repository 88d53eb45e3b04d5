"""The options of a run, and the calls and outcomes of its pipes and batches."""

from typing import Final, Literal

from pydantic import Field

from pipelex.content.stuff import Absence, Json, Stuff
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.wire import AbsenceWire, StuffWire, Wire

MOST_REPORTED: Final = 100
"""The maximum number of failed items of a batch that are kept with their reports; further ones are only counted."""

OnItemFailure = Literal["fail", "collect"]


class Mocks(Wire):
    """The settings of made-up results in a dry run."""

    text_chars: int = Field(default=256, ge=1)
    """The maximum number of characters of a prompt that a made-up text repeats."""
    list_items: int = Field(default=3, ge=1)
    """The number of items of a made-up list."""
    pages: int = Field(default=4, ge=1)
    """The number of pages of an extracted document."""
    image_urls: tuple[str, ...] = ("https://mock.invalid/image_1.png", "https://mock.invalid/image_2.png")
    """The URLs of made-up images, used in turn."""
    is_sparse: bool = False
    """Whether optional fields are left out."""


class Reuse(Wire):
    """An earlier run, whose results are reused for effects with the same request."""

    run_id: str
    """The earlier run."""
    workflow_id: str | None = None
    """The id of its entry workflow; None without a workflow engine."""
    execution: str | None = None
    """The execution (run id) of that workflow, because a workflow id may have several."""
    start_over: str | None = None
    """The reference of the pipe that runs again, with everything that followed it. None reuses every result of an
    unchanged request."""


class RunOptions(Wire):
    """The options that a method's author or caller gives a run.

    They are fixed when the run starts, and the same in every child.
    """

    mode: Literal["live", "dry"] = "live"
    """In the mode `dry`, every effect is mocked from the declared types, and nothing leaves the process."""
    max_concurrency: int = Field(default=8, ge=1)
    """The maximum number of items of one batch that run at the same time."""
    on_item_failure: OnItemFailure = "fail"
    """The effect of a failing item of a batch: the run fails, or the item is left out of the list and reported."""
    full_memory: bool = False
    """Whether a nested pipe returns every name that it leaves behind to its caller, instead of only the names that
    later steps read."""
    max_pipe_runs: int = Field(default=1_000_000, ge=1)
    """The maximum number of pipe runs, the entry pipe and every item of a batch included. A run that needs more
    fails."""
    tag_style: Literal["no_tag", "ticks", "xml", "square_brackets"] = "xml"
    """The tags that `@name` puts around a value, unless the pipe sets them."""
    text_format: Literal["plain", "markdown", "html", "json"] = "plain"
    """The format in which `$name` writes a structured value, unless the pipe sets it."""
    mocks: Mocks = Mocks()
    """The values that a dry run makes up."""
    reuse: Reuse | None = None
    """The run whose results are reused; None performs every effect."""


class RunIdentity(Wire):
    """The owner of a run; the same in every child."""

    run_id: str
    session_id: str | None = None
    user_id: str | None = None


class SlotOverride(Wire):
    """The number of values that a step asks its pipe for, if it differs from the pipe's declaration."""

    is_list: bool
    count: int | None = None


class PipeCall(Wire):
    """A call of one pipe, with only the inputs that it declares."""

    pipe: str
    """The reference of the pipe with its domain."""
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    """The pipe's declared inputs that have a value."""
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
    """The first failures, in the order of the items; at most `MOST_REPORTED`, so that a report does not grow with the
    list."""


class PipeOutcome(Wire):
    """The outcome of a pipe: a value or a recorded absence, exactly one of the two."""

    stuff: StuffWire | None = None
    absence: AbsenceWire | None = None
    exports: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    usage: tuple[ModelUsage, ...] = ()
    """The usage of the pipe and everything below it, one entry for each model."""
    failures: ItemFailures | None = None
    """The items that batches in the pipe or below it left out."""
    runs: int = 1
    """The number of pipe runs: this one and everything below it."""

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
    """A call of one pipe for every item of a list."""

    call: PipeCall
    """The call without the item. The last segment of its path becomes each item's own: `analyze` → `analyze[17]`."""
    item_name: str
    items: StuffWire
    """The list, possibly held by reference."""
    offset: int = 0
    """The rank of the first item in the whole list, for a slice of it."""

    @property
    def last(self) -> int:
        """The rank of the last item in the whole list."""
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
    """The number of pipe runs for all items."""
