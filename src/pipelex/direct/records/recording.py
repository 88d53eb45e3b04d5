"""The record of one run under way."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

from pipelex.direct.records.folder import RecordedFacts, RecordFolder
from pipelex.orchestration import RunSource, Wait
from pipelex.pipes import Execution
from pipelex.pipes.trace import PipeTrace

SHORT: Final = 0.25
"""Seconds. A run that ends within them is recorded once, at its end: for a call that is answered at once, two more files
would cost as much as the call."""

_WAITS: Final = 20
"""The number of waits that are recorded: a large batch waits for the same few things in all of its items."""


class Recording:
    """The record of a run, from its beginning on.

    Args:
        records: the folder of records.
        facts: what the run is.
        source: what it was started with.
        waits: the waits of the run, as they are whenever they are asked.
    """

    def __init__(self, records: RecordFolder, facts: RecordedFacts, source: RunSource, waits: Iterable[Wait]) -> None:
        self._records = records
        self._facts = facts
        self._source = source
        self._waits = waits
        self._telling: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(SHORT, self._begin)

    def _begin(self) -> None:
        self._begun = asyncio.ensure_future(asyncio.to_thread(self._records.begin, self._facts, self._source))

    def waits_changed(self) -> None:
        """Record the waits of the run soon, with what changes until then: other processes tell them."""
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_waits())

    async def _tell_waits(self) -> None:
        await asyncio.sleep(SHORT)
        if self._begun is not None:
            await self._begun
        self._telling = None
        waits = list(islice(self._waits, _WAITS))
        await asyncio.to_thread(self._records.wait, self._facts.run_id, waits)

    async def end(self, facts: RecordedFacts, trace: PipeTrace | None, execution: Execution | None) -> None:
        """Record how the run ended.

        Args:
            facts: what the run is.
            trace: what it did.
            execution: what it gave.
        """
        self._timer.cancel()
        if self._telling is not None:
            self._telling.cancel()
        if self._begun is not None:
            await self._begun
        source = self._source if self._begun is None else None
        await asyncio.to_thread(self._records.end, facts, trace, execution, source)
