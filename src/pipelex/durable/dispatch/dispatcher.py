"""The dispatcher of a worker: where its settings send activities, for how long, how often.

Workflow code asks at the moment it schedules an activity. The answers come from the settings of the worker that runs the
workflow, not from the run: an operator re-routes running methods by changing the file and restarting the workers, and
replay does not mind, since it compares none of these options.
"""

from typing import Any, Protocol

from pipelex.durable.dispatch.routing import Dispatch, Routing, resolve_dispatch
from pipelex.pipes.effects.kind import Effect
from pipelex.pipes.models import ModelChoice, ResolvedModel


class ModelResolver(Protocol):
    """Something that knows the model deck; `pipelex.inference.Inference` is one."""

    def resolve(self, choice: ModelChoice) -> ResolvedModel: ...


class Dispatcher:
    """A worker's answers: which model a choice means, and how an activity goes out.

    Args:
        routing: the worker's settings.
        models: the resolver of models, which knows the model deck.
        queue: the queue its workflows run on.
        has_store: whether it keeps large payloads in a store.
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
        """The model behind a choice.

        Raises:
            PipelexError: this worker's model deck does not serve it.
        """
        return self.models.resolve(model)

    def options(self, effect: Effect[Any]) -> Dispatch:
        """The options of an effect's activity."""
        model = effect.model
        handle = model.handle if model is not None else effect.key
        backend = model.backend if model is not None else None
        question = (effect.activity, handle, backend)
        if question not in self._known:
            self._known[question] = resolve_dispatch(
                self.routing, activity=effect.activity, handle=handle, backend=backend, workflow_queue=self.queue
            )
        return self._known[question]
