"""The object, or the list of objects, that a model is asked for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from pipelex.content.structure import FieldShape, ListShape, ObjectShape, Shape, json_schema, shape_from_json
from pipelex.errors.json import Json, as_array, as_object
from pipelex.inference.chat.structured.check import AnswerCheck, SchemaCheck, ShapeCheck
from pipelex.inference.chat.structured.pairs import restored
from pipelex.inference.chat.structured.reading import unwrapped
from pipelex.inference.chat.structured.schema import ITEMS, Schema, followed, list_schema, mended
from pipelex.pipes.effects.requests import ObjectSpec


@dataclass(frozen=True)
class WantedObject:
    """An object that a model is asked for, with its schema and the check of the answer."""

    concept: str
    """The concept with its domain, for messages."""
    schema: Schema
    check: AnswerCheck
    count: int | None = None
    """The number of items in its list; None if any number will do, or if it is not a list."""
    is_list: bool = False
    """Whether it is a list of objects, under `items`."""

    @classmethod
    def single(cls, spec: ObjectSpec) -> "WantedObject":
        """A single object."""
        shape, schema = _told(spec)
        return cls(spec.concept, schema, SchemaCheck(schema) if shape is None else ShapeCheck(shape))

    @classmethod
    def listed(cls, spec: ObjectSpec, count: int | None) -> "WantedObject":
        """An object with the list `items`, which has exactly `count` objects, or any number if that is None."""
        shape, item = _told(spec)
        schema = list_schema(item, count)
        if shape is None:
            return cls(spec.concept, schema, SchemaCheck(schema), count, is_list=True)
        field = FieldShape(ITEMS, "", ListShape(shape), required=True)
        whole = ObjectShape(f"{spec.concept}[]", "", (field,))
        return cls(spec.concept, schema, ShapeCheck(whole), count, is_list=True)

    def taken(self, candidates: Iterator[Json]) -> tuple[dict[str, Json] | None, list[str]]:
        """The first candidate that fits and no faults; if none fits, None and the faults of the most likely one.

        Where a list is wanted and nothing else fits, the only object of the answer is taken as its only item.
        """
        first, objects = list[str](), list[dict[str, Json]]()
        fields = as_object(self.schema.get("properties", {}))
        for candidate in candidates:
            for inner in unwrapped(candidate, fields):
                value = mended(restored(inner, self.schema), self.schema)
                faults = self._faults(value)
                if not faults:
                    return cast("dict[str, Json]", value), []
                first = first or faults
            if isinstance(candidate, dict) and candidate not in objects:
                objects.append(candidate)
        only = self._only_item(objects[0]) if len(objects) == 1 else None
        return only, [] if only is not None else first or ["it holds no JSON object"]

    def _only_item(self, candidate: dict[str, Json]) -> dict[str, Json] | None:
        """An object as the only item of the wanted list; None if no list is wanted, or if it is no such item."""
        if not self.is_list:
            return None
        fields = as_object(followed(self.schema["properties"][ITEMS]["items"], self.schema).get("properties", {}))
        for inner in unwrapped(candidate, fields):
            value = mended(restored({ITEMS: [inner]}, self.schema), self.schema)
            is_item = isinstance(inner, dict) and not fields.keys().isdisjoint(inner)
            if is_item and not self._faults(value):
                return cast("dict[str, Json]", value)
        return None

    def _faults(self, value: Json) -> list[str]:
        if not isinstance(value, dict):
            return [f"it is a JSON {'list' if isinstance(value, list) else 'value'}, not an object"]
        faults = self.check.faults(value)
        if self.count is not None and not faults:
            given = len(as_array(value[ITEMS]))
            faults = [f"{ITEMS}: must have {self.count} items, not {given}"] if given != self.count else []
        return faults

    @property
    def prompt(self) -> str:
        """The addition to the prompt when the provider is not sent the schema."""
        return prompt_with_schema(self.schema)


def prompt_with_schema(schema: Schema) -> str:
    """The text that asks for an object with a schema."""
    return (
        "Answer with one JSON object that satisfies this JSON Schema, and with nothing else:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )


def _told(spec: ObjectSpec) -> tuple[Shape | None, Schema]:
    """The shape, or None if the job does not contain it, and the schema."""
    if spec.shape is None:
        return None, spec.json_schema or {"type": "object"}
    shape = shape_from_json(spec.shape)
    return shape, spec.json_schema or json_schema(shape)
