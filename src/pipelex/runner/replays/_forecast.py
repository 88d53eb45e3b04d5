"""Predicts what a replay will reuse and what it will pay for, by running it in this process without any model call."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pipelex.direct._run import DirectRun
from pipelex.errors import PipelexError
from pipelex.inference import EffectPerformer
from pipelex.inference.calls.kept import KeptSource
from pipelex.inference.calls.ledger import CallLedger
from pipelex.library import Library
from pipelex.orchestration import RunRequest
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.trace import EffectTrace, PipeTrace, pipes_of
from pipelex.pipes.usage import cost_of
from pipelex.pipes.wire import Wire

if TYPE_CHECKING:
    from pipelex.inference import Inference

R = TypeVar("R", bound=Wire)

_PAID: Final = frozenset(kind.activity for kind in EFFECTS if kind.is_paid)
_TAKEN: Final = frozenset(kind.activity for kind in EFFECTS if kind.compute is None)


@dataclass(frozen=True)
class Forecast:
    """The prediction of what a replay will do."""

    reused: Mapping[str, int] = field(default_factory=dict[str, int])
    """Pipe → the number of its results that are reused."""
    paid: Mapping[str, int] = field(default_factory=dict[str, int])
    """Pipe → the most calls to pay for. Calls that depend on a new answer are included."""
    performed: Mapping[str, int] = field(default_factory=dict[str, int])
    """Pipe → the number of effects that are performed at no cost: functions, documents."""
    saved: float | None = None
    """The original cost of the reused results, in US dollars, as far as their prices are known."""
    expected: float | None = None
    """The cost of the paid calls last time, in US dollars; None if one of them was never made or has no price."""
    unknown: str | None = None
    """Why the prediction stops at some pipe: the rest depends on what models will answer; None if it is complete."""


async def forecast_of(
    request: RunRequest, kept: KeptSource, earlier: PipeTrace, inference: "Callable[[], Inference]"
) -> Forecast:
    """Run a request on kept results, with made-up answers for every effect that is new.

    Args:
        request: the request to predict.
        kept: the results that may be reused.
        earlier: the trace of the earlier run, which has the costs.
        inference: returns the models, which are resolved but never called.
    """
    run = DirectRun(request.library, inference, request.identity, request.options, keeps_values=True)
    run.performer = _Pretending(request.library, request, kept)
    unknown = None
    try:
        await run.execute(request.call)
    except PipelexError as failed:
        unknown = failed.report.detail
    root = run.root
    taken = list(_effects(root, lambda effect: effect.kept_from is not None))
    left = list(_effects(root, lambda effect: effect.kept_from is None and effect.name in _TAKEN))
    paid = [(pipe, effect) for pipe, effect in left if effect.name in _PAID]
    return Forecast(
        _by_pipe(taken),
        _by_pipe(paid),
        _by_pipe([each for each in left if each[1].name not in _PAID]),
        sum(_price(effect) or 0.0 for _, effect in taken),
        _expected(paid, earlier),
        unknown,
    )


def _effects(root: PipeTrace | None, wanted: Callable[[EffectTrace], bool]) -> Iterator[tuple[str, EffectTrace]]:
    for pipe in () if root is None else pipes_of(root):
        yield from ((pipe.pipe, effect) for effect in pipe.effects if wanted(effect))


def _by_pipe(effects: list[tuple[str, EffectTrace]]) -> dict[str, int]:
    return dict(Counter(pipe for pipe, _ in effects))


def _price(effect: EffectTrace) -> float | None:
    usage: Any = getattr(effect.result, "usage", None)
    return None if usage is None else cost_of((usage,))


def _expected(paid: list[tuple[str, EffectTrace]], earlier: PipeTrace) -> float | None:
    """The expected cost of calls; each counts with the average cost of its pipe's calls in the earlier run."""
    costs: dict[str, list[float | None]] = {}
    for pipe in pipes_of(earlier):
        for effect in pipe.effects:
            if effect.usage:
                costs.setdefault(pipe.pipe.rpartition(".")[2], []).append(cost_of(effect.usage))
    total = 0.0
    for pipe, _ in paid:
        known = costs.get(pipe.rpartition(".")[2], [None])
        if None in known:
            return None
        total += sum(cost for cost in known if cost is not None) / len(known)
    return total


class _Pretending(EffectPerformer):
    """Reuses kept results, computes what needs no model, and makes up everything else."""

    def __init__(self, library: Library, request: RunRequest, kept: KeptSource) -> None:
        super().__init__(dict)
        self._library = library
        self._options = request.options
        self._kept = kept

    async def attempt(
        self,
        kind: EffectKind[Any, R],
        job: Any,
        *,
        call: str,
        library: Callable[[], Library],
        ledger: CallLedger | None = None,
        kept: KeptSource | None = None,
        place: str = "",
        seconds: float | None = None,
    ) -> R:
        found = await self._kept.find(kind, job, place)
        if found is not None:
            return found
        if kind.mock is None:
            return await super().attempt(kind, job, call=call, library=library, seconds=seconds)
        request = job if isinstance(job, kind.request) else job.request
        return kind.mock(request, self._library, self._options)
