"""The activities of a worker. Each performs one job, sends heartbeats, and fails with a report that Temporal reads."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import activity
from temporalio.common import RawValue

from pipelex.durable.attempts import LatestAnswers
from pipelex.durable.large import LargeInputs, whole
from pipelex.durable.limits import EngineLimits
from pipelex.inference import EffectPerformer, Inference, performers
from pipelex.inference.calls.kept import KeptResults, KeptTables
from pipelex.library import linked_libraries
from pipelex.pipes.calls import Reuse
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.wire import Wire
from pipelex.temporal.client.earlier.kept import read_kept
from pipelex.temporal.worker.attempts import CurrentAttempt
from pipelex.temporal.worker.cancels import CancelWatch
from pipelex.temporal.worker.metrics import measured

R = TypeVar("R", bound=Wire)

LOGGER: Final = logging.getLogger("pipelex.worker")

ActivityFunction = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class _Hands:
    """The objects that all activities of one worker share."""

    performer: EffectPerformer
    kept: KeptTables
    cancels: CancelWatch
    outage_seconds: float
    """See `InferenceOptions`."""
    limits: Callable[[], EngineLimits]
    """Returns the present limits of the server; it is called as each attempt begins."""
    answers: LatestAnswers = field(default_factory=LatestAnswers)


def activities_of(
    inference: Inference, limits: Callable[[], EngineLimits], *, cancel_check: timedelta | None = None
) -> dict[str, ActivityFunction]:
    """The activities of a worker by name, one for each kind of effect.

    Args:
        inference: the service that performs the effects.
        limits: returns the present limits of the server; it is called as each attempt begins.
        cancel_check: how often to check whether anybody still waits for the calls in flight; None to learn it from
            heartbeats alone.
    """
    performer = EffectPerformer(lambda: performers(inference))
    hands = _Hands(performer, KeptTables(_kept), CancelWatch(cancel_check), inference.options.outage_seconds, limits)
    return {kind.activity: _activity(kind, hands) for kind in EFFECTS}


async def _kept(reuse: Reuse) -> KeptResults:
    return await read_kept(activity.client(), reuse)


def _activity(kind: EffectKind[Any, Any], hands: _Hands) -> ActivityFunction:
    """The definition of an activity. The SDK reads the types of jobs and results from its annotations."""
    run = (_performed if kind.compute is None else _computed)(kind, hands)
    run.__annotations__ |= {"job": kind.job, "return": kind.result}
    return activity.defn(name=kind.activity)(run)


def _performed(kind: EffectKind[Any, Any], hands: _Hands) -> ActivityFunction:
    async def run(job: Any) -> Any:
        return await _attempted(kind, hands, job)

    return run


def _computed(kind: EffectKind[Any, Any], hands: _Hands) -> ActivityFunction:
    async def run(job: Any, crate: RawValue, large: LargeInputs | None) -> Any:
        return await _attempted(kind, hands, whole(job, large), crate=crate.payload.data)

    return run


async def _attempted(kind: EffectKind[Any, R], hands: _Hands, job: Any, *, crate: bytes | None = None) -> R:
    attempt = CurrentAttempt(hands.limits(), outage_seconds=hands.outage_seconds)

    async def begin() -> R:
        answered = hands.answers.find(attempt.told.call, kind.result) if attempt.told.number > 1 else None
        if answered is not None:
            LOGGER.info("%s was answered before; the answer is reported again", kind.activity)
            return answered
        reuse = job.reuse if crate is None else None
        result = await hands.performer.attempt(
            kind,
            job,
            call=attempt.told.call,
            library=lambda: linked_libraries().get(crate or b""),
            ledger=attempt.ledger,
            kept=await hands.kept.of(reuse),
            place=(activity.info().workflow_id or "").partition("/")[2],
            seconds=attempt.told.seconds,
        )
        if kind.compute is None:
            hands.answers.keep(attempt.told.call, result)
        return result

    async with hands.cancels.watching():
        with measured(job, attempt.ledger):
            return await attempt.made(begin)
