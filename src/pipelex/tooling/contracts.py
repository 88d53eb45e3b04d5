"""Contracts of a library's pipes for programs, and forms for their inputs and outputs.

Source: section 8 of the protocol's reference. The formats are closed. A contract always has every member; `item_count`
is null if no number is fixed. A node of a form only has members that apply to it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from pipelex.content.structure import (
    ChoiceShape,
    FieldShape,
    ListShape,
    ObjectShape,
    ScalarShape,
    Shape,
    json_schema,
)
from pipelex.errors import Json
from pipelex.language.blueprints import FieldBlueprint
from pipelex.language.references import Presence, Slot
from pipelex.library import Library, Pipe
from pipelex.tooling.build import list_schema, result_schema, wire_concept

_MOST_NODES: Final = 10_000
"""The maximum number of nodes of a form. Structures may share parts, so a small declaration can unfold into a form that
is too large to show."""

_PRESENCES: Final[Mapping[Presence, str]] = {"plain": "plain", "optional": "optional", "forced": "force"}

_NATIVE_KINDS: Final[Mapping[str, Mapping[str, Json]]] = {
    "Text": {"kind": "prose"},
    "Markdown": {"kind": "prose"},
    "Number": {"kind": "number", "integer": False},
    "YesNo": {"kind": "boolean"},
    "Date": {"kind": "date", "datetime": False},
    "Time": {"kind": "text", "format": "time"},
    "Image": {"kind": "image"},
    "Document": {"kind": "document"},
}
_SCALAR_KINDS: Final[Mapping[str, Mapping[str, Json]]] = {
    "text": {"kind": "text"},
    "url": {"kind": "text", "format": "uri"},
    "integer": {"kind": "number", "integer": True},
    "number": {"kind": "number", "integer": False},
    "boolean": {"kind": "boolean"},
    "date": {"kind": "date", "datetime": False},
    "datetime": {"kind": "date", "datetime": True},
    "time": {"kind": "text", "format": "time"},
}


def contract_files(library: Library) -> dict[str, dict[str, Json]]:
    """The documents beside a result: file name → document, with an entry for every pipe of the library."""

    def of_every_pipe(make: Callable[[Library, Pipe], dict[str, Json]]) -> dict[str, Json]:
        return {ref: make(library, pipe) for ref, pipe in library.pipes.items()}

    return {
        "pipe_io_contracts.json": of_every_pipe(pipe_io_contract),
        "input_form.json": of_every_pipe(input_form),
        "output_form.json": of_every_pipe(output_form),
    }


def pipe_io_contract(library: Library, pipe: Pipe) -> dict[str, Json]:
    """The contract of one pipe: concept, presence, number and JSON Schema of each input, and of the output."""
    return {
        "inputs": {
            name: {
                "concept_ref": wire_concept(slot.concept),
                "presence": _presence(slot),
                **_number(slot),
                "json_schema": _argument_schema(library, slot),
            }
            for name, slot in pipe.inputs.items()
        },
        "output": {
            "concept_ref": wire_concept(pipe.output.concept),
            **_number(pipe.output),
            "optional": _presence(pipe.output) == "optional",
            "json_schema": result_schema(library, pipe.output),
        },
    }


def _presence(slot: Slot) -> str:
    return "plain" if slot.is_list else _PRESENCES[slot.presence]


def _number(slot: Slot) -> dict[str, Json]:
    if not slot.is_list:
        return {"multiplicity": "single", "item_count": None}
    return {"multiplicity": "variable" if slot.count is None else "fixed", "item_count": slot.count}


def _argument_schema(library: Library, slot: Slot) -> dict[str, Json]:
    """The schema of an argument: a content, or a bare array of contents."""
    schema = json_schema(library.shape(slot.concept))
    if not slot.is_list:
        return schema
    definitions = schema.pop("$defs", None)
    array = list_schema(schema, slot.count)
    return array if definitions is None else {**array, "$defs": definitions}


def input_form(library: Library, pipe: Pipe) -> dict[str, Json]:
    """The form for running a pipe: `{"fields": [node, …]}`, with a node for each input, in declared order."""
    maker = _FormMaker(library)
    return {"fields": [maker.input(name, slot, pipe) for name, slot in pipe.inputs.items()]}


def output_form(library: Library, pipe: Pipe) -> dict[str, Json]:
    """The form that shows a pipe's result: `{"field": node}`."""
    return {"field": _FormMaker(library).slot("output", pipe.output, hints={})}


