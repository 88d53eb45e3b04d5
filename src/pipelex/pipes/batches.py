"""Runs the items of a batch, and gathers their outcomes, on any orchestrator."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from pipelex.content.measure import json_size
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.library import Library
from pipelex.pipes.calls import BatchCall, BatchOutcome, ItemFailure, ItemFailures, PipeCall, PipeOutcome, RunOptions
from pipelex.pipes.references import ListReference, parts_of
from pipelex.pipes.tally import TOO_MANY, RunTally
from pipelex.pipes.usage import Meter, usages_from_json


async def run_item(
    run_pipe: Callable[[PipeCall], Awaitable[PipeOutcome]],
    batch: BatchCall,
    index: int,
    options: RunOptions,
    tally: RunTally,
    spent: Meter,
) -> PipeOutcome | ItemFailure:
    """Run a batch's pipe on one of its items.

    Args:
        run_pipe: runs a pipe to its end.
        batch: the batch.
        index: the index of the item in this batch.
        options: the options of the run.
        tally: counts the pipe runs of the batch.
        spent: counts what the item used, so that it is known even if the batch fails.

    Raises:
        PipelexError: the item failed, and the run's options say that this fails the batch. A wrong configuration, or a
            run that grows beyond its limit, always fails the batch, because it would fail every item.
    """
    # The call is made only when the item's turn comes, so a long list is not held twice.
    call = batch.item_call(index)
    try:
        outcome = await run_pipe(call)
        spent.absorb(outcome)
        tally.add(outcome.runs)
    except PipelexError as failed:
        spent.add_failed(failed)
        if options.on_item_failure == "fail" or _fails_all(failed):
            raise
        return ItemFailure(index=batch.offset + index, path=call.path, error=failed.report.to_json())
    return outcome


def _fails_all(failed: PipelexError) -> bool:
    return failed.report.category is ErrorCategory.CONFIGURATION or failed.code == TOO_MANY


def gathered(library: Library, batch: BatchCall, ends: Iterable[PipeOutcome | ItemFailure]) -> BatchOutcome:
    """Combine the outcomes of a batch's items.

    Args:
        library: has the batch's pipe.
        batch: the batch.
        ends: the outcome or the failure of each item, in order.
    """
    values: list[Stuff] = []
    meter = Meter()
    runs = 0
    for end in ends:
        if isinstance(end, ItemFailure):
            meter.add_failures(ItemFailures(count=1, first=(end,)))
            meter.add(usages_from_json(end.error.get("usage")))
            continue
        meter.absorb(end)
        runs += end.runs
        if end.stuff is not None:
            values.append(end.stuff)
    concept = _common(library, batch, {value.concept for value in values})
    return _outcome(Stuff.of_list(concept, [value.content for value in values]), meter, runs)


def joined(library: Library, batch: BatchCall, outcomes: Sequence[BatchOutcome]) -> BatchOutcome:
    """Combine the outcomes of consecutive slices of a batch.

    Args:
        library: has the batch's pipe.
        batch: the whole batch.
        outcomes: the outcome of each slice, in order. Either all of them hold their values by reference, or none does.
    """
    meter = Meter()
    for outcome in outcomes:
        meter.absorb(outcome)
    runs = sum(outcome.runs for outcome in outcomes)
    lists = [outcome.values for outcome in outcomes if outcome.values.count]
    concept = _common(library, batch, {values.concept for values in lists})
    parts = [part for values in lists for part in parts_of(values)]
    if parts:
        return _outcome(ListReference.of(concept, parts), meter, runs)
    return _outcome(Stuff.of_list(concept, [item for values in lists for item in values.items]), meter, runs)


def _common(library: Library, batch: BatchCall, concepts: set[str]) -> str:
    """The concept of all values if they have the same, otherwise the concept that the pipe declares."""
    return concepts.pop() if len(concepts) == 1 else library.pipe(batch.call.pipe).output.concept


def _outcome(values: Stuff, meter: Meter, runs: int) -> BatchOutcome:
    return BatchOutcome.sparse(values=values, usage=meter.total, failures=meter.failures, runs=runs)


def cut(items: Sequence[Json], *, most_items: int, most_bytes: int) -> list[list[Json]]:
    """Cut a list into pieces of at most `most_items` items and, unless a piece is one item, `most_bytes` of JSON."""
    pieces: list[list[Json]] = []
    size = 0
    for item in items:
        length = json_size(item)
        if not pieces or len(pieces[-1]) == most_items or size + length > most_bytes:
            pieces.append([])
            size = 0
        pieces[-1].append(item)
        size += length
    return pieces
