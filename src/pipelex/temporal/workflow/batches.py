"""Batches inside workflows: small ones as children of the workflow itself, others as a tree of slices.

Neither a history nor a payload grows with the number of items: a slice has at most `RunOptions.slice_size` of them and
goes on in a new run when its history is long, and lists that are longer than a slice are held by reference where there
is a payload store.
"""

from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
from functools import partial
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy

from pipelex.content.stuff import ListPart, Stuff
from pipelex.library import Library, LibraryCrate
from pipelex.pipes.batches import cut, gathered, joined, json_size, run_item
from pipelex.pipes.calls import BatchCall, BatchOutcome, ItemFailure, PipeCall, PipeOutcome, RunIdentity, RunOptions
from pipelex.pipes.window import drain, together
from pipelex.temporal.workflow.list_parts import LOAD_LIST, PART_BYTES, STORE_LIST, StoredList, stored_payload
from pipelex.temporal.workflow.pages import Page, fits
from pipelex.temporal.workflow.payloads import SliceJob, crate_of
from pipelex.temporal.workflow.references import StoredPayload

SLICE_WORKFLOW: Final = "PipeBatchSlice"

COMMANDS_AT_ONCE: Final = 100
"""Most commands one workflow task may schedule: larger ones meet the server's size limit or the deadlock detector."""
MOST_SLICES: Final = 200
"""Slices that one workflow runs; more of them are slices of slices."""

_REFERENCE_BYTES: Final = 600
"""Of a payload that is in the store, in a history."""
_STORE_TIMEOUT: Final = timedelta(minutes=2)
_STORE_RETRIES: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=10)


