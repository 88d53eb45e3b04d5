"""Batches inside workflows: small ones as children of the workflow itself, others as a tree of slices.

Neither a history nor a payload grows with the number of items. A slice has at most `EngineOptions.slice_size` items and
continues as new when its history is long. With a payload store, lists longer than a slice are held by reference.
"""

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Protocol, TypeVar

from pipelex.content.measure import json_size
from pipelex.content.stuff import Stuff
from pipelex.durable.budgets import HistoryBudget, fits
from pipelex.durable.host import Host
from pipelex.durable.jobs import SliceJob, crate_of
from pipelex.durable.limits import ListSize
from pipelex.durable.options import EngineOptions
from pipelex.durable.stored import PART_BYTES, list_in_store
from pipelex.library import Library, LibraryCrate
from pipelex.pipes.batches import cut, gathered, joined, run_item
from pipelex.pipes.calls import BatchCall, BatchOutcome, ItemFailure, PipeCall, PipeOutcome, RunIdentity
from pipelex.pipes.references import ListReference, parts_of
from pipelex.pipes.tally import RunTally
from pipelex.pipes.usage import Meter
from pipelex.pipes.window import drain, together

T = TypeVar("T")


class BatchRunner(Protocol):
    """Runs the items and slices of a batch."""

    async def run_child(self, call: PipeCall) -> PipeOutcome:
        """Run a batch's pipe on one item, to its end."""
        ...

    async def run_slice(self, job: SliceJob, crate: LibraryCrate) -> BatchOutcome:
        """Run a slice as a workflow of its own, to its end."""
        ...


