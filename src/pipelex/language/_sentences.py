"""Translates validation errors of the blueprint models into messages for a method's author."""

import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pipelex.errors import SuggestedFix, near_names
from pipelex.language._fault import (
    BLUEPRINT,
    SCHEMA,
    Keys,
    UnplacedFault,
    did_you_mean,
    is_table,
    kind_of,
    place,
    rename_key,
    render_path,
    set_key,
    shorten,
)
from pipelex.language._field_words import field_type_meant, is_field_type, meant_key
from pipelex.language._natives import native_meant
from pipelex.language.blueprints._base import RULE_KEYS

_SCALAR_TYPES: Final = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "a boolean (true or false)",
    "finite_number": "a finite number",
}
_TABLE_TYPES: Final = {
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "mapping_type": "a table",
}
_ARRAY_TYPES: Final = {"tuple_type": "an array", "list_type": "an array"}
_TYPES: Final = _SCALAR_TYPES | _TABLE_TYPES | _ARRAY_TYPES

_SLOT_PARTS: Final = re.compile(r"(?:native\.)?([A-Za-z]+)((?:\[[0-9]*\]|[?!])?)")
_NAME_KEYS: Final = frozenset({"result", "batch_as", "input_item_name", "input_list_name"})


def check_table(model: type[BaseModel], table: Mapping[str, Any], base: Keys) -> tuple[Any, list[UnplacedFault]]:
    """Validate one concept or pipe: return the model and no faults, or None and what the model refuses as faults."""
    try:
        return model.model_validate(table), []
    except ValidationError as wrong:
        faults = _translate(wrong, table, base, model)
        unknown = [fault.keys for fault in faults if fault.params.get("finding") == "unknown_key"]
    except RecursionError:
        fault = UnplacedFault(SCHEMA, f"{place(base)} is nested too deeply", base, _params(base, "nesting"))
        return None, [fault]
    if unknown:
        # An unknown key keeps the model's own rules from running, so validate again without it.
        try:
            model.model_validate(_without(table, unknown, len(base)))
        except ValidationError as wrong:
            known = {(fault.keys, fault.detail) for fault in faults}
            more = _translate(wrong, table, base, model)
            faults.extend(fault for fault in more if (fault.keys, fault.detail) not in known)
    return None, faults


def _without(table: Any, unknown: Sequence[Keys], depth: int) -> Any:
    """A copy of the table without the unknown keys."""
    here = {keys[depth] for keys in unknown if len(keys) == depth + 1}
    below: dict[str | int, list[Keys]] = {}
    for keys in unknown:
        if len(keys) > depth + 1:
            below.setdefault(keys[depth], []).append(keys)
    if is_table(table):
        return {
            key: _without(value, below[key], depth + 1) if key in below else value
            for key, value in table.items()
            if key not in here
        }
    items = cast("list[Any]", table)
    return [_without(item, below[index], depth + 1) if index in below else item for index, item in enumerate(items)]


# --- from pydantic's errors to faults


def _translate(
    wrong: ValidationError, table: Mapping[str, Any], base: Keys, model: type[BaseModel]
) -> list[UnplacedFault]:
    groups: dict[Keys, list[tuple[str, dict[str, Any], str]]] = {}
    for error in wrong.errors(include_url=False, include_input=False):
        path = _real_path(error["loc"], table, error["type"])
        groups.setdefault(path, []).append((error["type"], error.get("ctx", {}), error["msg"]))
    deeper = {path[:length] for path in groups for length in range(len(path))}
    faults: list[UnplacedFault] = []
    for path, errors in groups.items():
        value = _value_at(table, path)
        for kind, context, message in _merged(errors, value, path in deeper):
            if kind == "too_short" and len(value) >= context["min_length"]:
                continue  # pydantic counts only the valid items
            faults.append(_fault(kind, context, message, path, value, table, base, model))
    return faults


