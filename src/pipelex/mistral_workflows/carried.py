"""Values as the platform carries them: plain JSON, or a reference into the storage where they are large.

What starts an execution is one JSON object with the members of `Carried`; so is what an execution or an activity gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json, to_json

from pipelex.content.stuff import Json
from pipelex.durable.stored import StoredPayload
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.wire import Wire

STORED: Final = "$stored"
"""The only member of an object that stands for a value in the storage."""
JOB: Final = "pipelex_job"
"""The member of an execution's input that holds a job of ours, beside nothing else."""
PREPARE: Final = "pipelex_prepare"
"""The local activity that makes a job of what somebody started an exposed pipe with."""

CarriedValue = dict[str, Any]
"""A JSON object: the value itself, or `{"$stored": {"key": …, "size": …}}`."""


def reference_to(stored: StoredPayload) -> CarriedValue:
    """The object that stands for a value in the storage."""
    return {STORED: stored.model_dump()}


def stored_in(value: Json) -> StoredPayload | None:
    """The place of a stored value, out of the object that stands for it; None for a value itself.

    Raises:
        PipelexError: the reference is damaged.
    """
    if not isinstance(value, Mapping):
        return None
    if [*value] != [STORED]:
        return None
    try:
        return StoredPayload.model_validate(value[STORED])
    except ValueError:
        raise malformed("a reference into the storage is damaged") from None


def write(value: Wire) -> bytes:
    """The JSON of a value: only members that were set."""
    return value.model_dump_json(exclude_unset=True).encode()


def plain(data: bytes) -> Json:
    """JSON as the values it is made of."""
    return from_json(data)


def written(value: Json) -> bytes:
    """The inverse of `plain`."""
    return to_json(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The input of an execution or an activity of ours."""

    job: CarriedValue | str
    """The job, see `pipelex.durable.jobs`, or an activity's. What is started from outside has its JSON as a text: whatever
    is between there and a worker may order the members of an object anew, and their order shows in prompts."""
    crate: CarriedValue | str | None = None
    """The crate beside it: its JSON as a text, for the same reason."""
    large: Mapping[str, CarriedValue] | None = None
    """Inputs that the job leaves out, each of them for itself."""
    items: CarriedValue | None = None
    """The items of a slice, where they are in the storage."""
    lanes: tuple[str, ...] = ()
    """Backends whose calls go through a queue with a rate, as whoever started the run configured it."""
    earlier: Mapping[str, Json] | None = None
    """The run whose results calls take after a reset, see `pipelex.pipes.calls.Reuse`: the same one, as it was before. It
    is beside the job, whose bytes decide what is kept in the storage: what was recorded before the reset replays."""
    about: Mapping[str, Json] | None = None
    """The facts about the job that events tell: its pipe, the path to it, whom it is for."""

    def to_json(self) -> dict[str, Json]:
        """The object that travels; members that say nothing are left out."""
        members = {
            "job": self.job,
            "crate": self.crate,
            "large": None if self.large is None else dict(self.large),
            "items": self.items,
            "lanes": list(self.lanes),
            "earlier": None if self.earlier is None else dict(self.earlier),
            "about": None if self.about is None else dict(self.about),
        }
        return {name: value for name, value in members.items() if value}

    @classmethod
    def from_json(cls, wire: Mapping[str, Any]) -> "Carried":
        """The inverse of `to_json`.

        Raises:
            PipelexError: it is none of ours.
        """
        try:
            return cls(
                job=wire["job"],
                crate=wire.get("crate"),
                large=wire.get("large"),
                items=wire.get("items"),
                lanes=tuple(wire.get("lanes", ())),
                earlier=wire.get("earlier"),
                about=wire.get("about"),
            )
        except (KeyError, TypeError):
            raise malformed("the input of the execution is not a job of Pipelex") from None


def malformed(detail: str) -> PipelexError:
    """The error of what travelled and cannot be read."""
    return PipelexError("request.malformed", detail, category=ErrorCategory.CONTENT, params={"reason": "not_json"})
