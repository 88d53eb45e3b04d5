"""Sizes that Temporal refuses, checked before they are sent.

A payload over the server's limit fails a workflow task, which Temporal then repeats until the run times out. Checked
here, it fails the run at once with the value's name. Source of the limits: measured on server 1.32.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast

from pydantic_core import to_json

from pipelex.content.stuff import Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.wire import Wire

PAYLOAD_LIMIT: Final = 2_097_152
"""Bytes of one payload that the server refuses."""
TASK_LIMIT: Final = 3_000_000
"""Bytes that one workflow task sends at most. The server takes 4 MiB in one request, and terminates a run over that."""
MOST_HISTORY_EVENTS: Final = 50_000
"""Events of a history that may still grow. The server terminates a workflow at 51,200; what is under way adds some."""
MOST_HISTORY_BYTES: Final = 44_000_000
"""Bytes of a history that may still grow. The server terminates a workflow at 50 MiB; one task and its results add some."""
ESTIMATED: Final = 20_000
"""Estimates over this are replaced by the true size: only small payloads may be taken for larger than they are."""
STORE_ADVICE: Final = (
    "Set `[temporal.payload_codec_config] is_enabled = true`, on the workers and where runs are started, and name a store "
    "that all of them reach; or pass large documents by URL or file."
)
_OVERESTIMATE: Final = 8
"""How many times too high an estimate is at most, where text makes the size."""
_PER_SECOND: Final = 4_000_000
"""Characters, as estimated, of values that a workflow task fetches, reads, writes and stores at least, on a machine with
much else to do."""
_ROOM: Final = 16_384
"""What surrounds our JSON in a request."""


def check_payload(
    payload: Wire,
    *,
    what: str,
    named: Mapping[str, Stuff] | None = None,
    stored_above: int | None = None,
    has_store: bool = True,
) -> int:
    """Refuse a payload that the server would refuse.

    Args:
        payload: what is about to be sent.
        what: the payload in a sentence: `the inputs of pipe 'summarize'`.
        named: the values in it by name, to say which is the largest.
        stored_above: the run's payloads over this many bytes go to the store, so that none is too large.
        has_store: whether there is one here; a worker without it must not send what the run's others would store.

    Returns:
        Bytes it takes in a request, at most; a small payload's are only estimated, and rather too high.

    Raises:
        PipelexError: it is too large (`input.too_large`).
    """
    estimate = _characters(payload) * 4  # no character takes more than four bytes
    if estimate < ESTIMATED:
        return estimate
    if stored_above is not None and has_store and estimate > stored_above * _OVERESTIMATE:
        return stored_above
    size = len(payload.model_dump_json(exclude_unset=True).encode())
    if (stored_above is not None and has_store) or size < PAYLOAD_LIMIT - _ROOM:
        return size if stored_above is None else min(size, stored_above)
    sizes = {name: len(to_json(stuff.content)) for name, stuff in (named or {}).items()}
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    about = f"; the largest value, '{largest}', has {sizes[largest]:,}" if largest is not None else ""
    raise PipelexError(
        "input.too_large",
        f"{what} take {size:,} bytes{about}; Temporal refuses payloads over {PAYLOAD_LIMIT:,}",
        category=ErrorCategory.CONTENT,
        params={"input": largest or what, "limit": PAYLOAD_LIMIT, "size": size},
        advice=STORE_ADVICE,
    )


def check_history(events: int, size: int, *, what: str) -> None:
    """Refuse to let a history grow beyond what the server bears: it would end the run without a word of ours.

    Args:
        events: in the history.
        size: its bytes, with those of what is about to be sent.
        what: the pipe in a sentence: `pipe 'summarize'`.

    Raises:
        PipelexError: it is too long (`runtime.unsupported`) or too large (`input.too_large`).
    """
    if events > MOST_HISTORY_EVENTS:
        raise PipelexError(
            "runtime.unsupported",
            f"{what} has {events:,} events in its history; Temporal ends a workflow at 51,200",
            category=ErrorCategory.CONTENT,
            params={"capability": "so many steps in one pipe"},
            advice="Split it into pipes with fewer steps each, or make it a PipeBatch, whose history does not grow.",
        )
    if size > MOST_HISTORY_BYTES:
        raise PipelexError(
            "input.too_large",
            f"the values that {what} handed on take {size:,} bytes of its history; Temporal ends a workflow at 52,428,800",
            category=ErrorCategory.CONTENT,
            params={"input": what, "limit": MOST_HISTORY_BYTES, "size": size},
            advice=STORE_ADVICE,
        )


def task_timeout(configured: timedelta, job: Wire) -> timedelta:
    """How long a workflow task of a run may take: longer than configured when its inputs are very large."""
    return max(configured, timedelta(seconds=_characters(job) // _PER_SECOND))


def _characters(value: Any) -> int:
    """An upper bound of the JSON's characters, quickly."""
    total = 0
    waiting: list[Any] = [value]
    while waiting:
        current = waiting.pop()
        match current:
            case str():
                total += 2 * len(current) + 4  # escapes at most double ordinary text
            case dict():
                mapping = cast("dict[str, Any]", current)
                total += sum(len(key) + 6 for key in mapping)
                waiting.extend(mapping.values())
            case list() | tuple():
                waiting.extend(cast("list[Any]", current))
            case Stuff():
                waiting.append(current.concept)
                waiting.append(current.content)
                waiting.extend(part.key for part in current.parts)
            case Wire():
                waiting.extend((name, getattr(current, name)) for name in current.model_fields_set)
            case _:
                total += 24
    return total
