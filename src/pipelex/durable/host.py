"""The port of an engine: the operations that workflow code needs from it.

An engine makes one `Host` for each run of a workflow, and passes it to `pipelex.durable.entry`. Every answer must be
the same when the workflow is replayed from its history.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from pipelex.durable.dispatch import Dispatch, Dispatcher
from pipelex.durable.jobs import Envelope, SliceJob
from pipelex.durable.limits import EngineLimits
from pipelex.durable.stored import StoredList, StoredPayload
from pipelex.errors import ErrorReport
from pipelex.library import Pipe
from pipelex.pipes.calls import RunIdentity
from pipelex.pipes.effects.kind import Effect
from pipelex.pipes.wire import Wire

R = TypeVar("R", bound=Wire)


@dataclass(frozen=True, slots=True)
class History:
    """The length of a workflow's history, as of its last task."""

    events: int
    size: int
    """The size in bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child(Generic[R]):
    """A child workflow to start."""

    workflow: str
    """The name of its definition."""
    envelope: Envelope[Any]
    pipe: Pipe
    """The pipe it runs, or runs on the items of a slice."""
    id: str
    """The whole id of the child; see `Host.child_id`."""
    result: type[R]
    """The type of its result."""
    what: str
    """What the child is called in a sentence about a failure: `pipe 'summarize'`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity(Generic[R]):
    """An activity to schedule."""

    effect: Effect[R]
    """The effect to perform, with the name of the activity."""
    pipe: str
    """The code of the pipe that asks."""
    path: tuple[str, ...]
    """The path of that pipe's run; see `PipeCall.path`."""
    run_id: str
    """The run's id."""
    arguments: Envelope[Any] | None
    """The arguments of the activity, where it needs more than the effect's job."""
    dispatch: Dispatch
    """The queue that it goes to, and its limits."""
    fairness_key: str | None
    """The key by which a backlog is shared out; None for no sharing."""


class Host(Protocol):
    """One run of a workflow, as the engine offers it."""

    @property
    def limits(self) -> EngineLimits:
        """The limits of the engine."""
        ...

    @property
    def dispatcher(self) -> Dispatcher:
        """The dispatcher of the worker that runs the workflow."""
        ...

    @property
    def root_id(self) -> str:
        """The id of the workflow of the run's entry pipe."""
        ...

    @property
    def told_root(self) -> str | None:
        """The root's id as jobs of children are to tell it; None: the engine itself tells it."""
        ...

    @property
    def identity(self) -> RunIdentity | None:
        """The owner of the run, where the engine itself tells it of a workflow."""
        ...

    @property
    def is_replaying(self) -> bool:
        """Whether the workflow is being replayed, so that nothing should be logged."""
        ...

    def history(self) -> History:
        """The present length of the history."""
        ...

    def child_id(self, path: tuple[str, ...], ranks: str = "") -> str:
        """The id of a child workflow, whole: an engine whose ids have a bound shortens it as it starts the child.

        Args:
            path: the steps from the entry pipe down to the child's pipe.
            ranks: the ranks of a slice's items in the whole list: `0-499`.
        """
        ...

    async def start_child(self, child: Child[R]) -> Awaitable[R]:
        """Start a child; returns once the engine has accepted it.

        Returns:
            An awaitable for the child's result. It raises `PipelexError` if the child failed, and the engine's own
            exception if it was cancelled.
        """
        ...

    async def perform(self, activity: Activity[R]) -> R:
        """Perform an activity, with retries as its dispatch says.

        Raises:
            PipelexError: the activity failed for good. If it was cancelled, the engine's own exception is raised.
        """
        ...

    async def store_list(self, items: list[Any]) -> StoredPayload:
        """Put items of a list into the payload store, from the worker that runs the workflow.

        Raises:
            PipelexError: the store does not accept them.
        """
        ...

    async def load_list(self, stored: StoredList) -> list[Any]:
        """The items of a list in the payload store; see `store_list`."""
        ...

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until events in the workflow have made a condition true."""
        ...

    async def end_task(self) -> None:
        """Let the current task of the workflow end; returns in a later one."""
        ...

    async def go_on(self, envelope: Envelope[SliceJob]) -> NoReturn:
        """Continue a slice's workflow as new, with another job."""
        ...

    def failure(self, report: ErrorReport) -> BaseException:
        """The exception that ends the workflow with a report."""
        ...

    def is_cancellation(self, error: BaseException) -> bool:
        """Whether an exception is the engine's way to cancel."""
        ...

    def log_bug(self, message: str) -> None:
        """Log an unexpected exception with its traceback, unless the workflow is being replayed."""
        ...

    def log(self, message: str) -> None:
        """Log a message for operators, unless the workflow is being replayed."""
        ...
