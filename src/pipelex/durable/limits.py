"""The limits of an engine, and checks that refuse a value before the engine does.

An engine whose limit is exceeded ends the run without a report, or repeats a task for ever. A check before anything is
sent makes the run fail at once, with an error that names the value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pydantic_core import to_json

from pipelex.content.measure import json_bound
from pipelex.content.stuff import Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.references import parts_of
from pipelex.pipes.wire import Wire

ESTIMATED: Final = 20_000
"""The estimate in bytes from which the true size is measured, so only the sizes of small payloads are too high."""
_OVERESTIMATE: Final = 8
"""The largest factor by which an estimate is too high, for a payload that consists mostly of text."""
_PER_SECOND: Final = 4_000_000
"""The estimated characters of values that a workflow task can fetch, read, write and store per second, even on a busy
machine."""
_SURROUNDINGS: Final = 16_384
"""The bytes that surround a payload's JSON in a request."""


@dataclass(frozen=True, kw_only=True)
class EngineLimits:
    """The limits of an engine. The defaults are those of a Temporal server with its own settings."""

    engine: str
    """The name of the engine, for messages."""
    store_advice: str
    """The advice to use a store for large payloads."""
    same_store_advice: str
    """The advice to use the same store on all workers and clients."""
    run_time_advice: str
    """The advice for a run that exceeded its time limit."""
    lost_workers_advice: str
    """The advice for a call whose workers were stopped or lost again and again."""

    payload_bytes: int = 2_097_152
    """The largest payload, in bytes, that the engine accepts."""
    request_bytes: int = 3_000_000
    """The most bytes that one workflow task sends. A server accepts 4 MiB in one request, and terminates a run that
    exceeds this."""
    history_events: int = 50_000
    """The number of events above which a workflow starts nothing more; things under way still add some events."""
    history_bytes: int = 44_000_000
    """The size of a history, in bytes, above which a workflow starts nothing more; one task still adds its results."""
    ends_at_events: int = 51_200
    """The number of events at which the server terminates a workflow."""
    ends_at_bytes: int = 52_428_800
    """The size of a history, in bytes, at which the server terminates a workflow."""

    run_events: int = 4_500
    """The number of events up to which the children of a batch may fill a history; a slice then continues as new. A
    server suggests this from 4,096 events on, and warns at 10,240."""
    run_bytes: int = 3_500_000
    """The size in bytes up to which the children of a batch may fill a history; a slice then continues as new. A server
    suggests this at 4 MiB."""
    held_bytes: int = 8_000_000
    """The bytes of results, as JSON, that a slice may hold in memory before it continues as new."""
    child_events: int = 9
    """The most events of a child in its parent's history: three of its own, and those of two workflow tasks that it
    shares with nothing else."""
    child_bytes: int = 2_500
    """The bytes of a child's events, without its arguments and its result."""
    reference_bytes: int = 600
    """The bytes that a stored payload takes in a history."""

    commands_at_once: int = 100
    """The most commands of one workflow task. More could exceed the server's size limit or set off the SDK's deadlock
    detector."""
    slices: int = 200
    """The most slices that one workflow runs; a longer batch has slices of slices."""

    def kept_size(self, size: int, stored_above: int | None) -> int:
        """The bytes that a payload takes in a history.

        Args:
            size: the size of the payload, in bytes.
            stored_above: the size in bytes above which a payload goes to the store; None if there is no store.
        """
        return size if stored_above is None or size <= stored_above else self.reference_bytes


