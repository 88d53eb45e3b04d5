"""The task queues that the configuration names."""

from pipelex.errors import ConfigurationError, near_names
from pipelex.temporal.config import TemporalConfig


class WorkerTaskQueueUnknownError(ConfigurationError):
    """A worker was told to poll a queue that no table of the configuration names."""


def known_queues(config: TemporalConfig) -> dict[str, tuple[str, ...]]:
    """Each queue that the configuration names → the keys that name it."""
    found: dict[str, list[str]] = {config.worker_config.default_task_queue: ["worker_config.default_task_queue"]}
    for queue in config.queue_options:
        found.setdefault(queue, []).append(f"queue_options.{queue}")
    for activity, routes in config.activity_queues.items():
        table = f"activity_queues.{activity}"
        if routes.default is not None:
            found.setdefault(routes.default, []).append(f"{table}.default")
        for handle, queue in routes.by_handle.items():
            found.setdefault(queue, []).append(f"{table}.by_handle.{handle}")
        for backend, queue in routes.by_backend.items():
            found.setdefault(queue, []).append(f"{table}.by_backend.{backend}")
    return {queue: tuple(keys) for queue, keys in found.items()}


def check_worker_queue(config: TemporalConfig, queue: str | None = None) -> str:
    """The queue that a worker should poll: `queue`, or `default_task_queue` if it is None.

    Raises:
        WorkerTaskQueueUnknownError: no table names the queue, so it would never receive a task.
    """
    if queue is None:
        return config.worker_config.default_task_queue
    known = known_queues(config)
    if queue in known:
        return queue
    near = near_names(queue, known)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    named = "; ".join(f"{name} ({', '.join(keys)})" for name, keys in known.items())
    table = queue if queue.replace("-", "").replace("_", "").isalnum() else f'"{queue}"'
    raise WorkerTaskQueueUnknownError(
        f"no table under [temporal] names the task queue {queue!r}{hint}\nKnown queues: {named}",
        advice=f"Poll a known queue, or add an (empty) table [temporal.queue_options.{table}].",
    )
