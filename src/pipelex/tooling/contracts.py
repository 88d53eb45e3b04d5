"""What a pipe takes and gives, for programs and for forms.

Source: section 12.4 of the language reference. Members that do not apply are absent, never null.
"""

from collections.abc import Mapping
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
from pipelex.language.references import Slot
from pipelex.library import Library, Pipe
from pipelex.tooling.build import wire_concept

_MOST_NODES: Final = 10_000
"""Structures may share parts, so a small declaration can unfold into a form nobody could show."""

_NATIVE_KINDS: Final = {
    "Text": "text",
    "Markdown": "prose",
    "Number": "number",
    "YesNo": "boolean",
    "Date": "date",
    "Time": "text",
    "Image": "image",
    "Document": "document",
}
_SCALAR_KINDS: Final = {
    "text": "text",
    "url": "text",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "date",
    "time": "text",
}


def pipe_io_contracts(library: Library, pipe: Pipe) -> dict[str, Json]:
    """The contract of one pipe: concept, presence, number and JSON Schema of each input, and of the output."""
    return {
        "inputs": {
            name: {
                **_contract(library, slot),
                "presence": slot.presence,
                "json_schema": json_schema(library.shape(slot.concept)),
            }
            for name, slot in pipe.inputs.items()
        },
        "output": {
            **_contract(library, pipe.output),
            "optional": pipe.output.presence == "optional",
            "json_schema": json_schema(library.shape(pipe.output.concept)),
        },
    }


def _contract(library: Library, slot: Slot) -> dict[str, Json]:
    found: dict[str, Json] = {
        "concept_ref": wire_concept(slot.concept),
        "multiplicity": "list" if slot.is_list else "single",
    }
    if slot.count is not None:
        found["item_count"] = slot.count
    return found


def input_form(library: Library, pipe: Pipe) -> dict[str, Json]:
    """The form a person fills in to run a pipe: `{"fields": [node, …]}`, one for each input."""
    maker = _FormMaker(library)
    fields = [
        maker.slot(name, slot, hints=pipe.blueprint.inputs[name].hints or {}, is_input=True)
        for name, slot in pipe.inputs.items()
    ]
    return {"fields": fields}


def output_form(library: Library, pipe: Pipe) -> dict[str, Json]:
    """The form that shows a pipe's result: `{"field": node}`."""
    return {"field": _FormMaker(library).slot("output", pipe.output, hints={}, is_input=False)}


class _FormMaker:
    def __init__(self, library: Library) -> None:
        self._library = library
        self._left = _MOST_NODES

    def slot(self, name: str, slot: Slot, *, hints: Mapping[str, str], is_input: bool) -> dict[str, Json]:
        shape = self._library.shape(slot.concept)
        concept = self._library.concept(slot.concept)
        is_required = slot.presence != "optional"
        if slot.is_list:
            node: dict[str, Json] = {
                "kind": "list",
                "name": name,
                "concept_ref": wire_concept(slot.concept),
                "description": concept.description,
                "required": is_required,
                "item": self.node("item", shape, concept=slot.concept, is_required=True, hints=hints),
            }
            if slot.count is not None:
                node["item_count"] = slot.count
        else:
            node = self.node(name, shape, concept=slot.concept, is_required=is_required, hints=hints)
        if is_input:
            node["presence"] = slot.presence
        return node

    def node(
        self,
        name: str,
        shape: Shape,
        *,
        is_required: bool,
        hints: Mapping[str, str],
        concept: str | None = None,
        description: str | None = None,
    ) -> dict[str, Json]:
        self._left -= 1
        node: dict[str, Json] = {"kind": "unknown", "name": name, "required": is_required}
        if description is not None:
            node["description"] = description
        if concept is not None:
            hints = self._describe_concept(node, concept, hints)
        if hints:
            node["hints"] = dict(hints)
        if self._left < 0:
            return node
        if isinstance(shape, ObjectShape):
            self._object(node, shape)
        elif isinstance(shape, ListShape):
            node["kind"] = "list"
            inner = shape.items.concept if isinstance(shape.items, ObjectShape) else None
            node["item"] = self.node("item", shape.items, is_required=True, hints={}, concept=inner)
        elif isinstance(shape, ChoiceShape):
            node["kind"] = "enum"
            node["choices"] = list(shape.choices)
        elif isinstance(shape, ScalarShape):
            node["kind"] = _SCALAR_KINDS[shape.kind]
        if node["kind"] == "text" and node.get("hints", {}).get("intent") == "prose":
            node["kind"] = "prose"
        return node

    def _describe_concept(self, node: dict[str, Json], ref: str, hints: Mapping[str, str]) -> Mapping[str, str]:
        concept = self._library.concept(ref)
        node["title"] = concept.code
        node["concept_ref"] = wire_concept(ref)
        if concept.refines is not None:
            node["refines"] = wire_concept(concept.refines)
        node.setdefault("description", concept.description)
        merged: dict[str, str] = {}
        for ancestor in reversed(list(self._library.lineage(ref))):
            blueprint = self._library.concept(ancestor).blueprint
            if blueprint is not None:
                merged |= blueprint.hints or {}
        return {**merged, **hints}  # the nearer site wins, key by key

    def _object(self, node: dict[str, Json], shape: ObjectShape) -> None:
        kind = _NATIVE_KINDS.get(shape.native or "")
        if kind is not None:
            node["kind"] = kind
            return
        node["kind"] = "object"
        node["fields"] = [self._field(shape, field) for field in shape.fields]

    def _field(self, owner: ObjectShape, field: FieldShape) -> dict[str, Json]:
        concept = field.shape.concept if isinstance(field.shape, ObjectShape) else None
        node = self.node(
            field.name,
            field.shape,
            is_required=field.required,
            hints=self._hints(owner.concept, field.name),
            concept=concept,
            description=field.description,
        )
        if field.default is not None:
            node["default_value"] = field.default
        return node

    def _hints(self, ref: str, field: str) -> Mapping[str, str]:
        for ancestor in self._library.lineage(ref):
            blueprint = self._library.concept(ancestor).blueprint
            structure = blueprint.structure if blueprint is not None else None
            entry = structure.get(field) if isinstance(structure, dict) else None
            if isinstance(entry, FieldBlueprint):
                return entry.hints or {}
        return {}
