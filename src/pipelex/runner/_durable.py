"""Runs on Temporal as the public API offers them. Imported only where durable execution is used."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelex.config import Settings
from pipelex.content.stuff import WorkingMemory
from pipelex.library import Library
from pipelex.pipes.calls import PipeCall, PipeOutcome, RunIdentity, RunOptions
from pipelex.pipes.trace import PipeTrace
from pipelex.runner._result import RunResult, result_of
from pipelex.runner._telemetry import start_telemetry
from pipelex.temporal.client.connect import connect
from pipelex.temporal.client.history import read_trace
from pipelex.temporal.client.submit import ENVIRONMENT_PREFIXES, DurableRun, Submitter
from pipelex.temporal.codec import data_converter
from pipelex.temporal.config import TemporalConfig, connection

if TYPE_CHECKING:
    from temporalio.client import Client


@dataclass(frozen=True)
class Durable:
    """A connection to the configured Temporal cluster."""

    submitter: Submitter

    @classmethod
    async def connect(cls, settings: Settings, config: TemporalConfig) -> "Durable":
        """Connect to the selected server.

        Raises:
            PipelexError: nothing answers, the credentials are refused, or there is no such namespace.
        """
        start_telemetry(settings)
        target = connection(config, settings)
        client = await connect(target, data_converter(config, settings, target))
        prefix = ENVIRONMENT_PREFIXES.get(settings.environment or "", "")
        return cls(Submitter(client, config, id_prefix=prefix))

    @property
    def client(self) -> "Client":
        return self.submitter.client

    async def start(self, library: Library, call: PipeCall, run: RunIdentity, options: RunOptions) -> "RunHandle":
        """Start a run, or attach to the one that already has its id."""
        durable = await self.submitter.start(library, call, run, options)
        return RunHandle(durable, call.pipe, call)

    async def attach(self, run_id: str) -> "RunHandle":
        """A run that was started before.

        Raises:
            PipelexError: there is no such run.
        """
        durable = self.submitter.attach(run_id)
        return RunHandle(durable, await durable.entry_pipe())


@dataclass(frozen=True)
class RunHandle:
    """A run on Temporal that can be waited for, watched and cancelled, from any process."""

    durable: DurableRun
    pipe: str = ""
    """The entry pipe, domain-qualified where the run's search attributes tell its domain."""
    call: PipeCall | None = None

    @property
    def run_id(self) -> str:
        return self.durable.run_id

    @property
    def workflow_id(self) -> str:
        return self.durable.workflow_id

    async def result(self, *, full_memory: bool = False) -> RunResult:
        """Wait for the run's end.

        Args:
            full_memory: also ask a worker for everything the entry pipe's memory held.

        Raises:
            PipelexError: the run failed, was cancelled or timed out.
        """
        outcome: PipeOutcome = await self.durable.result()
        memory = WorkingMemory(root=dict(self.call.inputs) if self.call is not None else {})
        if full_memory:
            memory = await self.durable.working_memory() or memory
        return result_of(self.run_id, self.pipe, outcome, memory, None)

    async def status(self) -> str:
        """`RUNNING`, `COMPLETED`, `FAILED`, `CANCELED`, `TERMINATED` or `TIMED_OUT`."""
        return (await self.durable.status()).name

    async def trace(self) -> PipeTrace:
        """The tree of pipes and effects so far, read from the server."""
        return await read_trace(self.durable.client, self.workflow_id)

    async def cancel(self) -> None:
        """Ask the run to end; it ends when its children and activities did."""
        await self.durable.cancel()
