"""The activities. Each performs one job with heartbeats, reports it in a custom task, and fails with an error report.

Each kind of effect has one, and one more for each backend with a rate limit, on that backend's own task queue.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar

import mistralai.workflows as sdk
from mistralai.workflows.core.rate_limiting.rate_limit import get_rate_limit  # pyright: ignore[reportUnknownVariableType]
from temporalio import activity
from temporalio.exceptions import ApplicationError

from pipelex.durable.large import LargeInputs, whole
from pipelex.errors import ErrorReport, PipelexError
from pipelex.inference.calls.kept import KeptResults
from pipelex.library import linked_libraries
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.carried import PREPARE, Carried, CarriedValue, reference_to, stored_in, write, written
from pipelex.mistral_workflows.config import CallRate
from pipelex.mistral_workflows.progress import CALL_TASK
from pipelex.pipes.calls import Reuse
from pipelex.pipes.effects.jobs import kept_from, usages_of
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.trace import RunState
from pipelex.pipes.usage import usages_to_json
from pipelex.pipes.wire import Wire
from pipelex.temporal.worker.attempts import CurrentAttempt
from pipelex.temporal.workflow.failures import report_of, to_application_error
from pipelex_mistral_workflows.deployment import Deployment, served
from pipelex_mistral_workflows.hands import HANDS
from pipelex_mistral_workflows.preparing import prepared

R = TypeVar("R", bound=Wire)
Arguments = dict[str, Any]

PUT_VALUE: Final = "pipelex_put_value"
"""The local activity that puts a value from workflow code into the storage."""
GET_VALUE: Final = "pipelex_get_value"
"""The local activity that loads a value from the storage into memory, where workflow code reads it."""

_ENCRYPTED: Final = "runtime.unsupported"
"""The code of the error for events that cannot be read; see `pipelex.mistral_workflows.earlier.events`."""


@dataclass
class Lanes:
    """The task queues of backends with a rate limit."""

    queues: dict[str, str] = field(default_factory=dict[str, str])
    """Backend → its task queue."""


LANES: Final = Lanes()
"""The lanes of this process."""


@cache
def define_activities() -> None:
    """Register the activities with the SDK. This is done once, because the SDK has one registry for the process."""
    for kind in EFFECTS:
        _define(kind, kind.activity, None)
    sdk.activity(name=PUT_VALUE)(_put_value)
    sdk.activity(name=GET_VALUE)(_get_value)
    sdk.activity(name=PREPARE)(_prepare)


@cache
def define_lane(backend: str, max_calls: int, seconds: int) -> None:
    """Register the activities of a backend with a rate limit.

    Args:
        backend: the backend.
        max_calls: the most calls in the period, over all workers.
        seconds: the length of the period.
    """
    rate = sdk.RateLimit(time_window_in_sec=seconds, max_execution=max_calls, key=f"pipelex-{backend}")
    for kind in EFFECTS:
        if kind.family is not None:
            defined = _define(kind, names.limited(kind.activity, backend), rate)
            limited = get_rate_limit(defined)
            assert limited is not None  # the activity was defined with a rate limit
            LANES.queues[backend] = limited.task_queue


def define_lanes(rates: Mapping[str, CallRate]) -> None:
    """Register the activities of every backend that has a rate limit in the settings."""
    for backend, rate in rates.items():
        define_lane(backend, rate.max_calls, int(rate.per.total_seconds()))


def _define(kind: EffectKind[Any, Any], name: str, rate: sdk.RateLimit | None) -> Callable[..., Any]:
    async def perform(arguments: Arguments) -> Arguments:
        return await _told(kind, served(), Carried.from_json(arguments))

    # A Pipelex run passes the options of each call; options given here would only apply to other callers.
    return sdk.activity(name=name, rate_limit=rate)(perform)


# --- a call -----------------------------------------------------------------------------------------------------------


async def _told(kind: EffectKind[Any, Any], deployment: Deployment, carried: Carried) -> CarriedValue:
    """Perform a job, and report it in a custom task."""
    info = activity.info()
    state: dict[str, Any] = {
        **(carried.about or {}),
        "activity": kind.activity,
        "call": f"{info.workflow_run_id}:{info.activity_id}",
        "attempt": info.attempt,
        "state": RunState.RUNNING.value,
    }
    async with sdk.task(CALL_TASK, state=state) as task:
        try:
            result = await _attempted(kind, deployment, carried)
            given = await deployment.values.carried(write(result))
        except PipelexError as failed:
            await task.update_state(_failed(failed.report))
            raise to_application_error(failed.report, may_retry=True) from None
        except ApplicationError as failed:
            if (report := report_of(failed)) is not None:
                await task.update_state(_failed(report))
            raise
        except Exception:
            await task.update_state({"state": RunState.FAILED.value})
            raise
        state["state"], state["usage"] = RunState.COMPLETED.value, [*usages_to_json(usages_of(result))]
        if (origin := kept_from(result)) is not None:
            state["kept_from"] = origin
        return given


async def _attempted[R: Wire](kind: EffectKind[Any, R], deployment: Deployment, carried: Carried) -> R:
    attempt = CurrentAttempt(
        deployment.limits,
        _KeptAfterwards(deployment.values.stored_above),
        outage_seconds=deployment.inference.options.outage_seconds,
    )

    async def perform() -> R:
        job, crate = await _read(kind, deployment, carried)
        return await deployment.performer.attempt(
            kind,
            job,
            call=attempt.told.call,
            library=lambda: linked_libraries().get(crate),
            ledger=attempt.ledger,
            kept=await _kept(deployment, carried, getattr(job, "reuse", None)),
            place=str((carried.about or {}).get("place") or ""),
            seconds=attempt.told.seconds,
        )

    return await attempt.made(perform)


async def _kept(deployment: Deployment, carried: Carried, reuse: Reuse | None) -> KeptResults | None:
    """The results that a call may reuse: those from before a reset, which include those that the run itself reuses.

    Raises:
        PipelexError: the results cannot be read. After a reset, encrypted events are no error: the results from before
            the reset are not reused.
    """
    if carried.earlier is None:
        return await deployment.kept.of(reuse)
    try:
        return await deployment.kept.of(Reuse.model_validate(carried.earlier))
    except PipelexError as unreadable:
        if unreadable.code != _ENCRYPTED:
            raise
        return await deployment.kept.of(reuse)


async def _read(kind: EffectKind[Any, Any], deployment: Deployment, carried: Carried) -> tuple[Any, bytes]:
    """The job, with its large inputs, and the crate that it needs."""
    values = deployment.values
    job: Any = kind.job.model_validate(await values.value(carried.job))
    if carried.large is not None:
        found = {name: await values.value(each) for name, each in carried.large.items()}
        job = whole(job, LargeInputs.model_validate({"values": found}))
    return job, b"" if carried.crate is None else await values.data(carried.crate)


@dataclass(frozen=True)
class _KeptAfterwards:
    """Keeps nothing: `CarriedValues.carried` stores a large result later, in the same attempt."""

    stored_above: int | None

    async def keep(self, result: Wire) -> None:
        """See `pipelex.temporal.worker.attempts.Keeping`."""
        del result


def _failed(report: ErrorReport) -> Arguments:
    return {"state": RunState.FAILED.value, "error": report.without_folders().to_json(), "usage": list(report.usage)}


# --- values -----------------------------------------------------------------------------------------------------------


async def _reported(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except PipelexError as failed:
        raise to_application_error(failed.report, may_retry=True) from None


async def _put_value(digest: str) -> Arguments:
    return await _reported(_put(digest))


async def _put(digest: str) -> Arguments:
    data = HANDS.held_out(digest)
    stored = await served().values.put(data)
    HANDS.keep(stored, data)
    return reference_to(stored)


async def _get_value(reference: Arguments) -> bool:
    stored = stored_in(reference)
    if stored is None:
        return False
    await _reported(HANDS.bring(stored))
    return True


async def _prepare(pipe: str, run_id: str, inputs: Arguments) -> Arguments:
    return await _reported(_carried(pipe, run_id, inputs))


async def _carried(pipe: str, run_id: str, inputs: Arguments) -> Arguments:
    deployment = served()
    found: Carried = await prepared(deployment, pipe, run_id, inputs)
    return await deployment.values.carried(written(found.to_json()))
