"""Shapes describe the structure of contents, for checks, schemas and made-up values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, cast, get_args

from pipelex.errors.json import Json, as_array, as_object, as_objects, as_texts, exactly, maybe

ScalarKind = Literal["text", "url", "integer", "number", "boolean", "date", "datetime", "time"]
"""The kinds of simple values. `url` is a text that only native concepts have."""

_SCALAR_KINDS: Final = frozenset(get_args(ScalarKind))


@dataclass(frozen=True, slots=True)
class ScalarShape:
    """A single simple value; dates and times are ISO 8601 strings."""

    kind: ScalarKind
    minimum: float | None = None
    maximum: float | None = None
    """Bounds of a number, both inclusive."""


@dataclass(frozen=True, slots=True)
class ChoiceShape:
    """One of a few words."""

    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListShape:
    """An array of values of one shape."""

    items: "Shape"


@dataclass(frozen=True, slots=True)
class DictShape:
    """An object with free keys. Keys are strings in JSON; each must be readable as a value of kind `keys`."""

    values: "Shape"
    keys: ScalarKind = "text"
    holds_contents: bool = False
    """Whether each value is the content of some concept, as the parts of a `Composite` are."""


@dataclass(frozen=True, slots=True)
class AnyShape:
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field of an object."""

    name: str
    description: str
    shape: "Shape"
    required: bool = False
    default: Json = None
    """The default as plain JSON; None when the field has none."""


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """The content of a concept that has fields.

    A concept has only one shape, so shapes with the same `concept` are equal.
    """

    concept: str
    """The concept with its domain, for example `native.Image` or `harbour.Berth`."""
    description: str
    fields: tuple[FieldShape, ...]
    native: str | None = None
    """The code of the native concept that this one is or refines, for example `Image`; None for an author's own
    structure."""
    together: tuple[tuple[str, ...], ...] = ()
    """Groups of fields that are present all together or not at all."""

    @property
    def title(self) -> str:
        """The concept's code."""
        return self.concept.rpartition(".")[2]

    def field(self, name: str) -> FieldShape | None:
        """The field of that name."""
        return next((field for field in self.fields if field.name == name), None)

    @property
    def is_flat(self) -> bool:
        """Whether every field is a simple value, so that a table row can hold the object."""
        return all(isinstance(field.shape, ScalarShape | ChoiceShape) for field in self.fields)


Shape: TypeAlias = ScalarShape | ChoiceShape | ListShape | DictShape | AnyShape | ObjectShape


def declared_field(
    name: str,
    description: str,
    *,
    type: str | None,
    required: bool = False,
    default_value: Json = None,
    choices: Sequence[str] | None = None,
    key_type: str | None = None,
    value_type: str | None = None,
    item_type: str | None = None,
    concept: Shape | None = None,
) -> FieldShape:
    """The shape of a field that an author declared and the language layer has checked.

    Args:
        name: the field's name.
        description: the description that models are given.
        type: one of the ten type names; None beside `choices`.
        required: whether the field must be present.
        default_value: a TOML value of the field's type.
        choices: the words of an enumeration; None for a field of another kind.
        key_type: the type of the keys, for `dict`.
        value_type: the type of the values, for `dict`; `Any`, or an unknown name, leaves them unspecified.
        item_type: the type of the items, for `list`; None, or an unknown name, leaves them unspecified.
        concept: the shape behind `concept_ref` or `item_concept_ref`.
    """
    shape: Shape
    if choices is not None:
        shape = ChoiceShape(tuple(choices))
    elif type == "list":
        shape = ListShape(_named_shape(item_type, concept))
    elif type == "dict":
        shape = DictShape(_named_shape(value_type, None), _key_kind(key_type))
    else:
        shape = _named_shape(type, concept)
    default = None if default_value is None else to_plain_json(default_value)
    return FieldShape(name, description, shape, required, default)


def _named_shape(name: str | None, concept: Shape | None) -> Shape:
    if name == "concept" and concept is not None:
        return concept
    if name == "list":
        return ListShape(AnyShape())
    if name == "dict":
        return DictShape(AnyShape())
    if name in _SCALAR_KINDS and name != "url":
        return ScalarShape(cast("ScalarKind", name))
    return AnyShape()


def _key_kind(name: str | None) -> ScalarKind:
    return cast("ScalarKind", name) if name in _SCALAR_KINDS and name != "url" else "text"


def refined(shape: Shape, concept: str, description: str) -> Shape:
    """The shape of a concept that refines another. A concept that has only a description refines Text."""
    return replace(shape, concept=concept, description=description) if isinstance(shape, ObjectShape) else shape