def _real_path(location: Sequence[str | int], table: Any, kind: str) -> Keys:
    """The location without the labels pydantic adds for the branches of a union."""
    path: list[str | int] = []
    current: Any = table
    for position, part in enumerate(location):
        if isinstance(current, dict) and part in current:
            current = cast("dict[Any, Any]", current)[part]
            path.append(part)
        elif isinstance(current, list) and isinstance(part, int) and part < len(cast("list[Any]", current)):
            current = cast("list[Any]", current)[part]
            path.append(part)
        elif kind == "missing" and position == len(location) - 1:
            path.append(part)
    return tuple(path)


def _value_at(table: Any, path: Keys) -> Any:
    current: Any = table
    for part in path:
        if isinstance(current, dict):
            current = cast("dict[Any, Any]", current).get(part)
        else:
            current = current[part] if isinstance(part, int) else None
    return current


def _merged(
    errors: list[tuple[str, dict[str, Any], str]], value: Any, has_deeper: bool
) -> Iterable[tuple[str, dict[str, Any], str]]:
    """One error for a value that fits no branch of a union, without the errors of branches that were not meant."""
    wrong_kind = [error for error in errors if error[0] in _TYPES]
    others = [error for error in errors if error[0] not in _TYPES]
    if isinstance(value, dict | list):
        others = [error for error in others if error[0] != "literal_error"] or ([] if has_deeper else others)
    if others and not (
        len(others) == len([e for e in others if e[0] == "literal_error"]) and _offers_number(wrong_kind)
    ):
        return others
    if has_deeper:
        return ()
    if not wrong_kind:
        return others
    names = list(dict.fromkeys(_TYPES[kind] for kind, _, _ in wrong_kind))
    names.extend(str(context["expected"]) for _, context, _ in others)
    return [("wrong_type", {"expected": " or ".join(names)}, "")]


def _offers_number(errors: list[tuple[str, dict[str, Any], str]]) -> bool:
    return any(kind in ("int_type", "float_type") for kind, _, _ in errors)


def _params(keys: Keys, kind: str) -> dict[str, Any]:
    return {"field_path": render_path(keys), "finding": kind}


def _fault(
    kind: str,
    context: dict[str, Any],
    message: str,
    path: Keys,
    value: Any,
    table: Mapping[str, Any],
    base: Keys,
    model: type[BaseModel],
) -> UnplacedFault:
    keys = (*base, *path)
    if kind == "extra_forbidden":
        found = _unknown_key(keys, path, table, base, model)
    elif kind == "missing":
        detail = f"{place(keys[:-1])} needs '{path[-1]}'"
        found = UnplacedFault(SCHEMA, detail, keys, _params(keys, "missing_key"))
    elif kind == "literal_error":
        expected = allowed_words(model, path)
        near = near_names(value, expected) if isinstance(value, str) else ()
        fix = None
        meant = field_type_meant(value) if isinstance(value, str) and path[:1] == ("structure",) else None
        if meant in expected:
            near = (meant,)
            operation = set_key(keys[:-1], str(keys[-1]), near[0])
            safety = "safe" if is_field_type(str(value)) else "unsafe"
            fix = SuggestedFix("field-type", f"write '{near[0]}'", (operation,), safety)
        listed = ", ".join(repr(word) for word in expected) or str(context.get("expected", ""))
        detail = f"{place(keys)} is {_shown(value)}; it must be one of {listed}{did_you_mean(near)}"
        found = UnplacedFault(SCHEMA, detail, keys, _params(keys, "wrong_value"), suggestions=near, fix=fix)
    elif kind in _SIMPLE:
        detail = f"{place(keys)} {_SIMPLE[kind].format(**context)}"
        found = UnplacedFault(SCHEMA, detail, keys, _params(keys, kind))
    elif kind == "string_pattern_mismatch":
        found = _bad_pattern(keys, path, value)
    elif kind in _TYPES or kind == "wrong_type":
        expected = context["expected"] if kind == "wrong_type" else _TYPES[kind]
        if len(path) == 2 and path[0] in ("inputs", "structure"):
            expected = "a string or a table"
        detail = f"{place(keys)} must be {expected}, not {kind_of(value)}"
        found = UnplacedFault(SCHEMA, detail, keys, _params(keys, "wrong_type"))
    elif kind == "slot":
        found = _bad_slot(keys, message, str(value))
    else:
        found = _rule(kind, context.get(RULE_KEYS, ()), message, keys, value)
    return _as_binding_fault(found, path, table, base)


