"""What Python, JSON Schema and older files call the types and keys of a structure's fields."""

from collections.abc import Mapping
from typing import Any, Final, cast

from pipelex.errors import Json, SuggestedFix
from pipelex.language._finding import Keys, rename_key, set_key, shorten
from pipelex.language.references import CONCEPT_CODE_PATTERN

FIELD_TYPES: Final = {
    "string": "text",
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "array": "list",
}
"""The names of types elsewhere, and those of MTHDS."""

_FIELD_KEYS: Final = {
    "items": "item_type",
    "item": "item_type",
    "items_type": "item_type",
    "default": "default_value",
    "enum": "choices",
    "options": "choices",
}


def meant_key(keys: Keys, entry: Mapping[str, Any]) -> SuggestedFix | None:
    """The change that writes a key of a field as MTHDS calls it; None where it is not plain what is meant.

    Args:
        keys: where the key stands in the file.
        entry: the field's table.
    """
    name, table = str(keys[-1]), keys[:-1]
    new, value = _FIELD_KEYS.get(name), entry[name]
    if new is None or new in entry:
        return None
    if new != "item_type":
        return _renamed(table, name, new)
    if isinstance(value, dict):  # as in a JSON Schema
        value = cast("dict[str, Any]", value).get("type")
    if not isinstance(value, str):
        return None
    if CONCEPT_CODE_PATTERN.fullmatch(value):
        what = f'write item_type = "concept" and item_concept_ref = "{shorten(value)}"'
        operations = (rename_key(table, name, "item_concept_ref"), set_key(table, "item_type", "concept"))
        return SuggestedFix("rename-key", what, operations)
    word = FIELD_TYPES.get(value, value)
    return _renamed(table, name, new, *(() if word == entry[name] else (set_key(table, new, word),)))


def _renamed(table: Keys, name: str, new: str, *more: dict[str, Json]) -> SuggestedFix:
    return SuggestedFix("rename-key", f"rename '{name}' to '{new}'", (rename_key(table, name, new), *more))
