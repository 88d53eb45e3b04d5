"""The `[pipe]` tables of a bundle: their blueprints, and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelex.errors import SuggestedFix, near_names
from pipelex.language._fault import (
    Keys,
    Report,
    UnplacedFault,
    delete_key,
    did_you_mean,
    is_table,
    kind_of,
    set_key,
    shorten,
)
from pipelex.language._hints import SiteKind, check_hints
from pipelex.language._natives import NATIVE_CODES
from pipelex.language._old_forms import RETIRED_TYPES, rewrite_old_forms
from pipelex.language._sentences import check_table
from pipelex.language._template_checks import check_templates
from pipelex.language.blueprints import PIPE_TYPES, PipeBlueprint, PipeSignatureBlueprint
from pipelex.language.references import PIPE_CODE_PATTERN, PLAIN_NAME_PATTERN

_SIGNATURE_KEYS = frozenset({"description", "inputs", "output", "signature_for"})
_OPEN_NATIVES = frozenset({"Anything", "Dynamic"})
_HINT_SITES: dict[str, SiteKind] = {"Text": "text", "Markdown": "text", "Number": "number"}


def check_pipe(code: str, declared: Any) -> tuple[PipeBlueprint | None, list[UnplacedFault]]:
    """Check one entry of `[pipe]`: return its blueprint, or None, and its faults.

    A pipe with faults only in its templates keeps its blueprint, because its contract is known.
    """
    report = Report(("pipe", code))
    _check_code(report, code)
    if not is_table(declared):
        report.schema("wrong_type", f"pipe '{shorten(code)}' must be a table, not {kind_of(declared)}")
        return None, report.faults
    model = _model_of(report, code, declared)
    if model is None:
        return None, report.faults
    table = rewrite_old_forms(report, str(declared.get("type")), declared)
    _check_input_names(report, table.get("inputs"))
    blueprint, faults = check_table(model, table, report.base)
    report.faults.extend(faults)
    if report.has_errors:
        blueprint = None
    if isinstance(table.get("inputs", {}), dict | None) and "input" not in declared:
        misspelt = any(found.params.get("finding") == "unknown_key" and len(found.keys) == 3 for found in faults)
        report.faults.extend(check_templates(code, table, is_complete=not misspelt))
    return blueprint, [_where_written(fault, declared, table) for fault in report.faults]


def _where_written(fault: UnplacedFault, written: Mapping[str, Any], table: Mapping[str, Any]) -> UnplacedFault:
    """The fault at the key that the file has, if an older key was read as the new one."""
    if len(fault.keys) < 3 or fault.keys[2] in written or fault.keys[2] not in table:
        return fault
    value = table[str(fault.keys[2])]
    old = next((key for key, other in written.items() if other is value and key not in table), None)
    return fault if old is None else replace(fault, keys=(*fault.keys[:2], old, *fault.keys[3:]))


def _check_code(report: Report, code: str) -> None:
    if PIPE_CODE_PATTERN.fullmatch(code) is not None:
        return
    better = _snake_case(code)
    near = (better,) if PIPE_CODE_PATTERN.fullmatch(better) else ()
    report.faults.append(
        UnplacedFault(
            "method.identifier_invalid",
            f"pipe code '{shorten(code)}' is not snake_case (lower-case letters, digits, '_'){did_you_mean(near)}",
            report.base,
            {"identifier_kind": "pipe_code", "name": code},
            category="invalid_pipe_code_syntax",
            suggestions=near,
            on_key=True,
        )
    )


def _snake_case(name: str) -> str:
    text = ""
    for index, character in enumerate(name):
        if character.isupper() and index and name[index - 1].islower():
            text += "_"
        text += character.lower() if character.isalnum() else "_"
    return text.strip("_")


def _model_of(report: Report, code: str, table: Mapping[str, Any]) -> type[PipeBlueprint] | None:
    pipe_type = table.get("type")
    if "type" not in table:
        if table.keys() <= _SIGNATURE_KEYS or "signature_for" in table or not table.keys() & _implementation_keys():
            return PipeSignatureBlueprint
        near = _likely_types(table)
        extra = ", ".join(f"'{key}'" for key in sorted(table.keys() & _implementation_keys()))
        hint = did_you_mean(near) or f" ({', '.join(PIPE_TYPES)})"
        detail = f"pipe '{shorten(code)}' has {extra} but no 'type'{hint}"
        _bad_type(report, "missing", detail, ("type",), None, "missing_pipe_type", near)
        return None
    if isinstance(pipe_type, str) and pipe_type in PIPE_TYPES:
        return PIPE_TYPES[pipe_type]
    shown = shorten(pipe_type) if isinstance(pipe_type, str) else kind_of(pipe_type)
    name = pipe_type if isinstance(pipe_type, str) else None
    if name in RETIRED_TYPES:
        new = RETIRED_TYPES[name]
        fix = SuggestedFix("new-pipe-type", f"write '{new}'", (set_key(report.base, "type", new),), "unsafe")
        detail = f"pipe '{shorten(code)}': the type '{name}' is retired: write '{new}'"
        _bad_type(report, "retired", detail, ("type",), name, "unknown_pipe_type", (new,), fix)
    elif name == "PipeSignature":
        fix = SuggestedFix("signature-without-type", "remove 'type'", (delete_key(report.base, "type"),))
        detail = (
            f"pipe '{shorten(code)}': 'PipeSignature' is not a type; a pipe to be written later has no 'type' at all"
        )
        _bad_type(report, "unknown", detail, ("type",), name, "unknown_pipe_type", (), fix)
    else:
        near = near_names(name, PIPE_TYPES) if name is not None else ()
        hint = did_you_mean(near) or f"; the types are {', '.join(PIPE_TYPES)}"
        detail = f"pipe '{shorten(code)}': unknown type '{shown}'{hint}"
        fix = None
        if near:
            fix = SuggestedFix(
                "new-pipe-type", f"write '{near[0]}'", (set_key(report.base, "type", near[0]),), "unsafe"
            )
        _bad_type(report, "unknown", detail, ("type",), name, "unknown_pipe_type", near, fix)
    return None


def _bad_type(
    report: Report,
    reason: str,
    detail: str,
    keys: Keys,
    pipe_type: str | None,
    category: str,
    near: tuple[str, ...],
    fix: SuggestedFix | None = None,
) -> None:
    params: dict[str, Any] = {"pipe": str(report.base[1]), "reason": reason}
    if pipe_type is not None:
        params["pipe_type"] = pipe_type
    report.faults.append(
        UnplacedFault(
            "method.pipe_type_invalid",
            detail,
            (*report.base, *keys),
            params,
            category=category,
            suggestions=near,
            fix=fix,
        )
    )


def _keys_of(model: type[PipeBlueprint]) -> frozenset[str]:
    return frozenset(info.alias or name for name, info in model.model_fields.items())


def _implementation_keys() -> frozenset[str]:
    return frozenset(key for model in PIPE_TYPES.values() for key in _keys_of(model)) - _SIGNATURE_KEYS


def _likely_types(table: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that know every key of a table."""
    fitting = [name for name, model in PIPE_TYPES.items() if table.keys() <= _keys_of(model)]
    return tuple(fitting[:3])


