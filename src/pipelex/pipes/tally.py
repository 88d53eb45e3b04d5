"""Limits the pipe runs of a run, because a method of a few lines may ask for far more than its author means."""

from typing import Final

from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.library import Library

TOO_MANY: Final = "pipe.stack_overflow"


class RunTally:
    """Counts the pipe runs of a pipe and everything below it.

    Args:
        limit: the maximum number; see `RunOptions.max_pipe_runs`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.total = 0

    def add(self, runs: int) -> None:
        """Count further runs.

        Raises:
            PipelexError: there are more than the limit.
        """
        self.total += runs
        if self.total > self._limit:
            raise _too_many(f"a run may run {self._limit:,} pipes, and this one asks for more", self._limit)

    def expect(self, library: Library, pipe: str, times: int = 1) -> None:
        """Refuse to start pipe runs that cannot end within the limit.

        Raises:
            PipelexError: running the pipe that many times takes more pipe runs than the limit.
        """
        least = times * library.least_runs(pipe)
        if self.total + least > self._limit:
            culprit = _innermost(library, pipe, self._limit) if times == 1 else pipe
            raise _too_many(
                f"pipe '{culprit}' runs {_told(times * library.least_runs(culprit))} pipes; a run may run"
                f" {self._limit:,}",
                self._limit,
                pipe=culprit,
            )


def _innermost(library: Library, pipe: str, limit: int) -> str:
    """The innermost pipe that alone exceeds the limit."""
    while (below := next((ref for ref in library.callees(pipe) if library.least_runs(ref) > limit), None)) is not None:
        pipe = below
    return pipe


def _told(count: int) -> str:
    return f"{count:,}" if count < 10**12 else "more than a million million"


def _too_many(detail: str, limit: int, pipe: str | None = None) -> PipelexError:
    return PipelexError(
        TOO_MANY,
        detail,
        category=ErrorCategory.CAPACITY,
        params={"limit": limit},
        location=Location(pipe=pipe),
        advice="Check whether pipes run each other more often than you meant; if not, raise 'max_pipe_runs' in"
        " [interpreter.pipeline_execution].",
    )
