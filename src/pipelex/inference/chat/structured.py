"""Asking for objects: the schema a model is sent, and the check of what it answers."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Literal, cast

from pipelex.content.stuff import Json
from pipelex.inference.deck.catalog import ModelEntry

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError

Method = Literal["tool", "native", "json", "markdown"]
"""How an object is asked for: as a tool's arguments, by JSON Schema, by JSON mode, or by the prompt alone."""

Schema = dict[str, Json]

_ITEMS = "items"


def structure_method(entry: ModelEntry) -> Method:
    """How the model is asked for objects, by the `structure_method` of its entry."""
    name = (entry.table.structure_method or "").removeprefix("instructor/")
    if name.endswith("md_json"):
        return "markdown"
    if name.endswith(("structured_outputs", "json_schema")):
        return "native"
    if name.endswith(("json", "json_object")):
        return "json"
    return "tool"


def list_schema(item: Schema, count: int | None) -> Schema:
    """The schema of `{"items": [...]}`: exactly `count` items, or any number."""
    inner, definitions = dict(item), dict(item.get("$defs", {}))
    inner.pop("$defs", None)
    if _refers_to_root(item):
        name = _free_name(str(item.get("title", "Item")), definitions)
        definitions = {key: _with_root(value, name) for key, value in definitions.items()}
        definitions[name] = _with_root(inner, name)
        inner = {"$ref": f"#/$defs/{name}"}
    array: Schema = {"type": "array", "items": inner}
    if count is not None:
        array |= {"minItems": count, "maxItems": count}
    schema: Schema = {
        "type": "object",
        "properties": {_ITEMS: array},
        "required": [_ITEMS],
        "additionalProperties": False,
    }
    return {**schema, "$defs": definitions} if definitions else schema


def _refers_to_root(value: Json) -> bool:
    if isinstance(value, dict):
        table = cast("Schema", value)
        return table.get("$ref") == "#" or any(_refers_to_root(inner) for inner in table.values())
    return isinstance(value, list) and any(_refers_to_root(inner) for inner in cast("list[Json]", value))


def _with_root(value: Json, name: str) -> Json:
    if isinstance(value, dict):
        table = cast("Schema", value)
        if table.get("$ref") == "#":
            return {**table, "$ref": f"#/$defs/{name}"}
        return {key: _with_root(inner, name) for key, inner in table.items()}
    if isinstance(value, list):
        return [_with_root(inner, name) for inner in cast("list[Json]", value)]
    return value


def _free_name(name: str, taken: Mapping[str, Json]) -> str:
    plain = re.sub(r"\W", "_", name)
    while plain in taken:
        plain += "_"
    return plain


def read_json(text: str) -> Json:
    """The JSON of an answer, in a Markdown fence or bare.

    Raises:
        ValueError: there is none.
    """
    stripped = text.strip()
    fenced = re.search(r"```(?:json)?\s*\n(.*?)\n?```", stripped, re.DOTALL)
    return json.loads(fenced.group(1) if fenced else stripped)


def pruned(value: Json, schema: Schema) -> Json:
    """The value without nulls of optional properties whose schema admits none: models like to write them."""
    return _pruned(value, schema, schema)


def _pruned(value: Json, schema: Schema, root: Schema) -> Json:
    schema = followed(schema, root)
    if isinstance(value, dict):
        properties: dict[str, Schema] = schema.get("properties", {})
        required: list[str] = schema.get("required", [])
        kept: Schema = {}
        for key, inner in cast("Schema", value).items():
            known = properties.get(key)
            if inner is None and known is not None and key not in required and not _admits_null(known, root):
                continue
            kept[key] = inner if known is None else _pruned(inner, known, root)
        return kept
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_pruned(inner, schema["items"], root) for inner in cast("list[Json]", value)]
    return cast("Json", value)


def followed(schema: Schema, root: Schema) -> Schema:
    """The schema behind `$ref`, and the object or array of an `anyOf` with null."""
    seen: set[str] = set()
    while True:
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            schema = _lookup(reference, root)
            continue
        branches = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
        if len(branches) == 1 and "anyOf" in schema:
            schema = branches[0]
            continue
        return schema


def _lookup(reference: str, root: Schema) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
    return found


def _admits_null(schema: Schema, root: Schema) -> bool:
    if "$ref" in schema:
        schema = _lookup(schema["$ref"], root) if schema["$ref"] != "#" else {"type": "object"}
    kind = schema.get("type")
    if kind is None and not schema.keys() & {"anyOf", "oneOf", "enum", "const", "properties", "$ref"}:
        return True
    branches = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    in_enum = None in schema.get("enum", []) or ("const" in schema and schema["const"] is None)
    in_type = kind == "null" or (isinstance(kind, list) and "null" in kind)
    return in_enum or in_type or any(_admits_null(branch, root) for branch in branches)


class SchemaCheck:
    """The check of answers against one schema.

    Args:
        schema: JSON Schema, 2020-12; `date`, `date-time` and `time` formats are checked too.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._validator: Draft202012Validator = _validator(schema)

    def findings(self, value: Json) -> list[str]:
        """What is wrong with a value, at most ten sentences; none when it satisfies the schema."""
        found: Iterable[ValidationError] = self._validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType]
        errors = sorted(found, key=lambda error: [str(part) for part in error.path])
        return [f"{error.json_path}: {_short(error.message)}" for error in errors[:10]]


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:299] + "…"


def _validator(schema: Schema) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema, format_checker=_formats())


def _formats() -> "FormatChecker":
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("date", raises=ValueError)(_is_date)
    checker.checks("date-time", raises=ValueError)(_is_datetime)
    checker.checks("time", raises=ValueError)(_is_time)
    return checker


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))


def _is_datetime(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return len(value) > 10 and value[10] in "Tt " and bool(datetime.fromisoformat(value))


def _is_time(value: object) -> bool:
    if isinstance(value, str):
        time.fromisoformat(value)
    return True


def findings_message(findings: list[str]) -> str:
    """What a model is told about an answer that does not fit."""
    listed = "\n".join(f"- {finding}" for finding in findings)
    return (
        f"The answer does not fit the required structure:\n{listed}\nAnswer again with the complete, corrected object."
    )


def prompt_with_schema(schema: Schema) -> str:
    """What is added to the prompt where the provider takes no schema."""
    return (
        "Answer with one JSON object that satisfies this JSON Schema, and with nothing else:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )
