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

    Every method raises `run.not_found` if the run does not exist any more, and `EngineUnavailable` if the engine does
    not answer.
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
            PipelexError: it failed, was cancelled or terminated, or timed out.
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
            values: whether inputs, outputs and what was asked of models is wanted, too, where it is not at hand anyway.
            ended: whether the insides of pipes that have ended are wanted, too, where each costs a look; without them, what
                goes on is shown whole.
        """
        ...

    async def counts(self) -> RunCounts | None:
        """The number of pipes in each state, without reading the tree; None if the engine does not provide it."""
        ...

    async def waits(self, patience: timedelta = PATIENCE) -> list[Wait]:
        """The waits of the run, each with its reason; empty if nothing is held up.

        Args:
            patience: the time that a task may wait in a queue before it counts.
        """
        ...

    async def cancel(self) -> None:
        """Ask the run to end: it starts nothing new, and cancels what is under way. See `ended`.

        Raises:
            PipelexError: it has ended already.
        """
        ...

    async def terminate(self, reason: str) -> None:
        """End the run at once, whatever is under way.

        Raises:
            PipelexError: it has ended already, or the orchestrator cannot.
        """
        ...

    async def retry(self, start_over: str | None = None) -> "OrchestratedRun":
        """Continue an unsuccessful run from where it failed, under the same id.

        What was paid for is not paid for again; of a batch, the failed items alone are. A run that left items out may be
        retried, too.

        Args:
            start_over: reference or code of the pipe to go on from, whose results and those of what followed it do not
                count; where the run failed when None.

        Returns:
            The run that goes on.

        Raises:
            PipelexError: it goes on or has succeeded, it never began, or the orchestrator cannot.
        """
        ...

    async def source(self) -> RunSource:
        """The method, inputs and options with which the run was started.

        Raises:
            PipelexError: the orchestrator does not tell.
        """
        ...

    async def kept(self, start_over: str | None = None) -> "KeptSource":
        """The results of the run's effects, for a run that may take them.

        Args:
            start_over: see `retry`.

        Raises:
            PipelexError: the orchestrator keeps none.
        """
        ...

    async def reuse(self, start_over: str | None = None) -> Reuse:
        """The reference by which a new run on the same orchestrator finds these results."""
        ...


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The outcome of a start."""

    run: OrchestratedRun
    found: RunState | None = None
    """The state in which a run with the same id and job was found; None where the run is new."""
    note: str | None = None
    """One sentence for people on the run that was found."""


class Orchestrator(Protocol):
    """The engine that runs methods. It connects when it is first needed; see `connect`."""

    @property
    def name(self) -> str:
        """The name by which settings, flags and `pipelex.Pipelex` choose it."""
        ...

    @property
    def is_durable(self) -> bool:
        """Whether runs outlive this process, and may be found again from another."""
        ...

    @property
    def worker_command(self) -> str | None:
        """The command that starts a worker which takes up runs; None where this process does it itself."""
        ...

    async def connect(self) -> None:
        """Check that the engine answers.

        Raises:
            EngineUnavailable: it does not.
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
        """A run that was started before.

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
        """Check that a worker will take up a run, after waiting at most the given time for one.

        Raises:
            PipelexError: nobody does.
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
    """The function that gives the performer of effects; it is asked when there is one to perform in this process."""


class OrchestratorFactory(Protocol):
    """The factory of an orchestrator: the object that an entry point of the group `pipelex.orchestrators` names.

    Its module loads nothing heavy: factories are asked in every command that runs something.
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
        """Settings of the orchestrator that have no effect, or will soon have none.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        ...

    def require(self) -> None:
        """Say what to install where something is missing.

        Raises:
            PipelexError: it is missing.
        """
        ...

    def missing_worker(self) -> PipelexError | None:
        """What to install for a worker, where no distribution here brings one; None: the orchestrator has none at all."""
        ...

    def open(self, setup: OrchestratorSetup) -> Orchestrator:
        """The orchestrator with these settings; nothing is connected yet.

        Raises:
            ConfigurationError: the settings are wrong.
            PipelexError: something is not installed.
        """
        ...
