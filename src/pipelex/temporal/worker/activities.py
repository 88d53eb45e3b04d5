"""The activities: each performs one job, heartbeats while it lasts, and fails with a report Temporal can act on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from temporalio import activity
from temporalio.common import RawValue

from pipelex.durable.heartbeats import heartbeats
from pipelex.durable.large import LargeInputs, whole
from pipelex.durable.limits import check_payload
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference import Inference, performers
from pipelex.inference.calls.idempotency import logical_call
from pipelex.library import Library, linked_libraries
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.wire import Wire
from pipelex.temporal.codec import stored_above
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.limits import LIMITS

R = TypeVar("R", bound=Wire)


Activity = Callable[..., Awaitable[Any]]


def activities_of(inference: Inference) -> dict[str, Activity]:
    """The activities of a worker over one `Inference`: for each kind of effect one, by name."""
    known = performers(inference)
    return {kind.activity: _activity(kind, known.get(kind.activity)) for kind in EFFECTS}


def _activity(kind: EffectKind[Any, Any], perform: Callable[[Any], Awaitable[Any]] | None) -> Activity:
    """The definition of an activity. The SDK reads the types of jobs and results off its annotations."""
    run = _performed(kind, perform) if kind.compute is None else _computed(kind.compute)
    run.__annotations__ |= {"job": kind.job, "return": kind.result}
    return activity.defn(name=kind.activity)(run)


def _performed(kind: EffectKind[Any, Any], perform: Callable[[Any], Awaitable[Any]] | None) -> Activity:
    async def run(job: Any) -> Any:
        if perform is None:
            raise to_application_error(_unsupported(kind).report, may_retry=True)
        info = activity.info()
        with logical_call(f"{info.workflow_id}:{info.workflow_run_id}:{info.activity_id}"):
            return await _reported(perform(job))

    return run


def _computed(compute: Callable[[Library, Any], Wire]) -> Activity:
    async def run(job: Any, crate: RawValue, large: LargeInputs | None) -> Any:
        library = linked_libraries().get(crate.payload.data)
        return await _reported(asyncio.to_thread(compute, library, whole(job, large)))

    return run


def _unsupported(kind: EffectKind[Any, Any]) -> PipelexError:
    return PipelexError(
        "runtime.unsupported",
        f"this worker cannot perform '{kind.activity}'",
        category=ErrorCategory.CONFIGURATION,
        params={"capability": kind.activity},
    )


async def _reported(work: Awaitable[R]) -> R:
    """Await an effect under heartbeats; a failure leaves as a report that says how often it was tried."""
    try:
        async with heartbeats(activity.heartbeat, activity.info().heartbeat_timeout):
            result = await work
        _check(result)
        return result
    except PipelexError as failed:
        report = replace(failed.report, attempts=activity.info().attempt)
        raise to_application_error(report, may_retry=True) from None


def _check(result: Wire) -> None:
    """Refuse a result that is too large: the SDK would have the call repeated, and paid for, with the same result."""
    what = f"the result of {activity.info().activity_type}"
    check_payload(result, LIMITS, what=what, stored_above=stored_above(activity.client().data_converter))
