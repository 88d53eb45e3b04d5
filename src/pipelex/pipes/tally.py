"""The limit of pipe runs in a run: a method of a few lines may ask for more of them than anybody means."""

from typing import Final

from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.library import Library

TOO_MANY: Final = "pipe.stack_overflow"


class RunTally:
    """The pipe runs of a pipe and of everything below it so far.

    Args:
        limit: the most of them; `RunOptions.max_pipe_runs`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.total = 0

    def add(self, runs: int) -> None:
        """Count further runs.

        Raises:
            PipelexError: they are more than there may be.
        """
        self.total += runs
        if self.total > self._limit:
            raise _too_many(f"a run may run {self._limit:,} pipes, and this one asks for more", self._limit)

    def expect(self, library: Library, pipe: str, times: int = 1) -> None:
        """Refuse to begin what cannot end within the limit.

        Raises:
            PipelexError: running the pipe so many times takes more pipe runs than there may be.
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
    """The pipe deepest down that alone is too much: it is where the doubling ends."""
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