def to_plain_json(value: object) -> Json:
    """A value read from TOML as plain JSON: dates and times become ISO strings, and the rest stays as it is."""
    if isinstance(value, Mapping):
        return {str(key): to_plain_json(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [to_plain_json(item) for item in cast("Sequence[object]", value)]
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if isoformat is not None else cast("Json", value)


def reach(shape: Shape, path: Sequence[str]) -> Shape | None:
    """The shape behind a dotted path, `("text_and_images", "images")`; None when a step names no field.

    A list is passed through: the step applies to its items. Every path into an open shape leads to an open shape.
    """
    for name in path:
        while isinstance(shape, ListShape):
            shape = shape.items
        if isinstance(shape, ObjectShape):
            field = shape.field(name)
            if field is None:
                return None
            shape = field.shape
        elif isinstance(shape, DictShape):
            shape = shape.values
        elif not isinstance(shape, AnyShape):
            return None
    return shape


def nested_objects(shape: Shape) -> Iterator[ObjectShape]:
    """Every object inside a shape, the shape itself included: each concept once, the outermost first."""
    seen: set[str] = set()
    pending: list[Shape] = [shape]
    while pending:
        current = pending.pop()
        if isinstance(current, ListShape):
            pending.append(current.items)
        elif isinstance(current, DictShape):
            pending.append(current.values)
        elif isinstance(current, ObjectShape) and current.concept not in seen:
            seen.add(current.concept)
            yield current
            pending.extend(field.shape for field in reversed(current.fields))


# --- wire form --------------------------------------------------------------------------------------------------------


def shape_to_json(shape: Shape) -> dict[str, Json]:
    """A shape as plain JSON. Each object is written once, under `objects`; every other place refers to it by name."""
    objects = {found.concept: _object_to_json(found) for found in nested_objects(shape)}
    return {"shape": _to_json(shape), "objects": objects}


def _to_json(shape: Shape) -> Json:
    if isinstance(shape, ScalarShape):
        bounds = {"minimum": shape.minimum, "maximum": shape.maximum}
        return {"kind": shape.kind} | {name: bound for name, bound in bounds.items() if bound is not None}
    if isinstance(shape, ChoiceShape):
        return {"kind": "choice", "choices": list(shape.choices)}
    if isinstance(shape, ListShape):
        return {"kind": "list", "items": _to_json(shape.items)}
    if isinstance(shape, DictShape):
        contents = {"contents": True} if shape.holds_contents else {}
        return {"kind": "dict", "keys": shape.keys, "values": _to_json(shape.values), **contents}
    if isinstance(shape, ObjectShape):
        return {"kind": "object", "concept": shape.concept}
    return {"kind": "any"}


def _object_to_json(shape: ObjectShape) -> Json:
    entries: list[Json] = []
    for field in shape.fields:
        entry: dict[str, Json] = {"name": field.name, "description": field.description, "shape": _to_json(field.shape)}
        if field.required:
            entry["required"] = True
        if field.default is not None:
            entry["default"] = field.default
        entries.append(entry)
    written: dict[str, Json] = {"description": shape.description, "fields": entries}
    if shape.native is not None:
        written["native"] = shape.native
    if shape.together:
        written["together"] = [list(group) for group in shape.together]
    return written


def shape_from_json(data: Mapping[str, Json]) -> Shape:
    """The inverse of `shape_to_json`.

    Raises:
        ValueError: the data refers to an object that it does not contain, or an object contains itself.
    """
    return _ShapeReader(as_object(data["objects"])).read(data["shape"], ())


class _ShapeReader:
    """Reads shapes that name each other, each object once."""

    def __init__(self, written: Mapping[str, Json]) -> None:
        self._written = written
        self._objects: dict[str, ObjectShape] = {}

    def read(self, data: Json, above: tuple[str, ...]) -> Shape:
        table = as_object(data)
        kind = table["kind"]
        if kind == "choice":
            return ChoiceShape(as_texts(table["choices"]))
        if kind == "list":
            return ListShape(self.read(table["items"], above))
        if kind == "dict":
            values, keys = self.read(table["values"], above), cast("ScalarKind", table["keys"])
            return DictShape(values, keys, exactly(table.get("contents", False), bool))
        if kind == "any":
            return AnyShape()
        if kind == "object":
            return self._object(exactly(table["concept"], str), above)
        bounds = [maybe(table.get(name), float) for name in ("minimum", "maximum")]
        return ScalarShape(cast("ScalarKind", kind), *bounds)

    def _object(self, concept: str, above: tuple[str, ...]) -> ObjectShape:
        if concept not in self._objects:
            if concept in above or concept not in self._written:
                raise ValueError(f"the shape of '{concept}' is missing or contains itself")
            entry = as_object(self._written[concept])
            fields = tuple(self._field(field, (*above, concept)) for field in as_objects(entry["fields"]))
            together = tuple(as_texts(group) for group in as_array(entry.get("together", ())))
            description, native = exactly(entry["description"], str), maybe(entry.get("native"), str)
            self._objects[concept] = ObjectShape(concept, description, fields, native, together)
        return self._objects[concept]

    def _field(self, field: Mapping[str, Json], above: tuple[str, ...]) -> FieldShape:
        return FieldShape(
            exactly(field["name"], str),
            exactly(field["description"], str),
            self.read(field["shape"], above),
            exactly(field.get("required", False), bool),
            field.get("default"),
        )
