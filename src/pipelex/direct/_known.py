"""Caches the results of a dry run's pipes: with made-up effects, equal calls have equal results and run only once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes import Execution
from pipelex.pipes.calls import PipeCall

SHARED_FROM: Final = 200
"""The number of pipe runs after which results are shared. Up to then every pipe runs, so that the trace of a run of
ordinary size shows all of them."""

TOO_LONG: Final = "run.timed_out"
"""The error code of a dry run that is abandoned."""

_MOST_KEPT: Final = 10_000
_RUNS_AT_A_STRETCH: Final = 32
"""The number of pipe runs between two pauses. A dry run never waits, so without pauses no time limit could end it."""


class KnownExecutions:
    """The executions of one dry run, by their calls.

    Args:
        most: the most pipes that may run; None for no limit.
    """

    def __init__(self, most: int | None) -> None:
        self._left = most
        self._by_call: dict[str, Execution] = {}
        self._begun = 0

    async def execution(self, call: PipeCall, execute: Callable[[], Awaitable[Execution]]) -> Execution:
        """The result of an equal earlier call, or else of this call.

        Raises:
            PipelexError: `TOO_LONG` if too many pipes have already run, or any error of the execution.
        """
        self._begun += 1
        if self._begun % _RUNS_AT_A_STRETCH == 0:
            await asyncio.sleep(0)
        key = call.model_copy(update={"path": ()}).model_dump_json()
        known = self._by_call.get(key) if self._begun > SHARED_FROM else None
        if known is not None:
            return known
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise PipelexError(TOO_LONG, "the dry run takes too long", category=ErrorCategory.CAPACITY)
        execution = await execute()
        if len(self._by_call) < _MOST_KEPT:
            self._by_call[key] = execution
        return execution
