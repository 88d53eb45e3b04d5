"""Values as they travel on the platform: plain JSON or, if they are large, a reference into the storage.

The input of an execution, and of the activity of an effect, is a JSON object with the members of `Carried`. A result is
a `CarriedValue`.
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
"""The only member of an execution's input if Pipelex started the execution; it holds the job."""
PREPARE: Final = "pipelex_prepare"
"""The local activity that makes a job from the inputs that an exposed pipe was started with."""

CarriedValue = dict[str, Any]
"""A JSON object: the value itself, or `{"$stored": {"key": …, "size": …}}`."""


def reference_to(stored: StoredPayload) -> CarriedValue:
    """The object that stands for a value in the storage."""
    return {STORED: stored.model_dump()}


def stored_in(value: Json) -> StoredPayload | None:
    """The reference in the object that stands for a value in the storage; None if the value itself travels.

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
    """The JSON of a value, with only the members that were set."""
    return value.model_dump_json(exclude_unset=True).encode()


def plain(data: bytes) -> Json:
    """The value that a JSON text contains."""
    return from_json(data)


def written(value: Json) -> bytes:
    """The inverse of `plain`."""
    return to_json(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The input of an execution, or of the activity of an effect."""

    job: CarriedValue | str
    """The job of the execution (see `pipelex.durable.jobs`) or of the effect. A client sends it as JSON text, because
    anything on the way to a worker may reorder the members of an object, and their order shows in prompts."""
    crate: CarriedValue | str | None = None
    """The crate that the job needs, as JSON text for the same reason."""
    large: Mapping[str, CarriedValue] | None = None
    """The large inputs that the job leaves out, by name. Each travels separately."""
    items: CarriedValue | None = None
    """The reference to a slice's items, if they are in the storage."""
    lanes: tuple[str, ...] = ()
    """The backends whose calls go through a queue with a rate limit, as configured where the run was started."""
    earlier: Mapping[str, Json] | None = None
    """The same run before a reset, whose results calls reuse; see `pipelex.pipes.calls.Reuse`. It is not in the job,
    whose bytes decide what goes to the storage and must stay the same for the history before the reset to replay."""
    about: Mapping[str, Json] | None = None
    """The facts about the job that its events report. Those of a run are in `pipelex.mistral_workflows.about`; an
    effect's are its summary, pipe and model."""

    def to_json(self) -> dict[str, Json]:
        """The JSON object that travels, without empty members."""
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
            PipelexError: the object is not a job of Pipelex.
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
            raise malformed("the input of the execution is not a Pipelex job") from None


def malformed(detail: str) -> PipelexError:
    """The error for a job, a reference or inputs that cannot be read."""
    return PipelexError("request.malformed", detail, category=ErrorCategory.CONTENT, params={"reason": "not_json"})