class Batches:
    """The batches of one pipe run.

    Args:
        library: of the run.
        run: whom it belongs to, as jobs are to tell it.
        options: what shapes it.
        run_pipe: runs one item to its end.
        start_slice: runs a slice to its end.
    """

    def __init__(
        self,
        library: Library,
        run: RunIdentity | None,
        options: RunOptions,
        *,
        run_pipe: Callable[[PipeCall], Awaitable[PipeOutcome]],
        start_slice: Callable[[SliceJob, LibraryCrate], Awaitable[BatchOutcome]],
    ) -> None:
        self._library = library
        self._run = run
        self._options = options
        self._run_pipe = run_pipe
        self._start_slice = start_slice

    async def run(self, batch: BatchCall) -> BatchOutcome:
        """Run a batch to its end, here where its items fit into this history, else in slices."""
        if self._fits(batch):
            return (await self.run_page(batch, 0, Page(is_bounded=False)))[0]
        slices = self._slices(batch)
        # A slice keeps a window of its own: as many slices at a time as full windows make the run's concurrency.
        at_once = max(1, self._options.max_concurrency // COMMANDS_AT_ONCE) if self.is_leaf(slices[0]) else 1
        outcomes = await together([partial(self._run_slice, each) for each in slices], limit=at_once)
        return joined(self._library, batch, outcomes)

    async def run_page(self, batch: BatchCall, skip: int, page: Page) -> tuple[BatchOutcome, int]:
        """Run items as children of this workflow, in a window, as long as the page has room.

        Args:
            batch: has its items at hand.
            skip: how many of them earlier pages ran.
            page: the room in this run of the workflow.

        Returns:
            What the items gave, and how many of the batch's items are done now.
        """
        ends: dict[int, PipeOutcome | ItemFailure] = {}
        shared = self._shared_size(batch)

        async def run(index: int) -> None:
            arguments = self._kept_size(shared + json_size(batch.items.items[index]))
            page.begin(arguments)
            ends[index] = end = await run_item(self._run_pipe, batch, index, self._options)
            held = _result_size(end)
            page.end(arguments, self._kept_size(held), held)

        def efforts() -> Generator[Callable[[], Awaitable[None]]]:
            for index in range(skip, batch.items.count):
                if not page.has_room:
                    return
                yield partial(run, index)

        limit = min(self._options.max_concurrency, COMMANDS_AT_ONCE, batch.items.count - skip)
        await drain(efforts(), limit=limit)
        outcome = gathered(self._library, batch, [ends[index] for index in sorted(ends)])
        return outcome, skip + len(ends)

    def is_leaf(self, batch: BatchCall) -> bool:
        """Whether a slice runs its items itself, not by slices of its own."""
        items = batch.items
        return len(items.parts) == 1 or (not items.parts and items.count <= self._options.slice_size)

    def _fits(self, batch: BatchCall) -> bool:
        items = batch.items
        if items.parts or items.count > self._options.slice_size:
            return False
        mean = sum(map(json_size, items.items)) // items.count
        return fits(items.count, 2 * self._kept_size(self._shared_size(batch) + mean))

    def _kept_size(self, size: int) -> int:
        """Bytes that a payload takes in a history."""
        threshold = self._options.stored_above
        return size if threshold is None or size <= threshold else _REFERENCE_BYTES

    def _shared_size(self, batch: BatchCall) -> int:
        """Bytes of what every item is given beside itself."""
        inputs = sum(json_size(stuff.to_json()) for stuff in batch.call.inputs.values())
        return inputs + len(crate_of(self._library, batch.call).json_bytes)

    # --- slices -------------------------------------------------------------------------------------------------------

    def _slices(self, batch: BatchCall) -> list[BatchCall]:
        items = batch.items
        if items.parts:
            lists = [Stuff.of_parts(items.concept, [part]) for part in items.parts]
        else:
            pieces = cut(items.items, most_items=self._options.slice_size, most_bytes=PART_BYTES)
            lists = [Stuff.of_list(items.concept, piece) for piece in pieces]
        if len(lists) > MOST_SLICES:
            lists = [_concatenated(lists[start : start + MOST_SLICES]) for start in range(0, len(lists), MOST_SLICES)]
        slices: list[BatchCall] = []
        offset = batch.offset
        for each in lists:
            slices.append(batch.of_items(each, offset))
            offset += each.count
        return slices

    async def _run_slice(self, batch: BatchCall) -> BatchOutcome:
        job = SliceJob.sparse(batch=batch, run=self._run, options=self._options)
        return await self._start_slice(job, crate_of(self._library, batch.call, batch.items.concept))

    async def kept(self, outcome: BatchOutcome) -> BatchOutcome:
        """What a page of a slice gave, its values by reference where there is a store."""
        values = outcome.values
        if self._options.stored_above is None or values.parts or not values.count:
            return outcome
        stored = await workflow.execute_local_activity(
            STORE_LIST,
            args=[values.items],
            result_type=StoredPayload,
            schedule_to_close_timeout=_STORE_TIMEOUT,
            retry_policy=_STORE_RETRIES,
        )
        part = ListPart(stored.model_dump(), values.count)
        return outcome.model_copy(update={"values": Stuff.of_parts(values.concept, [part])})


async def load(value: Stuff) -> Stuff:
    """A list with its items; from inside a workflow."""
    if not value.parts:
        return value
    items = await workflow.execute_local_activity(
        LOAD_LIST,
        args=[StoredList(parts=tuple(map(stored_payload, value.parts)))],
        result_type=list,
        schedule_to_close_timeout=_STORE_TIMEOUT,
        retry_policy=_STORE_RETRIES,
    )
    return Stuff.of_list(value.concept, items)


def _concatenated(lists: list[Stuff]) -> Stuff:
    concept = lists[0].concept
    if lists[0].parts:
        return Stuff.of_parts(concept, [part for each in lists for part in each.parts])
    return Stuff.of_list(concept, [item for each in lists for item in each.items])


def _result_size(end: PipeOutcome | ItemFailure) -> int:
    if isinstance(end, ItemFailure):
        return json_size(end.error)
    return 0 if end.stuff is None else json_size(end.stuff.to_json())
