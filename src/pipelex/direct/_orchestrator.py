"""The implementation of the orchestrator port for runs in this process."""

import asyncio
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from pipelex.config.trust import require_trust
from pipelex.direct._background import BackgroundRun
from pipelex.direct._records import RunRecord, RunRecords
from pipelex.direct._run import DirectRun
from pipelex.direct.records import RecordedRun, RecordFolder
from pipelex.direct.records.kept import kept_results
from pipelex.orchestration import (
    IN_PROCESS,
    OrchestratedRun,
    OrchestratorSetup,
    ReadinessCheck,
    RunDescription,
    RunFilter,
    RunRequest,
    RunState,
    StartedRun,
)
from pipelex.orchestration.refusals import id_is_taken, no_such_run, note_on
from pipelex.orchestration.wiring import retry_of, storage_of

if TYPE_CHECKING:
    from pipelex.inference.calls.kept import KeptSource

_PLACE: Final = "the records of this machine"


class DirectOrchestrator:
    """Runs methods in this process; see `Orchestrator`. Its runs end with the process, and leave records."""

    name = IN_PROCESS
    is_durable = False
    worker_command = None

    def __init__(self, setup: OrchestratorSetup) -> None:
        self._setup = setup
        self._records = RunRecords(partial(storage_of, setup.settings))
        wanted = setup.settings.runtime.run_records
        self._folder = RecordFolder(Path(setup.settings.home_dir) / "runs", wanted.max_runs)
        self._is_recorded = wanted.is_enabled
        self._runs: WeakValueDictionary[str, BackgroundRun] = WeakValueDictionary()
        """The runs that are running, and those to which a reference is held."""

    async def connect(self) -> None:
        """Do nothing: there is nothing to reach."""

    async def start(self, request: RunRequest) -> StartedRun:
        """See `Orchestrator.start`."""
        run_id, job = request.identity.run_id, request.digest
        known = self._runs.get(run_id)
        if known is not None:
            return await _again(known, job)
        is_live = request.options.mode != "dry"
        keeps = request.is_named and is_live
        record = await self._records.find(run_id) if keeps else None
        if record is not None and record.job != job:
            raise id_is_taken(run_id)
        run = self._run(request, job, keeps=keeps, is_recorded=is_live and self._is_recorded)
        kept = await self._kept(request, is_again=record is not None)
        # Another start may have used the same id while the record was looked up.
        known = self._runs.setdefault(run_id, run)
        if known is not run:
            return await _again(known, job)
        if record is not None and record.execution is not None:
            run.recall(record)
            return _found(run)
        run.begin(kept)
        return StartedRun(run, note=None if record is None else _note(run, record.state))

    def _run(self, request: RunRequest, job: str, *, keeps: bool, is_recorded: bool) -> BackgroundRun:
        keep = partial(self._keep, request.identity.run_id) if keeps else _forget
        prepare = partial(self._prepared, request, is_recorded)
        return BackgroundRun(request, job, prepare, keep, self._folder if is_recorded else None)

    async def _kept(self, request: RunRequest, *, is_again: bool) -> "KeptSource | None":
        """The results that a run reuses: those of the run that it replays, or its own from before it failed."""
        reuse = request.options.reuse
        if reuse is None:
            return await self._kept_of(request.identity.run_id, None) if is_again else None
        known = self._runs.get(reuse.run_id)
        return await known.kept(reuse.start_over) if known else await self._kept_of(reuse.run_id, reuse.start_over)

    async def _kept_of(self, run_id: str, start_over: str | None) -> "KeptSource":
        traces = await asyncio.to_thread(self._folder.traces, run_id)
        return kept_results(run_id, traces, start_over)

    async def _keep(self, run_id: str, record: RunRecord) -> None:
        await self._records.keep(run_id, record)

    def _prepared(self, request: RunRequest, is_recorded: bool, kept: "KeptSource | None") -> DirectRun:
        options = request.options
        if options.mode != "dry" and request.library.crate.files:
            trees = self._setup.inference().trees
            trees.add(*request.trees)
            for folder in request.folders:
                trees.add_folder(folder)
        return DirectRun(
            request.library,
            self._setup.inference,
            request.identity,
            options,
            retry=retry_of(self._setup.settings),
            on_change=request.on_change,
            kept=kept,
            keeps_values=is_recorded,
        )

    async def attach(self, run_id: str) -> OrchestratedRun:
        """See `Orchestrator.attach`; a run of another process is known by its record."""
        known = self._runs.get(run_id)
        if known is not None:
            return known
        if self._folder.facts(run_id) is None:
            raise no_such_run(run_id, f"{_PLACE} ({self._folder.root})")
        return RecordedRun(self._folder, run_id, partial(self._take_up, run_id))

    async def _take_up(self, run_id: str, start_over: str | None) -> OrchestratedRun:
        """Run a recorded run again, under its id and on the same inputs."""
        require_trust(self._setup.settings.demands)
        recorded = RecordedRun(self._folder, run_id, partial(self._take_up, run_id))
        request = (await recorded.source()).request(reuse=await recorded.reuse(start_over))
        run = self._run(request, request.digest, keeps=False, is_recorded=True)
        kept = await recorded.kept(start_over)
        self._runs[run_id] = run
        run.begin(kept)
        return run

    async def list(self, wanted: RunFilter) -> "list[RunDescription]":
        """See `Orchestrator.list`; only runs with a record are listed."""
        found = (facts.description for facts in self._folder.newest())
        return list(islice(filter(wanted.takes, found), wanted.limit))

    async def check_workers(self, within: timedelta) -> None:
        """Do nothing: this process does the work itself."""

    async def check(self) -> "list[ReadinessCheck]":
        """See `Orchestrator.check`."""
        return [ReadinessCheck(self.name, "runs in this process")]

    async def aclose(self) -> None:
        """Cancel the runs that are still running, and wait for their end."""
        going = [run for run in self._runs.values() if not run.state.has_ended]
        for run in going:
            await run.cancel()
        await asyncio.gather(*(run.ended(timedelta(days=1)) for run in going))


async def _forget(record: RunRecord) -> None:
    """Keep no record of a run whose id was not chosen by the caller."""


async def _again(known: BackgroundRun, job: str) -> StartedRun:
    """The outcome of a start whose id belongs to a run that this process knows."""
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
