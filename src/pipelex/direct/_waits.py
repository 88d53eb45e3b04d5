"""The calls of an in-process run that failed and wait to be retried."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from pipelex.inference.calls.retry import Pause
from pipelex.orchestration import Wait, WaitKind
from pipelex.orchestration.runs import failed_call
from pipelex.pipes.trace import EffectTrace


class Waits:
    """The current waits of one run.

    Args:
        most_failures: the number of failures after which a call fails the run.
    """

    def __init__(self, most_failures: int) -> None:
        self._most_failures = most_failures
        self._found: dict[int, Wait] = {}
        self.on_change: Callable[[], None] | None = None
        """Called whenever a wait has begun or ended."""

    def __iter__(self) -> Iterator[Wait]:
        return iter(tuple(self._found.values()))

    def begin(self, pipe: str, effect: EffectTrace, pause: Pause) -> None:
        """Note that a call pauses before its next attempt.

        Args:
            pipe: the id of the pipe run that asks for it.
            effect: the trace of the call.
            pause: the pause before its next attempt.
        """
        report = pause.report
        effect.until = datetime.now(UTC) + timedelta(seconds=pause.seconds)
        self._found[id(effect)] = Wait(
            WaitKind.CALL_FAILS,
            pipe,
            effect.name,
            failed_call(effect.name, pipe, report),
            report.advice,
            attempt=effect.attempts + 1,
            until=effect.until,
            failures=pause.failures,
            most_failures=self._most_failures,
            report=report,
        )
        self._changed()

    def end(self, effect: EffectTrace) -> None:
        """Note that a call no longer waits, if it did."""
        effect.until = None
        if self._found.pop(id(effect), None) is not None:
            self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()
