"""The port for the outside of a run: the operations with which callers start, follow and end runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from pipelex.config import Settings
from pipelex.content.stuff import WorkingMemory
from pipelex.errors import Fault, PipelexError
from pipelex.orchestration.jobs import RunRequest, RunSource
from pipelex.orchestration.runs import PATIENCE, ReadinessCheck, RunCounts, RunDescription, RunFilter, Wait
from pipelex.pipes.calls import PipeOutcome, Reuse
from pipelex.pipes.trace import PipeTrace, RunState

if TYPE_CHECKING:
    from pipelex.inference import Inference
    from pipelex.inference.calls.kept import KeptSource


class OrchestratedRun(Protocol):
    """One run of an orchestrator, started here or elsewhere.

    Every method raises `run.not_found` if the run no longer exists, and `EngineUnavailable` if the engine does not
    answer.
    """

    @property
    def run_id(self) -> str:
        """The pipeline run id."""
        ...

    @property
    def workflow_id(self) -> str:
        """The engine's id of the entry pipe's run; in-process, the run's id."""
        ...

    async def describe(self) -> RunDescription:
        """The run's state, entry pipe and times."""
        ...

    async def result(self) -> PipeOutcome:
        """Wait for the run's end, and return its outcome.

        Raises:
            PipelexError: the run failed, was cancelled or terminated, or timed out.
        """
        ...

    async def ended(self, within: timedelta) -> RunState:
        """The state of the run once it has ended; `RUNNING` if it has not ended within the time."""
        ...

    async def working_memory(self) -> WorkingMemory | None:
        """The entry pipe's memory at the end of the run; None if it is not known."""
        ...

    async def trace(self, *, values: bool = False, ended: bool = True) -> PipeTrace:
        """The tree of pipes and effects as far as the run got.

        Args:
            values: whether to include inputs, outputs and prompts even if reading them takes extra requests.
            ended: whether to include the insides of pipes that have ended even if each takes a request. Running pipes
                are always included in full.
        """
        ...

    async def counts(self) -> RunCounts | None:
        """The number of pipes in each state, without reading the tree; None if the engine does not provide it."""
        ...

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """The waits of the run, each with its reason; empty if nothing holds the run up.

        Args:
            patience: the time that a task may spend in a queue before it counts as a wait.
        """
        ...

    async def cancel(self) -> None:
        """Ask the run to end: it starts nothing new, and cancels what is under way. See `ended`.

        Raises:
            PipelexError: the run has already ended.
        """
        ...

    async def terminate(self, reason: str) -> None:
        """End the run at once, whatever is under way.

        Raises:
            PipelexError: the run has already ended, or the orchestrator cannot terminate runs.
        """
        ...

    async def retry(self, start_over: str | None = None) -> "OrchestratedRun":
        """Continue an unsuccessful run from where it failed, under the same id.

        Nothing is paid for twice: in a batch, only the failed items run again. A run that left items out may be
        retried, too.

        Args:
            start_over: reference or code of the pipe to continue from. Its results, and those of everything after it,
                are discarded. If None, the run continues from where it failed.

        Returns:
            The continued run.

        Raises:
            PipelexError: the run is still running, has succeeded or never began, or the orchestrator cannot retry runs.
        """
        ...

    async def source(self) -> RunSource:
        """The method, inputs and options with which the run was started.

        Raises:
            PipelexError: the orchestrator cannot provide them.
        """
        ...

    async def kept(self, start_over: str | None = None) -> "KeptSource":
        """The results of the run's effects, for another run to reuse.

        Args:
            start_over: see `retry`.

        Raises:
            PipelexError: the orchestrator keeps no results.
        """
        ...

    async def reuse(self, start_over: str | None = None) -> Reuse:
        """The reference by which a new run on the same orchestrator finds the results to reuse."""
        ...


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The outcome of a start."""

    run: OrchestratedRun
    found: RunState | None = None
    """The state of an earlier run with the same id and job that was found; None if the run is new."""
    note: str | None = None
    """One sentence for people about the run that was found."""


class Orchestrator(Protocol):
    """The engine that runs methods. It connects when it is first needed; see `connect`."""

    @property
    def name(self) -> str:
        """The name by which settings, flags and `pipelex.Pipelex` choose it."""
        ...

    @property
    def is_durable(self) -> bool:
        """Whether runs outlive this process, and other processes can find them."""
        ...

    @property
    def worker_command(self) -> str | None:
        """The command that starts a worker for runs; None if this process runs them itself."""
        ...

    async def connect(self) -> None:
        """Check that the engine answers.

        Raises:
            EngineUnavailable: the engine does not answer.
        """
        ...

    async def start(self, request: RunRequest) -> StartedRun:
        """Start a run, or attach to the one that has the same id and job.

        Raises:
            EngineUnavailable: the engine does not answer, or is not set up for runs.
            PipelexError: `request.idempotency_conflict` when the id belongs to a run with another job; or the inputs
                are refused.
        """
        ...

    async def attach(self, run_id: str) -> OrchestratedRun:
        """The run with an id, which was started before.

        Raises:
            PipelexError: there is no such run.
        """
        ...

    async def list(self, wanted: RunFilter) -> "list[RunDescription]":
        """The newest runs.

        Raises:
            PipelexError: the engine cannot list runs.
        """
        ...

    async def check_workers(self, within: timedelta) -> None:
        """Check that a worker will execute a run, after waiting at most the given time for one.

        Raises:
            PipelexError: no worker will execute a run.
        """
        ...

    async def check(self) -> "list[ReadinessCheck]":
        """Check that the engine has everything that runs need.

        Raises:
            EngineUnavailable: the engine does not answer.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections of this process. Durable runs continue; those in this process are cancelled."""
        ...


@dataclass(frozen=True)
class OrchestratorSetup:
    """The parts that an orchestrator is made from."""

    settings: Settings
    inference: "Callable[[], Inference]"
    """The function that returns the performer of effects; it is called when this process first performs an effect."""


class OrchestratorFactory(Protocol):
    """The factory of an orchestrator: the object that an entry point of the group `pipelex.orchestrators` names.

    Its module must load nothing heavy, because every command that runs something asks the factories.
    """

    @property
    def is_durable(self) -> bool:
        """See `Orchestrator.is_durable`."""
        ...

    def is_chosen(self, settings: Settings) -> bool:
        """Whether the settings say that methods run here unless the caller says otherwise.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        ...

    def warnings(self, settings: Settings) -> Sequence[Fault]:
        """Warnings about settings of the orchestrator that have no effect, or soon will not.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        ...

    def require(self) -> None:
        """Check that everything the orchestrator needs is installed.

        Raises:
            PipelexError: something is missing; the advice says what to install.
        """
        ...

    def missing_worker(self) -> PipelexError | None:
        """The error that says what to install for a worker; None if the orchestrator has no workers."""
        ...

    def open(self, setup: OrchestratorSetup) -> Orchestrator:
        """The orchestrator with these settings; it does not connect yet.

        Raises:
            ConfigurationError: the settings are wrong.
            PipelexError: something is not installed.
        """
        ...