def check_payload(
    payload: Wire,
    limits: EngineLimits,
    *,
    what: str,
    named: Mapping[str, Stuff] | None = None,
    stored_above: int | None = None,
    has_store: bool = True,
) -> int:
    """Refuse a payload that the engine would refuse.

    Args:
        payload: the payload that is about to be sent.
        limits: the limits of the engine.
        what: the payload in a sentence: `the inputs of pipe 'summarize'`.
        named: the values in it by name, so the error can name the largest one.
        stored_above: the size in bytes above which the run's payloads go to a store; None if there is no store.
        has_store: whether this worker has the store; without it, the engine's limit applies to the whole payload.

    Returns:
        The most bytes that the payload takes in a request. For a small payload this is an estimate, often too high.

    Raises:
        PipelexError: the payload is too large (`input.too_large`).
    """
    estimate = characters_of(payload) * 4  # no character takes more than four bytes
    if estimate < ESTIMATED:
        return estimate
    if stored_above is not None and has_store and estimate > stored_above * _OVERESTIMATE:
        return stored_above
    size = len(payload.model_dump_json(exclude_unset=True).encode())
    if (stored_above is not None and has_store) or size < limits.payload_bytes - _SURROUNDINGS:
        return size if stored_above is None else min(size, stored_above)
    sizes = {name: len(to_json(stuff.content)) for name, stuff in (named or {}).items()}
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    about = f"; the largest value, '{largest}', has {sizes[largest]:,}" if largest is not None else ""
    raise _too_large(limits, f"{what} take {size:,} bytes{about}", largest or what, size)


def _too_large(limits: EngineLimits, said: str, name: str, size: int) -> PipelexError:
    return PipelexError(
        "input.too_large",
        f"{said}; {limits.engine} refuses payloads over {limits.payload_bytes:,}",
        category=ErrorCategory.CONTENT,
        params={"input": name, "limit": limits.payload_bytes, "size": size},
        advice=limits.store_advice,
    )


class ListSize:
    """The size of a list that must travel whole, checked as it grows, before more of its items are paid for.

    Args:
        limits: the limits of the engine.
        what: the list in a sentence: `the results of pipe 'describe'`.
    """

    def __init__(self, limits: EngineLimits, what: str) -> None:
        self._limits = limits
        self._what = what
        self._items = 0
        self._bytes = 0

    def add(self, items: int, size: int) -> None:
        """Count new items, and refuse to continue if the list is too large already.

        Args:
            items: the number of new items.
            size: the bytes of their JSON.

        Raises:
            PipelexError: the list is too large (`input.too_large`).
        """
        self._items += items
        self._bytes += size
        if self._bytes < self._limits.payload_bytes - _SURROUNDINGS:
            return
        said = f"{self._what} take {self._bytes:,} bytes after {self._items:,} items, and would travel together"
        raise _too_large(self._limits, said, self._what, self._bytes)


def check_history(events: int, size: int, limits: EngineLimits, *, what: str) -> None:
    """Refuse to let a history grow beyond the limits of the engine.

    Args:
        events: the number of events in the history.
        size: the size of the history in bytes, including what is about to be sent.
        limits: the limits of the engine.
        what: the pipe in a sentence: `pipe 'summarize'`.

    Raises:
        PipelexError: the history has too many events (`runtime.unsupported`) or bytes (`input.too_large`).
    """
    if events > limits.history_events:
        raise PipelexError(
            "runtime.unsupported",
            f"{what} has {events:,} events in its history; {limits.engine} ends a workflow at {limits.ends_at_events:,}",
            category=ErrorCategory.CONTENT,
            params={"capability": "so many steps in one pipe"},
            advice="Split it into pipes with fewer steps each, or make it a PipeBatch, whose history does not grow.",
        )
    if size > limits.history_bytes:
        raise PipelexError(
            "input.too_large",
            f"the values that {what} handed on take {size:,} bytes of its history; {limits.engine} ends a workflow at "
            f"{limits.ends_at_bytes:,}",
            category=ErrorCategory.CONTENT,
            params={"input": what, "limit": limits.history_bytes, "size": size},
            advice=limits.store_advice,
        )


def task_timeout(configured: timedelta, job: Wire) -> timedelta:
    """The time limit for a run's workflow tasks: the configured one, or a longer one if the inputs are very large."""
    return max(configured, timedelta(seconds=characters_of(job) // _PER_SECOND))


def characters_of(payload: Wire) -> int:
    """An upper bound of the number of characters of a payload's JSON, found quickly."""
    return json_bound([payload], _members)


def _members(value: object) -> Iterable[Any] | None:
    if isinstance(value, Stuff):
        return (value.concept, value.content, *(part.key for part in parts_of(value)))
    if isinstance(value, Wire):
        return [(name, getattr(value, name)) for name in value.model_fields_set]
    return None
