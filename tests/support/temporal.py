"""What is behind a runtime or a run on Temporal, for tests and benchmarks that look at the server itself."""

import asyncio
from typing import Any

from temporalio.client import Client, WorkflowHandle

from pipelex.library import Library
from pipelex.orchestration import RunCounts, RunRequest
from pipelex.pipes.calls import PipeCall, PipeOutcome, RunIdentity, RunOptions
from pipelex.runner import Pipelex, RunHandle, new_run_id
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.orchestrator import TemporalOrchestrator
from pipelex.temporal.client.run import TemporalRun
from pipelex.temporal.config import TemporalConfig
from pipelex.temporal.factory import FACTORY


def config_of(app: Pipelex) -> TemporalConfig:
    """The `[temporal]` tables of a runtime."""
    return FACTORY.config_of(app.settings)


async def cluster_of(app: Pipelex) -> Cluster:
    """The connection of a runtime."""
    orchestrator = app.orchestrator
    assert isinstance(orchestrator, TemporalOrchestrator)
    return await orchestrator.cluster()


async def client_of(app: Pipelex) -> Client:
    """The connected client of a runtime."""
    return (await cluster_of(app)).client


def workflow_of(run: RunHandle) -> WorkflowHandle[Any, PipeOutcome]:
    """The entry workflow of a run."""
    found = run.run
    assert isinstance(found, TemporalRun)
    return found.handle


async def settled_counts(run: RunHandle) -> RunCounts:
    """The counts of an ended run's pipes; the server counts a workflow some time after it ended."""
    for _ in range(600):
        counts = await run.run.counts()
        if counts is not None and not counts.running:
            return counts
        await asyncio.sleep(0.05)
    raise AssertionError(f"the pipes of {run.run_id} still count as running")


async def start_call(
    app: Pipelex, library: Library, call: PipeCall, options: RunOptions, identity: RunIdentity | None = None
) -> RunHandle:
    """Start a run with options of one's own."""
    request = RunRequest(library, call, identity or RunIdentity(run_id=new_run_id()), options)
    started = await app.orchestrator.start(request)
    return RunHandle(app.orchestrator, started.run, call.pipe, call.inputs, started)