class _FormMaker:
    def __init__(self, library: Library) -> None:
        self._library = library
        self._left = _MOST_NODES

    def input(self, name: str, slot: Slot, pipe: Pipe) -> dict[str, Json]:
        node = self.slot(name, slot, hints=pipe.blueprint.inputs[name].hints or {})
        is_open_list = slot.is_list and slot.count is None  # the empty list is a valid initial value
        return {**node, "presence": _presence(slot), "gating": node["required"] and not is_open_list}

    def slot(self, name: str, slot: Slot, *, hints: Mapping[str, str]) -> dict[str, Json]:
        shape = self._library.shape(slot.concept)
        required = slot.is_list or slot.presence != "optional"
        if not slot.is_list:
            return self.node(shape, name=name, required=required, concept=slot.concept, hints=hints)
        node = self._list(name, required, {}, shape, slot.concept, hints)
        if slot.count is not None:
            node["item_count"] = slot.count
        return node

    def node(
        self,
        shape: Shape,
        *,
        required: bool,
        hints: Mapping[str, str],
        name: str | None = None,
        concept: str | None = None,
        description: str | None = None,
    ) -> dict[str, Json]:
        """Make one node. Only the item of a list has no name."""
        self._left -= 1
        facts: dict[str, Json] = {} if description is None else {"description": description}
        if isinstance(shape, ListShape) and self._left >= 0:
            inner = shape.items.concept if isinstance(shape.items, ObjectShape) else None
            return self._list(name, required, facts, shape.items, inner, hints)
        facts |= self._concept_facts(concept, hints, is_described=description is not None)
        kind: dict[str, Json] = self._kind(shape) if self._left >= 0 else {"kind": "unknown"}
        return {**_head(kind, name), "required": required, **facts}

    def _list(
        self,
        name: str | None,
        required: bool,
        facts: Mapping[str, Json],
        item: Shape,
        concept: str | None,
        hints: Mapping[str, str],
    ) -> dict[str, Json]:
        """The node of a list, which has the concept and the hints of its items, like the node of the item."""
        more = self._concept_facts(concept, hints, is_described="description" in facts)
        node = self.node(item, required=True, concept=concept, hints=hints)
        return {**_head({"kind": "list"}, name), "required": required, **facts, **more, "item": node}

    def _kind(self, shape: Shape) -> dict[str, Json]:
        match shape:
            case ObjectShape():
                known = _NATIVE_KINDS.get(shape.native or "")
                if known is not None:
                    return dict(known)
                return {"kind": "object", "fields": [self._field(shape, field) for field in shape.fields]}
            case ChoiceShape():
                return {"kind": "enum", "choices": list(shape.choices)}
            case ScalarShape():
                bounds = {"minimum": shape.minimum, "maximum": shape.maximum}
                return {
                    **_SCALAR_KINDS[shape.kind],
                    **{key: bound for key, bound in bounds.items() if bound is not None},
                }
            case _:
                return {"kind": "unknown"}

    def _concept_facts(self, ref: str | None, hints: Mapping[str, str], *, is_described: bool) -> dict[str, Json]:
        if ref is None:
            return {"hints": dict(hints)} if hints else {}
        facts: dict[str, Json] = {"concept_ref": wire_concept(ref)}
        chain = [wire_concept(ancestor) for ancestor in self._library.lineage(ref)][1:]
        if chain:
            facts["refines"] = chain
        description = self._library.concept(ref).description
        if description and not is_described:
            facts["description"] = description
        merged = {**self._concept_hints(ref), **hints}  # the nearer site wins, key by key
        return {**facts, "hints": merged} if merged else facts

    def _concept_hints(self, ref: str) -> dict[str, str]:
        merged: dict[str, str] = {}
        for ancestor in reversed(list(self._library.lineage(ref))):
            blueprint = self._library.concept(ancestor).blueprint
            if blueprint is not None:
                merged |= blueprint.hints or {}
        return merged

    def _field(self, owner: ObjectShape, field: FieldShape) -> dict[str, Json]:
        node = self.node(
            field.shape,
            name=field.name,
            required=field.required,
            hints=self._field_hints(owner.concept, field.name),
            concept=field.shape.concept if isinstance(field.shape, ObjectShape) else None,
            description=field.description or None,
        )
        return node if field.default is None else {**node, "default_value": field.default}

    def _field_hints(self, ref: str, field: str) -> Mapping[str, str]:
        for ancestor in self._library.lineage(ref):
            blueprint = self._library.concept(ancestor).blueprint
            structure = blueprint.structure if blueprint is not None else None
            entry = structure.get(field) if isinstance(structure, dict) else None
            if isinstance(entry, FieldBlueprint):
                return entry.hints or {}
        return {}


def _head(kind: dict[str, Json], name: str | None) -> dict[str, Json]:
    """The members of a node, with its kind and name first."""
    return kind if name is None else {"kind": kind.pop("kind"), "name": name, **kind}
