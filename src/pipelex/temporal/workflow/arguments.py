"""Reads the arguments of workflows. An argument that cannot be read ends the run, instead of repeating a task for ever.

Workflows ask the SDK for raw values. If there are fewer arguments than parameters, the SDK nevertheless reads them
itself, as plain JSON. This happens when somebody starts a workflow by hand and leaves out the last arguments.
"""

from typing import Any, Final, TypeVar, cast, get_origin

from pydantic import TypeAdapter
from pydantic_core import ValidationError, to_json
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from pipelex.durable.entry import WRITTEN_JOB
from pipelex.errors import PipelexError
from pipelex.temporal.workflow.refusals import malformed

T = TypeVar("T")

NOTHING: Final = RawValue(Payload())
"""An argument that was left out."""


def read(argument: object, kind: type[T], *, what: str) -> T:
    """The value of an argument of a workflow.

    Args:
        argument: a raw value, or the plain JSON value that the SDK read.
        kind: its type.
        what: the argument, for the message: `the first argument (the job)`.

    Raises:
        PipelexError: the argument is missing or cannot be read (`request.malformed`).
    """
    if argument is NOTHING:
        raise malformed(f"{what} is missing", "missing_argument", WRITTEN_JOB)
    return _of_kind(_value(argument, kind, what), kind, what)


def read_optional(argument: object, kind: type[T], *, what: str) -> T | None:
    """The value of an argument that may be null or left out; see `read`."""
    if argument is NOTHING or argument is None:
        return None
    found = _value(argument, cast("type[T]", kind | None), what)
    return None if found is None else _of_kind(found, kind, what)


def _of_kind(found: object, kind: type[T], what: str) -> T:
    """Check a value's type: for some encodings, the SDK returns null, bytes or a protobuf message whatever is asked."""
    if not isinstance(found, get_origin(kind) or kind):
        name = "null" if found is None else type(found).__name__
        raise malformed(f"{what} has the wrong type: {name}", "invalid_argument", WRITTEN_JOB)
    return cast("T", found)


def _value(argument: object, kind: type[T], what: str) -> T | None:
    try:
        if isinstance(argument, RawValue):
            return workflow.payload_converter().from_payload(argument.payload, kind)
        return _adapter(kind).validate_python(argument)
    except PipelexError:
        raise
    except ValidationError as invalid:
        raise malformed(f"{what} cannot be read: {_first(invalid)}", "invalid_argument", WRITTEN_JOB) from None
    except Exception as unreadable:
        raise malformed(f"{what} cannot be read: {unreadable}", "invalid_argument", WRITTEN_JOB) from None


def crate_bytes(argument: object) -> bytes:
    """The JSON of the crate in an argument of a workflow. It is parsed later, when the crate is linked.

    Raises:
        PipelexError: the argument is missing or not an object (`request.malformed`).
    """
    what = "the second argument (the crate)"
    if argument is NOTHING:
        raise malformed(f"{what} is missing", "missing_argument", WRITTEN_JOB)
    if isinstance(argument, RawValue):
        return argument.payload.data
    if not isinstance(argument, dict):
        raise malformed(f"{what} is not an object", "invalid_argument", WRITTEN_JOB)
    return to_json(argument)


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def _first(invalid: ValidationError) -> str:
    found: Any = invalid.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, found["loc"]))
    return f"{place}: {found['msg']}" if place else str(found["msg"])
