"""JSON as a type, and the narrowing of a JSON value to what its reader expects.

The alias uses the read-only `Sequence` and `Mapping`, so a `dict[str, str]` is a JSON value without a cast. Nothing in
this package changes a value that it did not build itself. A `str` is a sequence, too, so test for it, or for `list`,
before `Sequence`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

JsonScalar: TypeAlias = str | int | float | bool | None
"""A JSON value that holds no other: a string, a number, a boolean or null."""

if TYPE_CHECKING:
    Json: TypeAlias = "JsonScalar | Sequence[Json] | Mapping[str, Json]"
    """A JSON value. Treat it as immutable: nothing in this package changes a value that it did not build itself."""
else:
    # pydantic reads the annotations of values that cross a process boundary, and would check and copy all their JSON.
    Json = Any

_Kind = TypeVar("_Kind", str, int, float, bool)


class UnexpectedJson(TypeError):
    """A JSON value is of another type than its reader expects."""

    def __init__(self, value: object, expected: str) -> None:
        super().__init__(f"{expected} is expected here, not {type(value).__name__}")


def as_object(value: Json) -> Mapping[str, Json]:
    """The value, which is a JSON object.

    Raises:
        UnexpectedJson: it is something else.
    """
    if isinstance(value, Mapping):
        return value
    raise UnexpectedJson(value, "an object")


def as_array(value: Json) -> Sequence[Json]:
    """The value, which is a JSON array.

    Raises:
        UnexpectedJson: it is something else.
    """
    if isinstance(value, list | tuple):
        return value
    raise UnexpectedJson(value, "an array")


def as_objects(value: Json) -> list[Mapping[str, Json]]:
    """The items of the value, which is an array of JSON objects.

    Raises:
        UnexpectedJson: the value, or one of its items, is something else.
    """
    return [as_object(item) for item in as_array(value)]


def as_texts(value: Json) -> tuple[str, ...]:
    """The items of the value, which is an array of strings.

    Raises:
        UnexpectedJson: the value, or one of its items, is something else.
    """
    return tuple(exactly(item, str) for item in as_array(value))


def exactly(value: Json, kind: type[_Kind]) -> _Kind:
    """The value, which is a scalar of the given type; a whole number is accepted as a float.

    Raises:
        UnexpectedJson: it is something else.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, kind) if kind in (str, bool) else is_whole or (kind is float and isinstance(value, float)):
        return cast("_Kind", value)
    raise UnexpectedJson(value, kind.__name__)


def maybe(value: Json, kind: type[_Kind]) -> _Kind | None:
    """The value as `exactly` reads it, or None where it is null.

    Raises:
        UnexpectedJson: it is something else.
    """
    return None if value is None else exactly(value, kind)
