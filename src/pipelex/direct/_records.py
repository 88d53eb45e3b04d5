"""Records of in-process runs whose id the caller chose, so that the same id always means the same run."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelex.content.stuff import WorkingMemory
from pipelex.errors import PipelexError
from pipelex.pipes import Execution
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.trace import RunState
from pipelex.storage import Storage

logger = logging.getLogger("pipelex.direct")


@dataclass(frozen=True)
class RunRecord:
    """A run that was begun under an id."""

    job: str
    """The digest of the request."""
    started: datetime
    ended: datetime | None = None
    """The time when the run ended; None if it is running elsewhere, or if its process ended before the run did."""
    execution: Execution | None = None
    """The outcome of the run; None if it has not succeeded."""

    @property
    def state(self) -> RunState:
        """The state of the run, as far as it was recorded."""
        if self.execution is not None:
            return RunState.COMPLETED
        return RunState.CANCELLED if self.ended is None else RunState.FAILED


@dataclass(frozen=True)
class RunRecords:
    """The records of runs in a storage.

    They must never make a run fail: an unreadable record counts as missing, and a failure to write is only logged.
    """

    open_storage: Callable[[], Storage]

    async def find(self, run_id: str) -> RunRecord | None:
        """The record of a run; None if there is none."""
        try:
            written = await self.open_storage().kept(_name(run_id))
            return None if written is None else _read(json.loads(written))
        except (PipelexError, ValueError, KeyError, TypeError) as failed:
            logger.warning("The record of run '%s' cannot be read, and is not used: %s", run_id, failed)
            return None

    async def keep(self, run_id: str, record: RunRecord) -> None:
        """Store a record, and replace an earlier one of the same run."""
        try:
            await self.open_storage().keep(_name(run_id), json.dumps(_write(record)).encode())
        except PipelexError as failed:
            logger.warning("The record of run '%s' is not kept: %s", run_id, failed)


def _write(record: RunRecord) -> dict[str, Any]:
    written: dict[str, Any] = {"job": record.job, "started": record.started.isoformat()}
    if record.ended is not None:
        written["ended"] = record.ended.isoformat()
    if record.execution is not None:
        written["outcome"] = record.execution.outcome.model_dump(mode="json", exclude_unset=True)
        written["memory"] = record.execution.memory.to_json()
    return written


def _read(written: dict[str, Any]) -> RunRecord:
    execution = None
    if "outcome" in written:
        outcome = PipeOutcome.model_validate(written["outcome"])
        execution = Execution(outcome, WorkingMemory.from_json(written["memory"]))
    ended = written.get("ended")
    return RunRecord(
        written["job"],
        datetime.fromisoformat(written["started"]).astimezone(UTC),
        None if ended is None else datetime.fromisoformat(ended).astimezone(UTC),
        execution,
    )


def _name(run_id: str) -> str:
    """The name under which a record is kept; the names are spread over subfolders for local stores."""
    digest = hashlib.sha256(run_id.encode()).hexdigest()
    return f"runs/{digest[:2]}/{digest[2:]}.json"