class Batches:
    """The batches of one pipe run.

    Args:
        host: the workflow.
        library: the library of the run.
        run: the owner of the run, as jobs are to tell it.
        options: the options of the run.
        runner: runs items and slices.
    """

    def __init__(
        self, host: Host, library: Library, run: RunIdentity | None, options: EngineOptions, runner: BatchRunner
    ) -> None:
        self._host = host
        self._library = library
        self._run = run
        self._options = options
        self._runner = runner
        self._tally = RunTally(options.max_pipe_runs)

    async def run(self, batch: BatchCall, *, travels: bool) -> BatchOutcome:
        """Run a batch to its end: in this workflow if its items fit into the history, else in slices.

        Args:
            batch: the batch.
            travels: whether its list is the workflow's result. Without a store, the batch then fails as soon as the
                list is too large to travel, before more items are paid for.
        """
        size = self.list_size(batch) if travels else None
        if self._fits(batch):
            return (await self.run_within(HistoryBudget(self._host, is_bounded=False), batch, size=size))[0]
        slices = self._slices(batch)
        # Each slice has its own window, so only as many slices run at a time as windows fit into the run's concurrency.
        most = self._host.limits.commands_at_once
        at_once = max(1, self._options.max_concurrency // most) if self.is_leaf(slices[0]) else 1
        spent = Meter()
        with spent.telling():
            outcomes = await together([partial(self._run_slice, each, spent, size) for each in slices], limit=at_once)
        return joined(self._library, batch, outcomes)

    async def run_within(
        self, budget: HistoryBudget, batch: BatchCall, skip: int = 0, *, size: ListSize | None
    ) -> tuple[BatchOutcome, int]:
        """Run items as children of this workflow, several at a time, until its history budget is used up.

        Args:
            budget: the history budget of this run of the workflow.
            batch: the batch, with its items inline.
            skip: the number of items that earlier runs of the workflow have done.
            size: the size of the list of results, if it must be checked; else None.

        Returns:
            The outcome of the items, and the number of the batch's items that are now done.
        """
        ends: dict[int, PipeOutcome | ItemFailure] = {}
        shared, spent = self._shared_size(batch), Meter()

        async def run(index: int) -> None:
            arguments = self._kept_size(shared + json_size(batch.items.items[index]))
            budget.begin(arguments)
            end = await run_item(
                self._runner.run_child, batch, index, options=self._options, tally=self._tally, spent=spent
            )
            ends[index] = end
            held = _result_size(end)
            budget.end(arguments, self._kept_size(held), held)
            if size is not None and isinstance(end, PipeOutcome) and end.stuff is not None:
                size.add(1, json_size(end.stuff.content))

        def efforts() -> Generator[Callable[[], Awaitable[None]]]:
            for index in range(skip, batch.items.count):
                if not budget.allows_one_more:
                    return
                yield partial(run, index)

        most = self._host.limits.commands_at_once
        with spent.telling():
            await drain(efforts(), limit=min(self._options.max_concurrency, most, batch.items.count - skip))
        outcome = gathered(self._library, batch, [ends[index] for index in sorted(ends)])
        return outcome, skip + len(ends)

    def is_leaf(self, batch: BatchCall) -> bool:
        """Whether a slice runs its items itself instead of dividing them into further slices."""
        parts = parts_of(batch.items)
        return len(parts) == 1 or (not parts and batch.items.count <= self._options.slice_size)

    def list_size(self, batch: BatchCall) -> ListSize | None:
        """A counter for the size of a batch's list of results; None with a store, where the size does not matter."""
        if self._options.stored_above is not None:
            return None
        return ListSize(self._host.limits, f"the results of pipe '{self._library.pipe(batch.call.pipe).code}'")

    def _fits(self, batch: BatchCall) -> bool:
        items = batch.items
        if isinstance(items, ListReference) or items.count > self._options.slice_size:
            return False
        mean = sum(map(json_size, items.items)) // items.count
        return fits(self._host, items.count, 2 * self._kept_size(self._shared_size(batch) + mean))

    def _kept_size(self, size: int) -> int:
        return self._host.limits.kept_size(size, self._options.stored_above)

    def _shared_size(self, batch: BatchCall) -> int:
        """The bytes of the inputs and the crate that every item receives besides itself."""
        inputs = sum(json_size(stuff.to_json()) for stuff in batch.call.inputs.values())
        return inputs + len(crate_of(self._library, batch.call).json_bytes)

    # --- slices -------------------------------------------------------------------------------------------------------

    def _slices(self, batch: BatchCall) -> list[BatchCall]:
        slices: list[BatchCall] = []
        offset = batch.offset
        for each in self._lists(batch.items):
            slices.append(batch.of_items(each, offset))
            offset += each.count
        return slices

    def _lists(self, items: Stuff) -> list[Stuff]:
        """The items of each slice."""
        most = self._host.limits.slices
        if isinstance(items, ListReference):
            groups = _grouped(list(items.parts), most)
            return [ListReference.of(items.concept, parts) for parts in groups]
        pieces = cut(items.items, most_items=self._options.slice_size, most_bytes=PART_BYTES)
        grouped = _grouped(pieces, most)
        return [Stuff.of_list(items.concept, [item for piece in group for item in piece]) for group in grouped]

    async def _run_slice(self, batch: BatchCall, spent: Meter, size: ListSize | None) -> BatchOutcome:
        job = SliceJob.sparse(batch=batch, run=self._run, options=self._options, root=self._host.told_root)
        with spent.counting():
            outcome = await self._runner.run_slice(job, crate_of(self._library, batch.call, batch.items.concept))
        spent.absorb(outcome)
        self._tally.add(outcome.runs)
        if size is not None:
            size.add(outcome.values.count, json_size(outcome.values.content))
        return outcome

    async def kept(self, outcome: BatchOutcome) -> BatchOutcome:
        """The outcome of one run of a slice, with its values held by reference if there is a store."""
        values = outcome.values
        if self._options.stored_above is None or isinstance(values, ListReference) or not values.count:
            return outcome
        stored = await self._host.store_list(values.items)
        return outcome.model_copy(update={"values": list_in_store(values.concept, [(stored, values.count)])})


def _grouped(pieces: list[T], most: int) -> list[list[T]]:
    """The pieces one by one or, if there are more than `most`, in groups of `most`."""
    size = most if len(pieces) > most else 1
    return [pieces[start : start + size] for start in range(0, len(pieces), size)]


def _result_size(end: PipeOutcome | ItemFailure) -> int:
    if isinstance(end, ItemFailure):
        return json_size(end.error)
    return 0 if end.stuff is None else json_size(end.stuff.to_json())
