"""The activities: each performs one job, heartbeats while it lasts, and fails with a report Temporal can act on."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import activity
from temporalio.common import RawValue

from pipelex.durable.large import LargeInputs, whole
from pipelex.inference import EffectPerformer, Inference, performers
from pipelex.library import linked_libraries
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.wire import Wire
from pipelex.temporal.client.earlier.kept import KeptOfRuns
from pipelex.temporal.worker.attempts import CurrentAttempt
from pipelex.temporal.worker.metrics import measured

R = TypeVar("R", bound=Wire)

ActivityFunction = Callable[..., Awaitable[Any]]


def activities_of(inference: Inference) -> dict[str, ActivityFunction]:
    """The activities of a worker over one `Inference`: for each kind of effect one, by name."""
    performer, kept = EffectPerformer(lambda: performers(inference)), KeptOfRuns()
    return {kind.activity: _activity(kind, performer, kept) for kind in EFFECTS}


def _activity(kind: EffectKind[Any, Any], performer: EffectPerformer, kept: KeptOfRuns) -> ActivityFunction:
    """The definition of an activity. The SDK reads the types of jobs and results off its annotations."""
    run = _performed(kind, performer, kept) if kind.compute is None else _computed(kind, performer)
    run.__annotations__ |= {"job": kind.job, "return": kind.result}
    return activity.defn(name=kind.activity)(run)


def _performed(kind: EffectKind[Any, Any], performer: EffectPerformer, kept: KeptOfRuns) -> ActivityFunction:
    async def run(job: Any) -> Any:
        return await _attempted(kind, performer, job, crate=None, kept=kept)

    return run


def _computed(kind: EffectKind[Any, Any], performer: EffectPerformer) -> ActivityFunction:
    async def run(job: Any, crate: RawValue, large: LargeInputs | None) -> Any:
        return await _attempted(kind, performer, whole(job, large), crate=crate.payload.data)

    return run


async def _attempted(
    kind: EffectKind[Any, R],
    performer: EffectPerformer,
    job: Any,
    *,
    crate: bytes | None,
    kept: KeptOfRuns | None = None,
) -> R:
    attempt = CurrentAttempt()

    async def begin() -> R:
        reuse = None if kept is None else job.reuse
        return await performer.attempt(
            kind,
            job,
            call=attempt.told.call,
            library=lambda: linked_libraries().get(crate or b""),
            ledger=attempt.ledger,
            kept=None if kept is None or reuse is None else await kept.of(activity.client(), reuse),
            place=(activity.info().workflow_id or "").partition("/")[2],
        )

    with measured(job, attempt.ledger):
        return await attempt.made(begin)
