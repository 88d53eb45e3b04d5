"""The results of an earlier run, found by their job; a replay takes them instead of paying again."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from pipelex.inference.calls.logical import digest
from pipelex.pipes.calls import Reuse
from pipelex.pipes.effects.jobs import kept_from
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.wire import Wire

R = TypeVar("R", bound=Wire)

MOST_GENERATIONS: Final = 20
"""The maximum number of runs that are searched, when a run has itself taken results of an earlier one."""
_MOST_TABLES: Final = 4
"""The number of runs whose results a process holds at a time."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One result of an earlier run."""

    job: str
    """The digest of the job; see `pipelex.inference.calls.logical.digest`."""
    place: str
    """The place of the job in the run: the path of the pipe, its steps joined by slashes."""
    read: "Callable[[type[Wire]], Awaitable[Wire]]"
    """Reads the result, as the given type."""


class KeptSource(Protocol):
    """A source of the results of an earlier run."""

    async def find(self, kind: EffectKind[Any, R], job: Wire, place: str) -> R | None:
        """The result of an equal job; None when there is none.

        Args:
            kind: the kind of the effect.
            job: the job.
            place: the place of the job in the run; of several equal jobs, the one of the same place is preferred.
        """
        ...


class KeptResults:
    """Results of one run.

    Args:
        run_id: the run.
        results: its results, in the order of their jobs.
        older: the results of the earlier run from which this run took some, searched when this run has none.
    """

    def __init__(self, run_id: str, results: Iterable[Kept], older: KeptSource | None = None) -> None:
        self.run_id = run_id
        self._older = older
        self._by_job: dict[str, list[Kept]] = {}
        for each in results:
            self._by_job.setdefault(each.job, []).append(each)

    async def find(self, kind: EffectKind[Any, R], job: Wire, place: str) -> R | None:
        """See `KeptSource.find`; the result says which run paid for it."""
        equal = self._by_job.get(digest(kind.activity, job))
        if equal is None:
            return None if self._older is None else await self._older.find(kind, job, place)
        chosen = next((each for each in equal if each.place == place), equal[0])
        result = await chosen.read(kind.result)
        marked = result.model_copy(update={"kept_from": kept_from(result) or self.run_id})
        return marked if isinstance(marked, kind.result) else None


class KeptTables:
    """The results of the runs that are replayed on this worker; each run is read once.

    Args:
        read: reads the results of a run.
    """

    def __init__(self, read: Callable[[Reuse], Coroutine[Any, Any, KeptResults]]) -> None:
        self._read = read
        self._tables: OrderedDict[str, asyncio.Task[KeptResults]] = OrderedDict()

    async def of(self, reuse: Reuse | None) -> KeptResults | None:
        """The results of a run; None when none are to be reused.

        Args:
            reuse: the run whose results are reused.

        Raises:
            PipelexError: the results cannot be read.
        """
        if reuse is None:
            return None
        key = reuse.model_dump_json()
        task = self._tables.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._tables[key] = asyncio.create_task(self._read(reuse))
            while len(self._tables) > _MOST_TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return await asyncio.shield(task)  # a cancelled attempt must not cancel the reading for others
