"""The record of one run under way."""

import asyncio
from typing import Final

from pipelex.direct.records.folder import RecordedFacts, RecordFolder
from pipelex.orchestration import RunSource
from pipelex.pipes import Execution
from pipelex.pipes.trace import PipeTrace

SHORT: Final = 0.25
"""Seconds. A run that ends within them is recorded once, at its end: for a call that is answered at once, two more files
would cost as much as the call."""


class Recording:
    """The record of a run, from its beginning on.

    Args:
        records: the folder of records.
        facts: what the run is.
        source: what it was started with.
    """

    def __init__(self, records: RecordFolder, facts: RecordedFacts, source: RunSource) -> None:
        self._records = records
        self._facts = facts
        self._source = source
        self._begun: asyncio.Future[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(SHORT, self._begin)

    def _begin(self) -> None:
        self._begun = asyncio.ensure_future(asyncio.to_thread(self._records.begin, self._facts, self._source))

    async def end(self, facts: RecordedFacts, trace: PipeTrace | None, execution: Execution | None) -> None:
        """Record how the run ended.

        Args:
            facts: what the run is.
            trace: what it did.
            execution: what it gave.
        """
        self._timer.cancel()
        if self._begun is not None:
            await self._begun
        source = self._source if self._begun is None else None
        await asyncio.to_thread(self._records.end, facts, trace, execution, source)
