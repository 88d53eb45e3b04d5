"""Writes the record of one run while it is running."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

from pipelex.content.measure import text_size
from pipelex.direct.records.folder import RecordedFacts, RecordFolder
from pipelex.direct.records.journal import Journal
from pipelex.orchestration import RunSource, Wait
from pipelex.pipes import Execution

SHORT: Final = 0.25
"""A run that ends within so many seconds is recorded only at its end, because writing two more files would take as long
as such a run."""

SOON: Final = 0.05
"""The most seconds from an answer until it is on disk; answers in quick succession are written together."""

_WAITS: Final = 20
"""The most waits that are recorded; the items of a large batch all wait for the same few things."""

_SMALL: Final = 16_384
"""The most characters in the values of a run whose record is written without a thread of its own."""


class Recording:
    """The record of a run from its start.

    An answer is written to the run's journal within `SOON`, and any other event within `SHORT`.

    Args:
        records: the folder of records.
        facts: the facts about the run.
        source: the source of the run.
        waits: returns the current waits of the run.
    """

    def __init__(self, records: RecordFolder, facts: RecordedFacts, source: RunSource, waits: Iterable[Wait]) -> None:
        self._records = records
        self._facts = facts
        self._source = source
        self._waits = waits
        self._telling: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[bool] | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(SHORT, self._begin)
        self._is_answered = False
        self.journal = Journal(self._happened)
        self._is_kept = False
        """Whether the journal can be written to."""
        self._writing: asyncio.TimerHandle | None = None
        self._written = 0.0
        """The time of the last write to the journal, by the event loop's clock."""
        self._left = b""
        """The lines that could not be written."""

    def _begin(self) -> None:
        self._begun = asyncio.ensure_future(asyncio.to_thread(self._records.begin, self._facts, self._source))
        self._begun.add_done_callback(self._open)

    # --- its journal --------------------------------------------------------------------------------------------------

    def _open(self, begun: asyncio.Future[bool]) -> None:
        self._is_kept = not begun.cancelled() and begun.exception() is None and begun.result()
        self._write()

    def _happened(self, is_answer: bool) -> None:
        if self._is_kept:
            now = self._loop.time()
            self._write_at(max(now, self._written + SOON) if is_answer else now + SHORT, now)
        elif is_answer and not self._is_answered and self._begun is None:
            self._is_answered = True
            self._begin_soon()

    def _begin_soon(self) -> None:
        at = self._loop.time() + SOON
        if at < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(at, self._begin)

    def _write_at(self, at: float, now: float) -> None:
        if at <= now:
            self._write()
        elif self._writing is None or self._writing.when() > at:
            self._write_no_more()
            self._writing = self._loop.call_at(at, self._write)

    def _write_no_more(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _write(self) -> None:
        self._write_no_more()
        if self._is_kept:
            self._written = self._loop.time()
            lines = self.journal.take()
            self._is_kept = self._records.append(self._facts.run_id, lines)
            self._left = b"" if self._is_kept else lines

    # --- its waits and its end ----------------------------------------------------------------------------------------

    def waits_changed(self) -> None:
        """Record the waits of the run soon, together with further changes, for other processes to show."""
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_waits())

    async def _tell_waits(self) -> None:
        await asyncio.sleep(SHORT)
        if self._begun is not None:
            await self._begun
        self._telling = None
        waits = list(islice(self._waits, _WAITS))
        await asyncio.to_thread(self._records.wait, self._facts.run_id, waits)

    async def end(self, facts: RecordedFacts, execution: Execution | None) -> None:
        """Record how the run ended.

        Args:
            facts: the facts about the run.
            execution: its outcome; None if it did not succeed.
        """
        self._timer.cancel()
        self._write_no_more()
        if self._telling is not None:
            self._telling.cancel()
        if self._begun is not None:
            await self._begun
        if self._begun is None and execution is not None and _is_small(execution):
            self._end(facts, execution)  # handing it to a thread would cost half as much as the writing itself
        else:
            await asyncio.to_thread(self._end, facts, execution)

    def _end(self, facts: RecordedFacts, execution: Execution | None) -> None:
        source = self._source if self._begun is None else None
        self._records.end(facts, self._left + self.journal.take(), execution, source)


def _is_small(execution: Execution) -> bool:
    return text_size((stuff.content for stuff in execution.memory.root.values()), most=_SMALL) <= _SMALL
