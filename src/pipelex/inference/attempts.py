"""One attempt at an effect, made the same way for every orchestrator."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from pipelex.inference.calls.kept import KeptSource
from pipelex.inference.calls.ledger import CallLedger
from pipelex.inference.calls.logical import logical_call
from pipelex.library import Library
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.wire import Wire

R = TypeVar("R", bound=Wire)


class EffectPerformer:
    """Performs effects in this process, one attempt at a time.

    Args:
        performers: returns this process's performers by activity name; called when the first performer is needed.
    """

    def __init__(self, performers: Callable[[], Mapping[str, Callable[[Any], Awaitable[Any]]]]) -> None:
        self._open_performers = performers

    @cached_property
    def _performers(self) -> Mapping[str, Callable[[Any], Awaitable[Any]]]:
        return self._open_performers()

    async def attempt(
        self,
        kind: EffectKind[Any, R],
        job: Any,
        *,
        call: str,
        library: Callable[[], Library],
        ledger: CallLedger | None = None,
        kept: KeptSource | None = None,
        place: str = "",
        seconds: float | None = None,
    ) -> R:
        """Make one attempt at an effect, or reuse the result that an earlier run kept.

        Args:
            kind: the kind of the effect.
            job: the job.
            call: the id of the logical call, the same in all its attempts and in no other call.
            library: returns the library of the run, for an effect that is computed from it.
            ledger: the ledger of the call's earlier attempts, which this attempt adds to; a new one when None.
            kept: the results of an earlier run, which are reused for equal jobs; None when there are none.
            place: the place of the job in the run; see `KeptSource.find`.
            seconds: the orchestrator's time limit for the attempt, in seconds; None when it sets no limit.

        Raises:
            PipelexError: the attempt failed.
        """
        if kind.compute is not None:
            return await asyncio.to_thread(kind.compute, library(), job)
        found = None if kept is None else await kept.find(kind, job, place)
        if found is not None:
            return found
        with logical_call(call, ledger, seconds):
            return await self._performers[kind.activity](job)
