"""The items of a batch, whatever runs them: one item's end, and what all of them give together."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from pipelex.content.measure import json_size
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.library import Library
from pipelex.pipes.calls import BatchCall, BatchOutcome, ItemFailure, ItemFailures, PipeCall, PipeOutcome, RunOptions
from pipelex.pipes.references import ListReference, parts_of
from pipelex.pipes.usage import Meter


async def run_item(
    run_pipe: Callable[[PipeCall], Awaitable[PipeOutcome]], batch: BatchCall, index: int, options: RunOptions
) -> PipeOutcome | ItemFailure:
    """Run a batch's pipe on one of its items.

    Raises:
        PipelexError: it failed, and the run's options say that this fails the batch. What is wrong with the
            configuration would fail every item alike, so it fails the batch whatever they say.
    """
    # The item's call is made here, when its turn comes, so that a long list is not held twice.
    call = batch.item_call(index)
    try:
        return await run_pipe(call)
    except PipelexError as failed:
        if options.on_item_failure == "fail" or failed.report.category is ErrorCategory.CONFIGURATION:
            raise
        return ItemFailure(index=batch.offset + index, path=call.path, error=failed.report.to_json())


def gathered(library: Library, batch: BatchCall, ends: Iterable[PipeOutcome | ItemFailure]) -> BatchOutcome:
    """What the items of a batch gave together.

    Args:
        library: has the batch's pipe.
        batch: the batch.
        ends: one for each item, in order.
    """
    values: list[Stuff] = []
    meter = Meter()
    for end in ends:
        if isinstance(end, ItemFailure):
            meter.add_failures(ItemFailures(count=1, first=(end,)))
            continue
        meter.absorb(end)
        if end.stuff is not None:
            values.append(end.stuff)
    concept = _common(library, batch, {value.concept for value in values})
    return _outcome(Stuff.of_list(concept, [value.content for value in values]), meter)


def joined(library: Library, batch: BatchCall, outcomes: Sequence[BatchOutcome]) -> BatchOutcome:
    """What consecutive slices of a batch gave together.

    Args:
        library: has the batch's pipe.
        batch: the whole batch.
        outcomes: one for each slice, in order; those with values hold them either all by reference or all by content.
    """
    meter = Meter()
    for outcome in outcomes:
        meter.absorb(outcome)
    lists = [outcome.values for outcome in outcomes if outcome.values.count]
    concept = _common(library, batch, {values.concept for values in lists})
    parts = [part for values in lists for part in parts_of(values)]
    if parts:
        return _outcome(ListReference.of(concept, parts), meter)
    return _outcome(Stuff.of_list(concept, [item for values in lists for item in values.items]), meter)


def _common(library: Library, batch: BatchCall, concepts: set[str]) -> str:
    """Every value of a pipe has the concept it declares, or one that refines it: a list of one kind keeps its kind."""
    return concepts.pop() if len(concepts) == 1 else library.pipe(batch.call.pipe).output.concept


def _outcome(values: Stuff, meter: Meter) -> BatchOutcome:
    return BatchOutcome.sparse(values=values, usage=meter.total, failures=meter.failures)


def cut(items: Sequence[Json], *, most_items: int, most_bytes: int) -> list[list[Json]]:
    """Consecutive pieces of a list, each of at most that many items and, unless it is one item, bytes of JSON."""
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
