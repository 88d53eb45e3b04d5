"""Sentences for people about a run that was asked to end, or that had ended before."""

from datetime import timedelta
from typing import Final

from pipelex.orchestration import RunState

AFTER_INTERRUPT: Final = timedelta(seconds=5)
"""The time that an interrupted command waits for the end of the run it cancels."""


def ending_text(run_id: str, state: RunState) -> str:
    """A sentence for people about a run that was asked to end.

    Args:
        run_id: the run.
        state: the last state that was seen.
    """
    match state:
        case RunState.CANCELLED:
            return f"Run {run_id} is cancelled."
        case RunState.RUNNING:
            return (
                f"Run {run_id} was asked to end but has not ended yet: nothing new starts, and calls under way "
                f"are allowed to finish. See: pipelex runs show {run_id}"
            )
        case _:
            return f"Run {run_id} was asked to end, but had already ended: {state.words}."


def detached_text(run_id: str, found: RunState | None, note: str | None) -> str:
    """The message to a user who starts a run and does not wait for it.

    Args:
        run_id: the run.
        found: the state of an earlier run that was found under the id; None if a new run was started.
        note: one sentence about the run that was found.
    """
    match found:
        case None | RunState.RUNNING:
            return f"{note or 'Started.'} Follow it with: pipelex runs watch {run_id}"
        case RunState.COMPLETED:
            return f"Run '{run_id}' has already completed. Get its result: pipelex runs result {run_id}"
        case _:
            return note or f"Run '{run_id}' has ended: {found.words}."
