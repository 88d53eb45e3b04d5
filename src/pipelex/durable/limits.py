"""The limits of an engine as data, and the checks that see a refusal coming.

An engine that meets one of its limits ends a run without a word of ours, or repeats a task for ever. Checked before
anything is sent, the limit fails the run at once, with the value's name.
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
"""Estimates over this are replaced by the true size: only small payloads may be taken for larger than they are."""
_OVERESTIMATE: Final = 8
"""The factor by which an estimate is too high at most, where text makes the size."""
_PER_SECOND: Final = 4_000_000
"""Characters, as estimated, of values that a workflow task fetches, reads, writes and stores at least, on a machine with
much else to do."""
_SURROUNDINGS: Final = 16_384
"""The bytes around our JSON in a request."""


@dataclass(frozen=True, kw_only=True)
class EngineLimits:
    """The limits of an engine. The defaults are those of a Temporal server with its own settings."""

    engine: str
    """The name of the engine, for messages."""
    store_advice: str
    """The advice that leads a person to a store for large payloads."""
    same_store_advice: str
    """The advice that leads a person to one store for every worker and client."""
    run_time_advice: str
    """The advice for a run that did not end within the time that runs have."""
    lost_workers_advice: str
    """The advice for a call whose workers ended over and over before it did."""

    payload_bytes: int = 2_097_152
    """A larger payload is refused."""
    request_bytes: int = 3_000_000
    """The most bytes that one workflow task sends. A server takes 4 MiB in one request, and terminates a run over that."""
    history_events: int = 50_000
    """The most events of a history that may still grow: what is under way adds some."""
    history_bytes: int = 44_000_000
    """The most bytes of a history that may still grow: one task and its results add some."""
    ends_at_events: int = 51_200
    """Events at which the server terminates a workflow."""
    ends_at_bytes: int = 52_428_800
    """The size of a history, in bytes, at which the server terminates a workflow."""

    run_events: int = 4_500
    """Events from which a workflow goes on in a new run. A server suggests one from 4,096 on, and warns at 10,240."""
    run_bytes: int = 3_500_000
    """The size of a history, in bytes, from which a workflow goes on in a new run. A server suggests one at 4 MiB."""
    held_bytes: int = 8_000_000
    """The bytes of JSON that results may take in a worker's memory before they are put away."""
    child_events: int = 9
    """Events of a child in its parent's history: three of its own, and two workflow tasks where nothing shares them."""
    child_bytes: int = 2_500
    """The bytes of a child's events beside its arguments and its result."""
    reference_bytes: int = 600
    """The bytes that a stored payload takes in a history."""

    commands_at_once: int = 100
    """The most commands of one workflow task: more meet the server's size limit or the detector of deadlocks."""
    slices: int = 200
    """The most slices that one workflow runs; more of them are slices of slices."""

    def kept_size(self, size: int, stored_above: int | None) -> int:
        """Bytes that a payload takes in a history.

        Args:
            size: its own.
            stored_above: bytes from which it is in the store; None: it never is.
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
        limits: the engine's.
        what: the payload in a sentence: `the inputs of pipe 'summarize'`.
        named: the values in it by name, to say which is the largest.
        stored_above: the run's payloads over this many bytes go to the store, so that none is too large.
        has_store: whether there is one here; a worker without it must not send what the run's others would store.

    Returns:
        Bytes it takes in a request, at most; a small payload's are only estimated, and rather too high.

    Raises:
        PipelexError: it is too large (`input.too_large`).
    """
    estimate = _bound(payload) * 4  # no character takes more than four bytes
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
    """The size of a list that grows while its items are paid for, and that must travel whole.

    Args:
        limits: the engine's.
        what: the list in a sentence: `the results of pipe 'describe'`.
    """

    def __init__(self, limits: EngineLimits, what: str) -> None:
        self._limits = limits
        self._what = what
        self._items = 0
        self._bytes = 0

    def add(self, items: int, size: int) -> None:
        """Count items, and refuse to make more of a list that is too large already.

        Args:
            items: how many came.
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
    """Refuse to let a history grow beyond what the engine bears.

    Args:
        events: the number of events in the history.
        size: the size of the history in bytes, with what is about to be sent.
        limits: the engine's.
        what: the pipe in a sentence: `pipe 'summarize'`.

    Raises:
        PipelexError: it is too long (`runtime.unsupported`) or too large (`input.too_large`).
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
    """The time limit of a workflow task of a run; longer than configured when its inputs are very large."""
    return max(configured, timedelta(seconds=_bound(job) // _PER_SECOND))


def _bound(payload: Wire) -> int:
    """An upper bound of the characters of a payload's JSON, quickly."""
    return json_bound([payload], _members)


def _members(value: object) -> Iterable[Any] | None:
    if isinstance(value, Stuff):
        return (value.concept, value.content, *(part.key for part in parts_of(value)))
    if isinstance(value, Wire):
        return [(name, getattr(value, name)) for name in value.model_fields_set]
    return None
