"""The dispatcher of a worker, which decides the queue, the time limits and the retries of each activity.

Workflow code asks it when it schedules an activity. The answers come from the settings of the worker that runs the
workflow, not from the run. So an operator can re-route running methods by changing the settings file and restarting the
workers. This does not break replay, which compares none of these options.
"""

from typing import Any, Protocol

from pipelex.durable.dispatch.routing import Dispatch, Routing, resolve_dispatch
from pipelex.pipes.effects.kind import Effect
from pipelex.pipes.models import ModelChoice, ResolvedModel


class ModelResolver(Protocol):
    """Resolves choices of models by the model deck, as `pipelex.inference.Inference` does."""

    def resolve(self, choice: ModelChoice) -> ResolvedModel: ...


class Dispatcher:
    """Resolves models, and decides how to schedule activities, for one worker.

    Args:
        routing: the worker's settings.
        models: the resolver of models.
        queue: the task queue that the worker's workflows run on.
        has_store: whether the worker keeps large payloads in a store.
        is_fair_by_user: whether a run's user is the fairness key of its activities.
        is_traced: whether each dispatch is logged.
    """

    def __init__(
        self,
        routing: Routing,
        models: ModelResolver,
        queue: str,
        *,
        has_store: bool = True,
        is_fair_by_user: bool = False,
        is_traced: bool = False,
    ) -> None:
        self.routing = routing
        self.models = models
        self.queue = queue
        self.has_store = has_store
        self.is_fair_by_user = is_fair_by_user
        self.is_traced = is_traced
        self._known: dict[tuple[str, str | None, str | None], Dispatch] = {}

    def resolve(self, model: ModelChoice) -> ResolvedModel:
        """The model that a choice stands for.

        Raises:
            PipelexError: the worker's model deck does not offer it.
        """
        return self.models.resolve(model)

    def options(self, effect: Effect[Any]) -> Dispatch:
        """The dispatch of an effect's activity."""
        model = effect.model
        handle = model.handle if model is not None else effect.key
        backend = model.backend if model is not None else None
        question = (effect.activity, handle, backend)
        if question not in self._known:
            self._known[question] = resolve_dispatch(
                self.routing, activity=effect.activity, handle=handle, backend=backend, workflow_queue=self.queue
            )
        return self._known[question]
