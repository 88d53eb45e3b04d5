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
from pipelex.inference.chat.structured.schema import ITEMS, Schema, list_schema, mended
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
            return cls(spec.concept, schema, SchemaCheck(schema), count)
        field = FieldShape(ITEMS, "", ListShape(shape), required=True)
        whole = ObjectShape(f"{spec.concept}[]", "", (field,))
        return cls(spec.concept, schema, ShapeCheck(whole), count)

    def taken(self, candidates: Iterator[Json]) -> tuple[dict[str, Json] | None, list[str]]:
        """The first candidate that fits and no faults; if none fits, None and the faults of the most likely one."""
        first: list[str] = []
        fields = as_object(self.schema.get("properties", {}))
        for candidate in (inner for each in candidates for inner in unwrapped(each, fields)):
            value = mended(restored(candidate, self.schema), self.schema)
            faults = self._faults(value)
            if not faults:
                return cast("dict[str, Json]", value), []
            first = first or faults
        return None, first or ["it holds no JSON object"]

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