_SIMPLE: Final = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "too_short": "needs at least one entry",
    "string_too_short": "must not be empty",
}


def _shown(value: Any) -> str:
    return repr(shorten(value)) if isinstance(value, str) else kind_of(value)


def _unknown_key(keys: Keys, path: Keys, table: Mapping[str, Any], base: Keys, model: type[BaseModel]) -> UnplacedFault:
    owner = _value_at(table, path[:-1])
    allowed = allowed_keys(model, path[:-1], owner if is_table(owner) else {})
    name = str(path[-1])
    written = owner.keys() if is_table(owner) else ()
    fix = meant_key(keys, owner) if path[0] == "structure" and len(path) == 3 and is_table(owner) else None
    meant = () if fix is None else tuple(str(op["new_key"]) for op in fix.ops if op["op"] == "rename_table_key")
    near = meant or near_names(name, [key for key in allowed if key not in written])
    hint = did_you_mean(near) or f"; known keys: {', '.join(allowed)}"
    if near and fix is None:
        operation = rename_key((*base, *path[:-1]), name, near[0])
        fix = SuggestedFix("rename-key", f"rename '{shorten(name)}' to '{near[0]}'", (operation,), "unsafe")
    return UnplacedFault(
        SCHEMA,
        f"unknown key '{shorten(name)}' in {place(keys[:-1])}{hint}",
        keys,
        _params(keys, "unknown_key"),
        suggestions=near,
        fix=fix,
        on_key=True,
    )


def _bad_pattern(keys: Keys, path: Keys, value: Any) -> UnplacedFault:
    shown = shorten(str(value))
    key = path[-1]
    if key == "function_name":
        detail = (
            f"{place(keys)} is '{shown}'; it must be an import path from the root of the method tree, "
            f"'module.function', with at least one dot"
        )
        return UnplacedFault(SCHEMA, detail, keys, _params(keys, "function_name"))
    if key in _NAME_KEYS:
        detail = f"{place(keys)} is '{shown}'; write lower-case letters, digits and '_', starting with a letter"
        params = {"identifier_kind": "input_name", "name": str(value)}
        return UnplacedFault("method.identifier_invalid", detail, keys, params, category="invalid_input_name")
    detail = f"{place(keys)} is '{shown}'; write a plain name or a dotted path such as 'invoice.lines'"
    if key == "batch_over" and not shown.replace("_", "").isalnum():
        return _binding(keys, detail)
    return UnplacedFault(SCHEMA, detail, keys, _params(keys, "path"))


def _bad_slot(keys: Keys, message: str, text: str) -> UnplacedFault:
    match = _SLOT_PARTS.fullmatch(text.strip())
    native = None if match is None else native_meant(match[1])
    if match is not None and native is not None:
        meant = native + match[2]
        detail = f"{place(keys)}: '{shorten(match[1])}' is not a concept reference: a concept code is PascalCase"
        detail += did_you_mean((meant,))
        fix = SuggestedFix("native-concept", f"write '{meant}'", (set_key(keys[:-1], str(keys[-1]), meant),), "unsafe")
        return UnplacedFault(SCHEMA, detail, keys, _params(keys, "slot"), suggestions=(meant,), fix=fix)
    if "?" not in text and "!" not in text:
        return UnplacedFault(SCHEMA, f"{place(keys)}: {message}", keys, _params(keys, "slot"))
    return _marker(keys, f"{place(keys)}: {message}")


def _marker(keys: Keys, detail: str) -> UnplacedFault:
    params = {"pipe": str(keys[1]), "field_path": render_path(keys[2:])}
    return UnplacedFault("method.optional_marker_invalid", detail, keys, params, category="optional_marker_invalid")


