"""The queue and the limits of an activity: one pure function of the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelex.durable.dispatch.options import OPTIONS, DispatchOption
from pipelex.durable.dispatch.settings import ActivityRoutes, DispatchBaseline, DispatchOverlay, QueueOptions
from pipelex.errors import ConfigurationError, near_names

T = TypeVar("T")

_BASELINE = "worker_config"
"""The place of the baseline, as origins name it."""


@dataclass(frozen=True)
class Routing:
    """The routing of activities in an engine's settings."""

    baseline: DispatchBaseline
    default_queue: str
    routes: Mapping[str, ActivityRoutes]
    """The name of an activity, or of a group of them → where they go."""
    queues: Mapping[str, QueueOptions]
    """Queue → what it changes."""
    groups: Mapping[str, str | None]
    """Every activity there is → its group."""
    options: Mapping[str, DispatchOverlay] = field(default_factory=dict[str, DispatchOverlay])
    """The name of an activity, or of a group of them → what it changes whatever its queue."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The schedule of one activity: its queue, its limits, its retries."""

    activity: str
    handle: str | None
    queue: str | None
    """The queue; None for the queue of the workflow that schedules it."""
    values: Mapping[str, Any]
    """The name of each option → its value."""
    origins: Mapping[str, str]
    """`queue`, and the name of each option → the table, or the route, that decides it."""

    def __getitem__(self, option: DispatchOption[T]) -> T:
        """The value of an option."""
        return self.values[option.name]

    def shown(self, option: DispatchOption[Any]) -> str:
        """The value of an option, for a person."""
        return option.shown(self[option])


def resolve_dispatch(
    routing: Routing,
    *,
    activity: str,
    handle: str | None = None,
    backend: str | None = None,
    workflow_queue: str | None = None,
) -> Dispatch:
    """The dispatch of an activity.

    Queue, first match wins: `by_handle`, `by_backend`, `default` of the activity's own table, then of its group's
    table, then the default queue; when there is no route for any activity, the workflow's own queue. Each option: the
    baseline, then the queue's table, then the activity group's, the activity's own, and the handle's; error types add up.

    Args:
        routing: the settings of the worker that schedules.
        activity: the activity's name.
        handle: the activity's routing key: the model's handle or the function's name.
        backend: the backend that serves the model.
        workflow_queue: the queue the workflow runs on, whose options hold for an activity that rides it; by default
            the default queue.

    Raises:
        ConfigurationError: no activity has that name.
    """
    if activity not in routing.groups:
        near = near_names(activity, routing.groups)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ConfigurationError(f"no activity is called {activity!r}{hint}")
    tables = _tables(routing, activity)
    queue, origin = _queue(routing, tables, handle, backend)
    layers = _layers(routing, activity, tables, queue or workflow_queue or routing.default_queue, handle)
    values = {option.name: option.baseline_value(routing.baseline) for option in OPTIONS}
    origins = dict.fromkeys(values, _BASELINE)
    for table, overlay in layers:
        for option in OPTIONS:
            if _acts(option, overlay):
                values[option.name] = option.overlaid(overlay, values[option.name])
                origins[option.name] = table if option.adds is None else f"{origins[option.name]} + {table}"
    return Dispatch(activity, handle, queue, values, {"queue": origin, **origins})


def _acts(option: DispatchOption[Any], overlay: DispatchOverlay) -> bool:
    if option.overlays == "queues" and not isinstance(overlay, QueueOptions):
        return False
    return option.is_set_by(overlay)


def _tables(routing: Routing, activity: str) -> list[tuple[str, ActivityRoutes]]:
    """The tables that speak of an activity, its own before its group's."""
    names = (activity, routing.groups[activity])
    return [(name, routing.routes[name]) for name in names if name is not None and name in routing.routes]


def _queue(
    routing: Routing, tables: list[tuple[str, ActivityRoutes]], handle: str | None, backend: str | None
) -> tuple[str | None, str]:
    for name, table in tables:
        if handle is not None and handle in table.by_handle:
            return table.by_handle[handle], f"activity_queues.{name}.by_handle.{handle}"
        if backend is not None and backend in table.by_backend:
            return table.by_backend[backend], f"activity_queues.{name}.by_backend.{backend}"
        if table.default is not None:
            return table.default, f"activity_queues.{name}.default"
    if not routing.routes:
        return None, "the workflow's queue"
    return routing.default_queue, f"{_BASELINE}.default_task_queue"


def _layers(
    routing: Routing, activity: str, tables: list[tuple[str, ActivityRoutes]], queue: str, handle: str | None
) -> list[tuple[str, DispatchOverlay]]:
    """The overlays of a queue, of an activity and of a handle, with the tables they are in, lowest first."""
    layers: list[tuple[str, DispatchOverlay]] = []
    if queue in routing.queues:
        layers.append((f"queue_options.{queue}", routing.queues[queue]))
    for name in (routing.groups[activity], activity):
        if name is not None and name in routing.options:
            layers.append((f"activities.{name}", routing.options[name]))
    if handle is not None:
        owner = next(((name, table) for name, table in tables if handle in table.handle_options), None)
        if owner is not None:
            name, table = owner
            layers.append((f"activity_queues.{name}.handle_options.{handle}", table.handle_options[handle]))
    return layers


def trace_line(dispatch: Dispatch) -> str:
    """One line that says how an activity is scheduled and where each part of it comes from."""
    parts = [f"queue={dispatch.queue or '(workflow)'} [{dispatch.origins['queue']}]"]
    parts += [f"{option.name}={dispatch.shown(option)} [{dispatch.origins[option.name]}]" for option in OPTIONS]
    return f"dispatch {dispatch.activity} key={dispatch.handle or '-'}: {' '.join(parts)}"
