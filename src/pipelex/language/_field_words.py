"""Words of Python, JSON Schema and older files for the types and keys of a structure's fields."""

from collections.abc import Mapping
from typing import Any, Final, cast

from pipelex.errors import Json, SuggestedFix, near_names
from pipelex.language._fault import Keys, rename_key, set_key, shorten
from pipelex.language.references import CONCEPT_CODE_PATTERN

FIELD_TYPES: Final = ("text", "integer", "number", "boolean", "date", "datetime", "time", "list", "dict", "concept")

_BY_HABIT: Final = {
    **dict.fromkeys(("string", "str", "varchar", "char"), "text"),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("float", "decimal", "double"), "number"),
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("timestamp",), "datetime"),
    **dict.fromkeys(("array", "tuple", "set"), "list"),
    **dict.fromkeys(("object", "map", "mapping", "json"), "dict"),
}
"""Names of types in other languages → the MTHDS types."""

_FIELD_KEYS: Final = {
    "items": "item_type",
    "item": "item_type",
    "items_type": "item_type",
    "default": "default_value",
    "enum": "choices",
    "options": "choices",
}


def is_field_type(written: str) -> bool:
    """Whether a text names a field type, in any case or by another language's name."""
    return written.casefold() in (*FIELD_TYPES, *_BY_HABIT)


def field_type_meant(written: str) -> str | None:
    """The field type that another language's name or a misspelling means; None if it is not clear."""
    folded = written.casefold()
    if is_field_type(written):
        return _BY_HABIT.get(folded, folded)
    near = near_names(folded, (*FIELD_TYPES, *_BY_HABIT), most=1)
    return _BY_HABIT.get(near[0], near[0]) if near else None


def meant_key(keys: Keys, entry: Mapping[str, Any]) -> SuggestedFix | None:
    """The fix that renames a key of a field to its MTHDS name; None if it is not clear what is meant.

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
    word = _BY_HABIT.get(value, value)
    return _renamed(table, name, new, *(() if word == entry[name] else (set_key(table, new, word),)))


def _renamed(table: Keys, name: str, new: str, *more: dict[str, Json]) -> SuggestedFix:
    return SuggestedFix("rename-key", f"rename '{name}' to '{new}'", (rename_key(table, name, new), *more))
