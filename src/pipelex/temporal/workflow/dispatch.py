"""How this worker's configuration sends activities: where, how long, how often.

Workflow code asks at the moment it schedules an activity. The answers come from the configuration of the worker that
runs the workflow, not from the run: an operator re-routes running methods by changing the file and restarting the
workers, and replay does not mind, since it compares none of these options.
"""

from collections.abc import Generator
from contextlib import contextmanager

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.models import ModelChoice, ResolvedModel
from pipelex.temporal.config import TemporalConfig
from pipelex.temporal.config.routing import Dispatch, resolve_dispatch
from pipelex.temporal.workflow.ports import ModelResolver


class Dispatcher:
    """A worker's answers: which model a choice means, and how an activity goes out.

    Args:
        config: the worker's configuration.
        models: who knows the model deck.
        task_queue: the queue its workflows run on.
        has_store: whether it keeps large payloads in a store.
    """

    def __init__(
        self, config: TemporalConfig, models: ModelResolver, task_queue: str, *, has_store: bool = True
    ) -> None:
        self.config = config
        self.models = models
        self.task_queue = task_queue
        self.has_store = has_store
        self._known: dict[tuple[str, str | None, str | None], Dispatch] = {}

    def resolve(self, model: ModelChoice) -> ResolvedModel:
        """The model behind a choice.

        Raises:
            PipelexError: this worker's model deck does not serve it.
        """
        return self.models.resolve(model)

    def options(self, activity: str, model: ResolvedModel | None, key: str | None) -> Dispatch:
        """Queue, time-outs and retries of one activity."""
        handle = model.handle if model is not None else key
        backend = model.backend if model is not None else None
        question = (activity, handle, backend)
        if question not in self._known:
            self._known[question] = resolve_dispatch(
                self.config, activity=activity, handle=handle, backend=backend, workflow_queue=self.task_queue
            )
        return self._known[question]


_by_task_queue: dict[str, Dispatcher] = {}
_for_any_queue: list[Dispatcher] = []


def install(dispatcher: Dispatcher) -> None:
    """Have the workflows of its task queue, in this process, ask that dispatcher."""
    _by_task_queue[dispatcher.task_queue] = dispatcher


def uninstall(task_queue: str) -> None:
    """Undo `install`."""
    _by_task_queue.pop(task_queue, None)


@contextmanager
def for_any_queue(dispatcher: Dispatcher) -> Generator[None]:
    """Answer with that dispatcher where no worker runs: for replaying recorded histories."""
    _for_any_queue.append(dispatcher)
    try:
        yield
    finally:
        _for_any_queue.remove(dispatcher)


def installed(task_queue: str) -> Dispatcher:
    """The dispatcher of a task queue.

    Raises:
        PipelexError: the worker was not set up by Pipelex.
    """
    if task_queue not in _by_task_queue:
        if _for_any_queue:
            return _for_any_queue[-1]
        raise PipelexError(
            "runtime.misconfigured",
            f"the worker of task queue '{task_queue}' runs pipes without the Pipelex plugin",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "worker"},
            advice="Give PipelexPlugin to the worker, or use `pipelex worker`.",
        )
    return _by_task_queue[task_queue]
