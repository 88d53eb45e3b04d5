"""Values that cross the runtime port: frozen pydantic models of plain JSON.

They can cross process boundaries, and hold nothing executable.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema

from pipelex.content.stuff import Absence, Json, Stuff
from pipelex.pipes.references import read_value


class Wire(BaseModel):
    """Base of everything that crosses the port. Only members that were set are written to a payload."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def sparse(cls, **members: Any) -> Self:
        """An instance in which only members that differ from their defaults are set, so only these are written."""
        fields = cls.model_fields
        return cls(
            **{
                name: value
                for name, value in members.items()
                if value is not None and value not in ((), {}) and value != fields[name].default
            }
        )


def _read_stuff(value: Any) -> Stuff:
    if isinstance(value, Stuff):
        return value
    try:
        return read_value(value)
    except (KeyError, TypeError, ValueError):
        raise ValueError('not an object {"concept": …, "content": …}') from None


def _write_stuff(value: Stuff) -> dict[str, Json]:
    return value.to_json()


def _read_absence(value: Any) -> Absence:
    return value if isinstance(value, Absence) else Absence.from_json(value)


StuffWire = Annotated[
    Stuff, PlainValidator(_read_stuff), PlainSerializer(_write_stuff), WithJsonSchema({"type": "object"})
]
AbsenceWire = Annotated[
    Absence, PlainValidator(_read_absence), PlainSerializer(Absence.to_json), WithJsonSchema({"type": "object"})
]
