"""Resolves the queue and the options of an activity, by a pure function of the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelex.durable.dispatch.options import OPTIONS, DispatchOption
from pipelex.durable.dispatch.settings import ActivityRoutes, DispatchBaseline, DispatchOverlay, QueueOptions
from pipelex.errors import ConfigurationError, near_names

T = TypeVar("T")

_BASELINE = "worker_config"
"""The settings table of the baseline, as origins name it."""


@dataclass(frozen=True)
class Routing:
    """An engine's settings for the dispatch of activities."""

    baseline: DispatchBaseline
    default_queue: str
    """The queue of activities that no route matches, if there are any routes."""
    routes: Mapping[str, ActivityRoutes]
    """The name of an activity, or of a group of activities → its route."""
    queues: Mapping[str, QueueOptions]
    """Queue → the options that it changes."""
    groups: Mapping[str, str | None]
    """Each activity → its group; None if it belongs to no group."""
    options: Mapping[str, DispatchOverlay] = field(default_factory=dict[str, DispatchOverlay])
    """The name of an activity, or of a group of activities → the options that it changes on every queue."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The decision on how to schedule one activity: its queue, and the value of each option."""

    activity: str
    handle: str | None
    """The handle of the model, or the name of the function; None for an activity with neither."""
    queue: str | None
    """The queue; None for the queue of the workflow that schedules it."""
    values: Mapping[str, Any]
    """The name of each option → its value."""
    origins: Mapping[str, str]
    """`queue`, or the name of an option → the table or the route that decided it."""

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

    The queue is the first match among `by_handle`, `by_backend` and `default` of the activity's own table, then of its
    group's table. If nothing matches, it is the default queue. If there are no routes at all, it is the workflow's own.

    An option has the value of the baseline, unless a higher layer sets it: the table of the queue, of the activity's
    group, of the activity, or of the handle, in rising order. Error types of all layers add up.

    Args:
        routing: the settings of the worker that schedules the activity.
        activity: the activity's name.
        handle: the activity's routing key: the model's handle or the function's name.
        backend: the backend that serves the model.
        workflow_queue: the queue that the workflow runs on. Its options apply to an activity that stays on this queue.
            None for the default queue.

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
    """The route tables for an activity, its own before its group's, each with its name."""
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
    """The overlays that apply to an activity, each with the name of its table, lowest layer first."""
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
    """A log line with the queue and the options of an activity, and the origin of each."""
    parts = [f"queue={dispatch.queue or '(workflow)'} [{dispatch.origins['queue']}]"]
    parts += [f"{option.name}={dispatch.shown(option)} [{dispatch.origins[option.name]}]" for option in OPTIONS]
    return f"dispatch {dispatch.activity} key={dispatch.handle or '-'}: {' '.join(parts)}"
