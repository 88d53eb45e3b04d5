"""Makes files for authors to start from: example inputs and outputs of a pipe, and concepts as Python classes.

Source: part A of the command line reference (`build`), section 10.1 of the language reference for inputs.
"""

import keyword
from collections.abc import Iterable, Iterator
from typing import Final, cast

from pipelex.content.structure import (
    LIGHT_FIELDS,
    ChoiceShape,
    DictShape,
    FieldShape,
    ListShape,
    ObjectShape,
    ScalarKind,
    ScalarShape,
    Shape,
    example,
    json_schema,
    nested_objects,
)
from pipelex.errors import Json
from pipelex.language.references import Reference, Slot
from pipelex.library import Library, Pipe

_LIST_ITEMS: Final = 2
_PYTHON: Final[dict[ScalarKind, str]] = {
    "text": "str",
    "url": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "date": "datetime.date",
    "datetime": "datetime.datetime",
    "time": "datetime.time",
}


def example_inputs(library: Library, pipe: Pipe, *, is_explicit: bool = False) -> dict[str, Json]:
    """Made-up inputs of a pipe that a run accepts; always the same.

    Args:
        library: the library that the pipe belongs to.
        pipe: the pipe that takes the inputs; optional inputs are included.
        is_explicit: whether to write `{concept, content}` envelopes instead of bare values.
    """
    return {name: _example_input(library, name, slot, is_explicit) for name, slot in pipe.inputs.items()}


def _example_input(library: Library, name: str, slot: Slot, is_explicit: bool) -> Json:
    base = library.native_base(slot.concept)
    # Native concepts without a bare form are read by shape, so only an envelope says what they are.
    is_bare = base is None or base in LIGHT_FIELDS or base == "Anything"
    shape = library.shape(slot.concept)
    names = [name]
    if slot.is_list:
        names = [f"{name}_{rank}" for rank in range(1, (slot.count or _LIST_ITEMS) + 1)]
    values = [example(shape, light=is_bare and not is_explicit, seed_text=each) for each in names]
    content = values if slot.is_list else values[0]
    if is_bare and not is_explicit:
        return content
    return {"concept": wire_concept(slot.concept), "content": content}


def wire_concept(ref: str) -> str:
    """A concept reference in the wire form of values, in which a dependency's has `::`."""
    return ref.replace("->", "::", 1)


def example_output(library: Library, pipe: Pipe) -> Json:
    """A made-up result of a pipe: the bare content, or `{"items": […]}` for a list."""
    shape = library.shape(pipe.output.concept)
    if pipe.output.is_list:
        count = pipe.output.count or _LIST_ITEMS
        return {"items": [example(shape, seed_text=f"{pipe.code}_{rank}") for rank in range(1, count + 1)]}
    return example(shape, seed_text=pipe.code)


def slot_shape(library: Library, slot: Slot) -> Shape:
    """The shape of a slot's content in a result."""
    shape = library.shape(slot.concept)
    return ListShape(shape) if slot.is_list else shape


def output_schema(library: Library, pipe: Pipe) -> dict[str, Json]:
    """The JSON Schema of a pipe's result, as a complete document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **result_schema(library, pipe.output)}


def result_schema(library: Library, slot: Slot) -> dict[str, Json]:
    """The JSON Schema of a slot's content in a result, where a list is an object with `items`."""
    schema = json_schema(library.shape(slot.concept))
    if not slot.is_list:
        return schema
    definitions = schema.pop("$defs", None)
    items = list_schema(schema, slot.count)
    whole: dict[str, Json] = {"type": "object", "properties": {"items": items}, "required": ["items"]}
    return whole if definitions is None else {**whole, "$defs": definitions}


def list_schema(item: dict[str, Json], count: int | None) -> dict[str, Json]:
    """The JSON Schema of an array of items; with a count, of exactly that many."""
    schema: dict[str, Json] = {"type": "array", "items": item}
    return schema if count is None else {**schema, "minItems": count, "maxItems": count}


def toml_text(values: dict[str, Json]) -> str:
    """Example inputs as a TOML file; members without a value are left out."""
    import tomlkit

    return cast("str", tomlkit.dumps(_without_nulls(values)))  # type: ignore[reportUnknownMemberType]


def _without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value if inner is not None]
    return value


# --- Python classes ---------------------------------------------------------------------------------------------------


def python_modules(library: Library) -> dict[str, str]:
    """File name → text of a module of pydantic classes, for each domain of the package that declares concepts.

    A module imports no other: it also has the classes of other domains' and native concepts that its concepts contain.
    """
    domains: dict[str, list[str]] = {}
    for ref in library.crate.concepts:
        reference = Reference.parse(ref)
        if reference.package is None:
            domains.setdefault(reference.domain or "", []).append(ref)
    return {
        f"{domain.replace('.', '__')}.py": python_module(library, refs, f"Concepts of the domain `{domain}`.")
        for domain, refs in domains.items()
    }


