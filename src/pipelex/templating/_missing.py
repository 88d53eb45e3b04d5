"""Missing values in templates.

An optional value that was left out is null: it equals none, prints as an empty text, and only fails if a value is
needed.
"""

from typing import Any, Final, NoReturn, cast

from jinja2 import ChainableUndefined, StrictUndefined, Undefined

from pipelex.content.structure import AnyShape, ListShape, ObjectShape, Shape, describe
from pipelex.errors import near_names
from pipelex.templating._budget import fail

_MOST_NAMES: Final = 12


class Shaped:
    """A value of a template whose shape is known."""

    __slots__ = ()

    template_shape: Shape


class Missing(ChainableUndefined):
    """A name, a field or a member that does not exist."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return reason(self)

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(None)

    def _no_order(self, other: object) -> NoReturn:
        del other
        fail(f"{reason(self)}, so it cannot be compared", variable=self._undefined_name)

    __lt__ = __le__ = __gt__ = __ge__ = _no_order


class StrictMissing(StrictUndefined):
    """A missing value like `Missing`, except that printing it is an error."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return reason(self)

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(None)


class Null(Missing):
    """An optional value that was left out. Fields that its shape has are null as well."""

    __slots__ = ("template_shape",)

    def __init__(self, shape: Shape, path: str) -> None:
        super().__init__(name=path)
        self.template_shape = shape

    def member(self, name: str) -> "Missing":
        """The value of a field of this value: null if the shape may have it, otherwise missing."""
        shape = self.template_shape
        if isinstance(shape, ObjectShape):
            field = shape.field(name)
            return Missing(obj=self, name=name) if field is None else Null(field.shape, f"{self.path}.{name}")
        if isinstance(shape, ListShape) and name == "items":
            return self
        return Null(AnyShape(), f"{self.path}.{name}")

    @property
    def path(self) -> str:
        return str(self._undefined_name)


def is_nothing(value: object) -> bool:
    """Whether there is no value: it is none, was left out, or does not exist."""
    return value is None or isinstance(value, Undefined)


def is_something(value: object) -> bool:
    """Whether there is a value."""
    return not is_nothing(value)


def reason(missing: Undefined) -> str:
    """The reason why there is no value, as the beginning of a sentence."""
    if missing._undefined_hint:
        return missing._undefined_hint
    name = str(missing._undefined_name)
    if isinstance(missing, Null):
        return f"'{name}' has no value"
    owner: Any = missing._undefined_obj
    shape = owner.template_shape if isinstance(owner, Shaped | Null) else None
    if isinstance(shape, ObjectShape):
        return f"'{shape.title}' has no field '{name}'{_known(name, shape)}"
    if isinstance(shape, ListShape):
        return f"a list has no field '{name}': take its items one by one"
    if isinstance(owner, str | bool | int | float | list | dict) and missing._undefined_obj is not None:
        return f"{describe(cast('object', owner))} has no field '{name}'"
    return f"'{name}' is not there"


def _known(name: str, shape: ObjectShape) -> str:
    names = [field.name for field in shape.fields]
    near = near_names(name, names, most=1)
    if near:
        return f" (did you mean '{near[0]}'?)"
    shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    return f" (its fields are {shown})" if names else ""
