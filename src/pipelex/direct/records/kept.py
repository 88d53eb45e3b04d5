"""The results of effects in the record of a run, for another run to reuse."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipelex.inference.calls.kept import Kept, KeptResults
from pipelex.inference.calls.logical import digest
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState
from pipelex.pipes.traces.steps import without_later
from pipelex.pipes.wire import Wire


def kept_results(run_id: str, roots: Sequence[PipeTrace], start_over: str | None) -> KeptResults:
    """The results of a run's effects.

    Args:
        run_id: the run.
        roots: the traces of its attempts, with jobs and results; the latest first.
        start_over: reference of the pipe whose results, and those of everything after it, are left out; None for none.
    """
    older: KeptResults | None = None
    for root in reversed(roots):
        left = root if start_over is None else without_later(root, start_over)
        older = KeptResults(run_id, () if left is None else _of(left, root.id), older)
    return older or KeptResults(run_id, ())


def _of(pipe: PipeTrace, root_id: str) -> Iterator[Kept]:
    place = pipe.id.removeprefix(root_id).removeprefix("/")
    for effect in pipe.effects:
        if effect.status is RunState.COMPLETED and effect.job is not None and effect.result is not None:
            yield Kept(digest(effect.name, effect.job), place, _reader(effect))
    for child in pipe.children:
        yield from _of(child, root_id)


def _reader(effect: EffectTrace) -> Any:
    async def read(kind: type[Wire]) -> Wire:
        result = effect.result
        if isinstance(result, kind):
            return result
        assert result is not None
        return kind.model_validate(result.model_dump(mode="json", exclude_unset=True))

    return read