def _check_input_names(report: Report, inputs: Any) -> None:
    if not is_table(inputs):
        return
    for name, entry in inputs.items():
        if PLAIN_NAME_PATTERN.fullmatch(name) is None:
            _bad_input_name(report, name)
        if is_table(entry):
            check_hints(report, entry, ("inputs", name), _site_of_input(entry.get("concept")))


def _bad_input_name(report: Report, name: str) -> None:
    code = shorten(str(report.base[1]))
    near: tuple[str, ...] = ()
    if "." in name:
        root = name.partition(".")[0]
        advice = f": declare '{shorten(root)}' with its own concept, and read '${shorten(name)}' in the template"
    else:
        better = _snake_case(name)
        near = (better,) if PLAIN_NAME_PATTERN.fullmatch(better) else ()
        advice = did_you_mean(near) or " (lower-case letters, digits, '_', starting with a letter)"
    report.faults.append(
        UnplacedFault(
            "method.identifier_invalid",
            f"input name '{shorten(name)}' of pipe '{code}' is not a plain name{advice}",
            (*report.base, "inputs", name),
            {"identifier_kind": "input_name", "name": name},
            category="invalid_input_name",
            suggestions=near,
            on_key=True,
        )
    )


def _site_of_input(concept: Any) -> SiteKind:
    if not isinstance(concept, str):
        return "unknown"
    code = concept.rstrip("?![]0123456789").removeprefix("native.")
    if code in _OPEN_NATIVES or code not in NATIVE_CODES:
        return "unknown"
    return _HINT_SITES.get(code, "other")