def _rule(kind: str, about: Sequence[str], message: str, keys: Keys, value: Any) -> UnplacedFault:
    """The fault of a blueprint's own rule, whose message is written for people and which names its keys."""
    owner = keys
    if is_table(value):
        key = next((name for name in about if name in value), None)
        if key is not None:
            keys = (*keys, key)
            value = value[key]
    detail = f"{place(owner)}: {message}"
    if kind == "batch_item":
        params = {"name": str(value), "conflict": "batch_item"}
        return UnplacedFault("method.name_conflict", detail, keys, params, category="batch_item_name_collision")
    if kind in ("binding_step", "branch_batch"):
        return _binding(keys, detail)
    if kind == "output_forced":
        fixed = set_key(owner, "output", str(value).strip().rstrip("!"))
        return replace(
            _marker(keys, detail), fix=SuggestedFix("drop-output-marker", "remove '!' from the output", (fixed,))
        )
    if kind == "batch_output":
        params = {"pipe": str(keys[1]), "declared": "single", "expected": "list"}
        return UnplacedFault(
            "method.output_multiplicity_mismatch", detail, keys, params, category="inadequate_output_multiplicity"
        )
    found = UnplacedFault(SCHEMA, detail, keys, _params(keys, kind))
    if kind == "extract_output":
        fix = SuggestedFix("extract-output", "write 'Page[]'", (set_key(owner, "output", "Page[]"),))
        return replace(found, fix=fix)
    return found


def _binding(keys: Keys, detail: str) -> UnplacedFault:
    params = {"pipe": str(keys[1]), "field_path": render_path(keys[2:])}
    return UnplacedFault("method.binding_step_invalid", detail, keys, params, category="binding_step_invalid")


def _as_binding_fault(found: UnplacedFault, path: Keys, table: Mapping[str, Any], base: Keys) -> UnplacedFault:
    """Turn a fault inside a binding step into a fault of that step."""
    if len(path) < 3 or path[0] != "steps" or found.category not in (BLUEPRINT, "invalid_input_name"):
        return found
    step = _value_at(table, path[:2])
    if not is_table(step) or "from" not in step or "pipe" in step:
        return found
    binding = _binding(found.keys, found.detail)
    return replace(binding, suggestions=found.suggestions, fix=found.fix, on_key=found.on_key)


# --- keys and words that a model allows at a path


def allowed_keys(model: type[BaseModel], path: Keys, owner: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the table at `path`, as an author writes them."""
    candidates: list[tuple[str, ...]] = []
    for annotation in annotations_at(model, path):
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            candidates.append(tuple(info.alias or name for name, info in annotation.model_fields.items()))
    if not candidates:
        return ()
    # Of two kinds of steps, choose the one that shares more keys with the written table.
    return max(candidates, key=lambda names: len(owner.keys() & set(names)))


def allowed_words(model: type[BaseModel], path: Keys) -> tuple[str, ...]:
    """The words that the string at `path` must be one of; empty if it may be any string."""
    found: list[str] = []
    for annotation in annotations_at(model, path):
        if get_origin(annotation) is Literal:
            found.extend(str(word) for word in get_args(annotation))
    return tuple(found)


def annotations_at(model: type[BaseModel], path: Keys) -> list[Any]:
    """The annotations of the model at `path`, with each branch of a union separately."""
    current: list[Any] = [model]
    for key in path:
        following: list[Any] = []
        for annotation in current:
            following.extend(_flattened(_inner(annotation, key)))
        current = following
    return current


def _inner(annotation: Any, key: str | int) -> Any:
    origin = get_origin(annotation)
    if origin is dict:
        return get_args(annotation)[1]
    if origin in (tuple, list):
        return get_args(annotation)[0] if isinstance(key, int) else None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, info in annotation.model_fields.items():
            if key in (name, info.alias):
                return info.annotation
    return None


def _flattened(annotation: Any) -> list[Any]:
    if annotation is None:
        return []
    origin = get_origin(annotation)
    if origin is Annotated:
        return _flattened(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [inner for branch in get_args(annotation) for inner in _flattened(branch)]
    return [annotation]
