"""Errors that every orchestrator raises in the same words."""

from typing import Final

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.trace import RunState

RUN_ID_BYTES: Final = 128
"""The maximum length of a run's id, in bytes. Ids and file names of its pipes begin with it, and are limited, too."""


class EngineUnavailable(PipelexError):
    """The engine cannot be reached or is not set up; a caller may wait for that to be fixed, and try again."""


def no_such_run(run_id: str, place: str) -> PipelexError:
    """The error for an id that no run has.

    Args:
        run_id: the id that was asked for.
        place: the place where runs were looked for, for example `namespace 'default'`.
    """
    return PipelexError(
        "run.not_found",
        f"there is no run '{run_id}' in {place}",
        params={"pipeline_run_id": run_id},
        category=ErrorCategory.CONTENT,
    )


def goes_on(run_id: str, *, detail: str | None = None, advice: str | None = None) -> PipelexError:
    """The error for an operation on a running run that needs a run that has ended.

    Args:
        run_id: the run.
        detail: the sentence to use instead of the default one.
        advice: the advice to use instead of waiting for the run.
    """
    return PipelexError(
        "run.not_finished",
        detail or f"run '{run_id}' is still running",
        category=ErrorCategory.TRANSIENT,
        params={"pipeline_run_id": run_id},
        advice=advice or f"Wait for it with: pipelex runs watch {run_id}",
    )


def has_ended(run_id: str, state: RunState, detail: str | None = None) -> PipelexError:
    """The error for an operation on an ended run that needs a running one.

    Args:
        run_id: the run.
        state: the state in which the run ended.
        detail: the sentence to use instead of the default one.
    """
    return PipelexError(
        "run.already_ended",
        detail or f"run '{run_id}' has ended already: {state.words}",
        category=ErrorCategory.CONTENT,
        params={"pipeline_run_id": run_id, "run_status": state.value},
    )


def nothing_to_retry(run_id: str, state: RunState) -> PipelexError:
    """The error for a retry of a run that succeeded."""
    return has_ended(run_id, state, f"run '{run_id}' succeeded: there is nothing to retry")


def is_cancelled(run_id: str, detail: str | None = None) -> PipelexError:
    """The error of a run that was cancelled.

    Args:
        run_id: the run.
        detail: the sentence to use instead of the default one, if the run ended for another reason.
    """
    return PipelexError("run.cancelled", detail or f"run '{run_id}' was cancelled", advice=continuing(run_id))


def continuing(run_id: str) -> str:
    """The advice for a run that somebody ended."""
    return f"Continue it with the results that it already has: pipelex runs retry {run_id}"


def id_is_taken(run_id: str) -> PipelexError:
    """The error for a start whose id belongs to a run with another job."""
    return PipelexError(
        "request.idempotency_conflict",
        f"the run id '{run_id}' belongs to a run of another method, with other inputs or with other options",
        category=ErrorCategory.CONTENT,
        advice="Give another run id, or none; or attach to that run with the same method, pipe, inputs and options.",
    )


def note_on(run_id: str, found: RunState, *, retry: str) -> str:
    """A sentence about an earlier run with the same id and job that a start found.

    Args:
        run_id: the run.
        found: the state of the run.
        retry: a sentence that says how to continue the run if it did not succeed.
    """
    match found:
        case RunState.RUNNING:
            return f"Run '{run_id}' is already running; attached to it."
        case RunState.COMPLETED:
            return f"Run '{run_id}' has already completed; this is its result."
        case _:
            return f"Run '{run_id}' already exists and did not succeed ({found.words}). {retry}"


def unsupported(capability: str, detail: str, advice: str | None = None) -> PipelexError:
    """The error for something that an orchestrator does not support.

    Args:
        capability: the missing capability, in one or two words.
        detail: one sentence that says what the orchestrator cannot do.
        advice: the advice.
    """
    return PipelexError(
        "runtime.unsupported",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"capability": capability},
        advice=advice,
    )


def check_run_id(run_id: str) -> None:
    """Refuse an id that no run can have.

    Raises:
        PipelexError: the id is empty, is longer than `RUN_ID_BYTES`, or contains control characters or a `/`,
            which separates the ids of a run and its pipes.
    """
    size = len(run_id.encode(errors="replace"))
    if not run_id.strip() or size > RUN_ID_BYTES:
        what = "is empty" if size <= RUN_ID_BYTES else f"has {size:,} bytes, and may have {RUN_ID_BYTES}"
    elif not run_id.isprintable():
        what = "has control characters"
    elif "/" in run_id:
        what = "has a '/', which stands between the ids of a run and of its pipes"
    else:
        return
    raise PipelexError(
        "request.invalid",
        f"the run id {_shown(run_id)} {what}",
        category=ErrorCategory.CONTENT,
        params={"field": "run_id"},
        advice=f"Give a run id of at most {RUN_ID_BYTES} bytes without '/', or none: Pipelex makes one.",
    )


def _shown(run_id: str) -> str:
    return repr(run_id if len(run_id) <= 40 else f"{run_id[:40]}…")
