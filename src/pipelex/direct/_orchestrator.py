"""Runs of this process behind the port of orchestrators."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from pipelex.direct._background import BackgroundRun
from pipelex.direct._records import RunRecord, RunRecords
from pipelex.direct._run import DirectRun
from pipelex.orchestration import (
    IN_PROCESS,
    OrchestratorSetup,
    ReadinessCheck,
    RunDescription,
    RunFilter,
    RunRequest,
    RunState,
    StartedRun,
)
from pipelex.orchestration.refusals import id_is_taken, note_on, unsupported
from pipelex.orchestration.wiring import retry_of, storage_of

_ELSEWHERE: Final = "in-process runs are known only to the process that started them"
_DURABLE: Final = "Start the run on a durable orchestrator to find it from anywhere: pipelex run … --durable"


class DirectOrchestrator:
    """Runs methods in this process; see `Orchestrator`. What it runs ends with the process."""

    name = IN_PROCESS
    is_durable = False
    worker_command = None

    def __init__(self, setup: OrchestratorSetup) -> None:
        self._setup = setup
        self._records = RunRecords(partial(storage_of, setup.settings))
        self._runs: WeakValueDictionary[str, BackgroundRun] = WeakValueDictionary()
        """Those that go on, and those that somebody holds."""

    async def connect(self) -> None:
        """There is nothing to reach."""

    async def start(self, request: RunRequest) -> StartedRun:
        """See `Orchestrator.start`."""
        run_id, job = request.identity.run_id, request.digest
        known = self._runs.get(run_id)
        if known is not None:
            return await _again(known, job)
        keeps = request.is_named and request.options.mode != "dry"
        record = await self._records.find(run_id) if keeps else None
        if record is not None and record.job != job:
            raise id_is_taken(run_id)
        keep = partial(self._keep, run_id) if keeps else _forget
        run = BackgroundRun(request, job, partial(self._prepared, request), keep)
        # Another start of the same id may have been made while the record was looked for.
        known = self._runs.setdefault(run_id, run)
        if known is not run:
            return await _again(known, job)
        if record is not None and record.execution is not None:
            run.recall(record)
            return _found(run)
        run.begin()
        return StartedRun(run, note=None if record is None else _note(run, record.state))

    async def _keep(self, run_id: str, record: RunRecord) -> None:
        await self._records.keep(run_id, record)

    def _prepared(self, request: RunRequest) -> DirectRun:
        options = request.options
        if options.mode != "dry" and request.library.crate.files:
            self._setup.inference().trees.add(*request.trees)
        return DirectRun(
            request.library,
            self._setup.inference,
            request.identity,
            options,
            retry=retry_of(self._setup.settings),
            on_change=request.on_change,
        )

    async def attach(self, run_id: str) -> BackgroundRun:
        """See `Orchestrator.attach`; runs of other processes are not found."""
        known = self._runs.get(run_id)
        if known is None:
            raise unsupported("attach", f"run '{run_id}' is not one of this process: {_ELSEWHERE}", _DURABLE)
        return known

    async def list(self, wanted: RunFilter) -> "list[RunDescription]":
        """See `Orchestrator.list`."""
        raise unsupported("list", _ELSEWHERE, _DURABLE)

    async def check_workers(self, within: timedelta) -> None:
        """This process does the work itself."""

    async def check(self) -> "list[ReadinessCheck]":
        """See `Orchestrator.check`."""
        return [ReadinessCheck(self.name, "runs in this process")]

    async def aclose(self) -> None:
        """Cancel what still runs, and await its end."""
        going = [run for run in self._runs.values() if not run.state.has_ended]
        for run in going:
            await run.cancel()
        await asyncio.gather(*(run.ended(timedelta(days=1)) for run in going))


async def _forget(record: RunRecord) -> None:
    """Keep nothing of a run whose id is new whenever it is started."""


async def _again(known: BackgroundRun, job: str) -> StartedRun:
    """The outcome of starting a run that this process knows."""
    if known.job != job:
        raise id_is_taken(known.run_id)
    state = known.state
    if state in (RunState.RUNNING, RunState.COMPLETED):
        return _found(known)
    await known.retry()
    return StartedRun(known, note=_note(known, state))


def _found(run: BackgroundRun) -> StartedRun:
    return StartedRun(run, run.state, _note(run, run.state))


def _note(run: BackgroundRun, state: RunState) -> str:
    return note_on(run.run_id, state, retry="It is run again.")
