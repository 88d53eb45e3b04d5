"""Where an activity goes and what limits it has: one pure function of the configuration."""

from dataclasses import dataclass
from datetime import timedelta

from pipelex.errors import ConfigurationError, near_names
from pipelex.temporal.config import ActivityRoutes, DispatchOverlay, QueueOptions, TemporalConfig, show_duration
from pipelex.temporal.config.catalog import ACTIVITIES


@dataclass(frozen=True, slots=True)
class Dispatch:
    """How one activity is scheduled. A limit of None is no limit."""

    activity: str
    handle: str | None
    queue: str | None
    """None: the queue of the workflow that schedules it."""
    start_to_close: timedelta
    schedule_to_close: timedelta | None
    schedule_to_start: timedelta | None
    heartbeat: timedelta | None
    initial_interval: timedelta
    backoff_coefficient: float
    maximum_interval: timedelta | None
    maximum_attempts: int
    """0: no limit."""
    non_retryable_error_types: tuple[str, ...]
    priority_key: int | None
    """1, first, to 5."""
    origins: dict[str, str]
    """Name of each member above → the table (or the route) it came from."""


def resolve_dispatch(
    config: TemporalConfig,
    *,
    activity: str,
    handle: str | None = None,
    backend: str | None = None,
    workflow_queue: str | None = None,
) -> Dispatch:
    """How to schedule an activity.

    Queue, first match wins: `by_handle`, `by_backend`, `default` of the activity's own table, then of its group's
    table, then `default_task_queue`; when there is no route for any activity, the workflow's own queue. Each scalar:
    the baseline, then the queue's table, then the handle's; error types add up.

    Args:
        config: the configuration of the worker that schedules.
        activity: one of the catalog's.
        handle: the activity's routing key: the model's handle or the function's name.
        backend: the backend that serves the model.
        workflow_queue: the queue the workflow runs on, whose options hold for an activity that rides it; by default
            `default_task_queue`.

    Raises:
        ConfigurationError: no activity has that name.
    """
    if activity not in ACTIVITIES:
        near = near_names(activity, ACTIVITIES)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ConfigurationError(f"no activity is called {activity!r}{hint}")
    tables = _tables(config, activity)
    queue, origin = _queue(config, tables, handle, backend)
    effective_queue = queue or workflow_queue or config.worker_config.default_task_queue
    composing = _Composing(config, origin)
    options = config.queue_options.get(effective_queue)
    if options is not None:
        composing.add(options, f"queue_options.{effective_queue}")
        if options.priority_key is not None:
            composing.set("priority_key", options.priority_key, f"queue_options.{effective_queue}")
    if handle is not None:
        owner = next(((name, table) for name, table in tables if handle in table.handle_options), None)
        if owner is not None:
            name, table = owner
            composing.add(table.handle_options[handle], f"activity_queues.{name}.handle_options.{handle}")
    return composing.dispatch(activity, handle, queue)


def _tables(config: TemporalConfig, activity: str) -> list[tuple[str, ActivityRoutes]]:
    """The tables that speak of an activity, its own before its group's."""
    names = (activity, ACTIVITIES[activity].group)
    return [
        (name, config.activity_queues[name]) for name in names if name is not None and name in config.activity_queues
    ]


def _queue(
    config: TemporalConfig, tables: list[tuple[str, ActivityRoutes]], handle: str | None, backend: str | None
) -> tuple[str | None, str]:
    for name, table in tables:
        if handle is not None and handle in table.by_handle:
            return table.by_handle[handle], f"activity_queues.{name}.by_handle.{handle}"
        if backend is not None and backend in table.by_backend:
            return table.by_backend[backend], f"activity_queues.{name}.by_backend.{backend}"
        if table.default is not None:
            return table.default, f"activity_queues.{name}.default"
    if not config.activity_queues:
        return None, "the workflow's queue"
    return config.worker_config.default_task_queue, "worker_config.default_task_queue"


class _Composing:
    """The layers put on each other."""

    def __init__(self, config: TemporalConfig, queue_origin: str) -> None:
        worker, retry = config.worker_config, config.worker_config.retry_policy_config
        self._values: dict[str, object] = {
            "start_to_close": worker.default_activity_start_to_close_timeout,
            "schedule_to_close": None,
            "schedule_to_start": None,
            "heartbeat": worker.default_activity_heartbeat_timeout,
            "initial_interval": retry.initial_interval,
            "backoff_coefficient": retry.backoff_coefficient,
            "maximum_interval": retry.maximum_interval,
            "maximum_attempts": retry.maximum_attempts,
            "priority_key": None,
        }
        self._origins = {"queue": queue_origin, **dict.fromkeys(self._values, "worker_config")}
        self._error_types = dict.fromkeys(retry.non_retryable_error_types)
        self._origins["non_retryable_error_types"] = "worker_config"

    def set(self, name: str, value: object, origin: str) -> None:
        self._values[name] = value
        self._origins[name] = origin

    def add(self, overlay: DispatchOverlay | QueueOptions, origin: str) -> None:
        for key, name in _TIMEOUTS.items():
            if key in overlay.model_fields_set:
                self.set(name, getattr(overlay, key), origin)
        retry = overlay.retry_policy_config
        for name in _RETRY_SCALARS:
            if name in retry.model_fields_set:
                self.set(name, getattr(retry, name), origin)
        if retry.non_retryable_error_types_extra:
            self._error_types.update(dict.fromkeys(retry.non_retryable_error_types_extra))
            self._origins["non_retryable_error_types"] += f" + {origin}"

    def dispatch(self, activity: str, handle: str | None, queue: str | None) -> Dispatch:
        return Dispatch(
            activity=activity,
            handle=handle,
            queue=queue,
            non_retryable_error_types=tuple(self._error_types),
            origins=self._origins,
            **self._values,  # pyright: ignore[reportArgumentType]
        )


_TIMEOUTS = {
    "start_to_close_timeout": "start_to_close",
    "schedule_to_close_timeout": "schedule_to_close",
    "schedule_to_start_timeout": "schedule_to_start",
    "heartbeat_timeout": "heartbeat",
}
_RETRY_SCALARS = ("initial_interval", "backoff_coefficient", "maximum_interval", "maximum_attempts")


def trace_line(dispatch: Dispatch) -> str:
    """One line that says how an activity is scheduled and where each part of it comes from."""
    parts = [f"queue={dispatch.queue or '(workflow)'} [{dispatch.origins['queue']}]"]
    for name in (*_TIMEOUTS.values(), *_RETRY_SCALARS, "priority_key"):
        value = getattr(dispatch, name)
        if name == "priority_key" and value is None:
            continue
        is_scalar = name in ("backoff_coefficient", "maximum_attempts", "priority_key")
        parts.append(f"{name}={value if is_scalar else show_duration(value)} [{dispatch.origins[name]}]")
    kinds = len(dispatch.non_retryable_error_types)
    parts.append(f"non_retryable={kinds} types [{dispatch.origins['non_retryable_error_types']}]")
    return f"dispatch {dispatch.activity} key={dispatch.handle or '-'}: {' '.join(parts)}"