def python_module(library: Library, refs: Iterable[str], docstring: str) -> str:
    """The text of a Python module with a pydantic class for each concept, and for every concept that they contain."""
    shapes: dict[str, ObjectShape] = {}
    for ref in refs:
        for found in nested_objects(library.shape(ref)):
            shapes.setdefault(found.concept, found)
    names = _class_names(shapes)
    writer = _ClassWriter(names)
    classes = [writer.write(shape) for shape in _parts_first(shapes)]
    body = "\n\n\n".join(classes)
    imports = ["import datetime"] if "datetime." in body else []
    typing = [name for name in ("Any", "Literal") if f"{name}[" in body or f": {name}" in body or f" {name}" in body]
    lines = [f"from typing import {', '.join(typing)}"] if typing else []
    head = [*imports, *lines]
    return "\n".join(
        [
            f'"""{_plain(docstring)}"""',
            "",
            *head,
            *([""] if head else []),
            "from pydantic import BaseModel, ConfigDict, Field",
            "",
            "",
            body or "__all__: list[str] = []",
            "",
        ]
    )


def _class_names(shapes: dict[str, ObjectShape]) -> dict[str, str]:
    """Concept → class name: the code, prefixed with the domain if two concepts share the code."""
    codes = [shape.title for shape in shapes.values()]
    names: dict[str, str] = {}
    for ref, shape in shapes.items():
        is_shared = codes.count(shape.title) > 1 or shape.title in (
            "Any",
            "Literal",
            "BaseModel",
            "ConfigDict",
            "Field",
        )
        domain = "".join(part.capitalize() for part in (Reference.parse(ref).domain or "").replace(".", "_").split("_"))
        names[ref] = f"{domain}{shape.title}" if is_shared else shape.title
    return names


def _parts_first(shapes: dict[str, ObjectShape]) -> Iterator[ObjectShape]:
    written: set[str] = set()
    waiting = list(reversed(shapes.values()))
    while waiting:
        current = waiting[-1]
        parts = [part for part in nested_objects(current) if part.concept != current.concept]
        missing = [part for part in parts if part.concept not in written]
        if current.concept in written or not missing:
            waiting.pop()
            if current.concept not in written:
                written.add(current.concept)
                yield current
        else:
            waiting.extend(shapes[part.concept] for part in missing)


class _ClassWriter:
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def write(self, shape: ObjectShape) -> str:
        lines = [
            f"class {self._names[shape.concept]}(BaseModel):",
            f'    """{_plain(shape.description)}"""',
            "",
            '    model_config = ConfigDict(extra="forbid", populate_by_name=True)',
        ]
        for field in shape.fields:
            lines += ["", f"    {self._field(field)}"]
        return "\n".join(lines)

    def _field(self, field: FieldShape) -> str:
        annotation = self._type(field.shape)
        members: list[str] = []
        if field.required:
            pass
        elif field.default is not None:
            members.append(f"default={field.default!r}")
        else:
            annotation = annotation if annotation == "Any" else f"{annotation} | None"
            members.append("default=None")
        name = field.name
        if keyword.iskeyword(name) or name in self._names.values():
            members.append(f"alias={name!r}")
            name = f"{name}_"
        members.append(f"description={field.description!r}")
        if isinstance(field.shape, ScalarShape):
            bounds = {"ge": field.shape.minimum, "le": field.shape.maximum}
            members += [f"{key}={value!r}" for key, value in bounds.items() if value is not None]
        if isinstance(field.default, str) and isinstance(field.shape, ScalarShape) and "datetime" in annotation:
            members.append("validate_default=True")
        return f"{name}: {annotation} = Field({', '.join(members)})"

    def _type(self, shape: Shape) -> str:
        if isinstance(shape, ObjectShape):
            return self._names[shape.concept]
        if isinstance(shape, ListShape):
            return f"list[{self._type(shape.items)}]"
        if isinstance(shape, DictShape):
            return f"dict[{_PYTHON[shape.keys]}, {self._type(shape.values)}]"
        if isinstance(shape, ChoiceShape):
            return f"Literal[{', '.join(map(repr, shape.choices))}]"
        return _PYTHON[shape.kind] if isinstance(shape, ScalarShape) else "Any"


def _plain(text: str) -> str:
    """A text in a form that can be used inside triple quotes."""
    flat = " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
    return flat or "No description."
