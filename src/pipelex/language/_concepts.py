"""The `[concept]` tables of a bundle: their blueprints, and what is wrong with them."""

from collections.abc import Mapping
from typing import Any, cast

from pipelex.errors import Json, SuggestedFix, near_names
from pipelex.language._fault import (
    Keys,
    Report,
    UnplacedFault,
    did_you_mean,
    is_table,
    kind_of,
    rename_key,
    set_key,
    shorten,
)
from pipelex.language._field_words import FIELD_TYPES, field_type_meant, is_field_type
from pipelex.language._hints import SiteKind, check_hints
from pipelex.language._natives import NATIVE_CODES, RESERVED_FIELD_NAMES, native_meant
from pipelex.language._sentences import check_table
from pipelex.language.blueprints import ConceptBlueprint
from pipelex.language.references import CONCEPT_CODE_PATTERN, Reference

_DATE_LITERALS = {"date": "2026-01-31", "datetime": "2026-01-31T09:30:00Z", "time": "09:30:00"}
_SITES: dict[str, SiteKind] = {"text": "text", "integer": "number", "number": "number", "concept": "unknown"}


def check_concept(code: str, declared: Any) -> tuple[ConceptBlueprint | None, list[UnplacedFault]]:
    """Check one entry of `[concept]`: return its blueprint, or None, and its faults."""
    report = Report(("concept", code))
    _check_code(report, code)
    if isinstance(declared, str):
        blueprint = None if report.has_errors else ConceptBlueprint(description=declared)
        return blueprint, report.faults
    if not is_table(declared):
        report.schema("wrong_type", f"concept '{shorten(code)}' must be a string or a table, not {kind_of(declared)}")
        return None, report.faults
    table = _rewrite_old_forms(report, declared)
    _check_reference(report, table, ("refines",))
    _check_structure(report, table.get("structure"))
    check_hints(report, table, (), _site_of_concept(table))
    blueprint, faults = check_table(ConceptBlueprint, table, report.base)
    told = {fault.keys for fault in report.faults if fault.params.get("finding") == "field_type_concept"}
    report.faults.extend(fault for fault in faults if fault.keys not in told)
    return (None if report.has_errors else blueprint), report.faults


def _check_code(report: Report, code: str) -> None:
    if code in NATIVE_CODES:
        report.faults.append(
            UnplacedFault(
                "method.name_conflict",
                f"concept '{code}' is native: it is always there and cannot be declared; choose another name",
                report.base,
                {"name": code, "conflict": "native_concept"},
                category="native_concept_redeclaration",
                on_key=True,
            )
        )
    elif CONCEPT_CODE_PATTERN.fullmatch(code) is None:
        words = "".join(word[:1].upper() + word[1:] for word in code.replace("-", "_").replace(" ", "_").split("_"))
        better = (words,) if CONCEPT_CODE_PATTERN.fullmatch(words) else ()
        detail = f"concept code '{shorten(code)}' is not PascalCase (a capital, then letters and digits)"
        _invalid(report, "code", detail + did_you_mean(better), report.base, better)


def _invalid(report: Report, kind: str, detail: str, keys: Keys, near: tuple[str, ...] = ()) -> None:
    params = {"concept": str(report.base[1]), "finding": kind}
    report.faults.append(UnplacedFault("method.concept_invalid", detail, keys, params, suggestions=near, on_key=True))


def _rewrite_old_forms(report: Report, table: dict[str, Any]) -> dict[str, Any]:
    table = dict(table)
    if "definition" in table and "description" not in table:
        fix = SuggestedFix("rename-key", "write 'description'", (rename_key(report.base, "definition", "description"),))
        report.schema(
            "old_form",
            f"'definition' of concept '{report.base[1]}' is an older form: write 'description'",
            "definition",
            on_key=True,
            suggestions=("description",),
            fix=fix,
        )
        table["description"] = table.pop("definition")
    parents = table.get("refines")
    if isinstance(parents, list):
        found = cast("list[Any]", parents)
        fix = None
        if len(found) == 1 and isinstance(found[0], str):
            fix = SuggestedFix("single-refines", f"write '{found[0]}'", (set_key(report.base, "refines", found[0]),))
        report.schema(
            "old_form",
            f"concept '{report.base[1]}' refines a list: a concept refines one other concept",
            "refines",
            fix=fix,
        )
        del table["refines"]
    return table


def _check_structure(report: Report, structure: Any) -> None:
    if not is_table(structure):
        return
    code = str(report.base[1])
    for name, entry in structure.items():
        keys = (*report.base, "structure", name)
        if name.startswith("_") or name in RESERVED_FIELD_NAMES:
            _reserved_name(report, name, structure, keys)
        elif not name.isidentifier():
            detail = f"field name '{shorten(name)}' of concept '{code}' is not an identifier (letters, digits, '_')"
            _invalid(report, "field_name", detail, keys)
        if is_table(entry):
            _check_reference(report, entry, ("structure", name, "concept_ref"))
            _check_reference(report, entry, ("structure", name, "item_concept_ref"))
            check_hints(report, entry, ("structure", name), _site_of_field(entry))
            _check_date_default(report, entry, name)
            _suggest_item_concept(report, entry, name)
            _check_named_types(report, entry, name)


def _reserved_name(report: Report, name: str, structure: Mapping[str, Any], keys: Keys) -> None:
    """Report a field name that the object model reserves, and suggest free names."""
    plain = name.strip("_") or "value"
    tries = (plain, f"{plain}_value", f"{plain}_text", f"its_{plain}", f"{plain}_field")
    free = [each for each in tries if each.isidentifier() and each not in RESERVED_FIELD_NAMES]
    near = tuple(each for each in free if each not in structure)[:1]
    why = (
        "names that start with '_' belong to the runtime"
        if name.startswith("_")
        else "objects have a method of that name"
    )
    detail = f"field name '{shorten(name)}' of concept '{report.base[1]}' is reserved ({why})"
    advice = f": write '{near[0]}', here and wherever it is read" if near else ": choose another name"
    operation = () if not near else (rename_key(keys[:-1], name, near[0]),)
    fix = (
        SuggestedFix("rename-field", f"rename '{shorten(name)}' to '{near[0]}'", operation, "unsafe") if near else None
    )
    params: dict[str, Json] = {"concept": str(report.base[1]), "finding": "field_name"}
    report.faults.append(
        UnplacedFault("method.concept_invalid", detail + advice, keys, params, suggestions=near, fix=fix, on_key=True)
    )


def _check_named_types(report: Report, field: Mapping[str, Any], name: str) -> None:
    """Warn of an unknown type of items, keys or values, which then may be of any type."""
    for key, of_type in (("item_type", "list"), ("key_type", "dict"), ("value_type", "dict")):
        written = field.get(key)
        known = FIELD_TYPES if key == "item_type" else FIELD_TYPES[:-1]
        if not isinstance(written, str) or field.get("type") != of_type or written in (*known, "Any"):
            continue
        keys = (*report.base, "structure", name, key)
        meant = field_type_meant(written)
        is_reference = Reference.parse(written).is_concept and not is_field_type(written)
        operations = () if meant is None else (set_key(keys[:-1], key, meant),)
        if is_reference and key == "item_type":
            advice = f'for items of a concept write item_type = "concept", item_concept_ref = "{written}"'
            operations = (set_key(keys[:-1], key, "concept"), set_key(keys[:-1], "item_concept_ref", written))
        elif meant is not None:
            advice = f"did you mean '{meant}'?"
        else:
            advice = f"write one of {', '.join(FIELD_TYPES[:-1])}"
        what = key.removesuffix("_type") + "s"
        report.faults.append(
            UnplacedFault(
                "method.concept_invalid",
                f"'{key}' of '{shorten(name)}' of concept '{report.base[1]}' is '{shorten(written)}', which is not a type, so"
                f" its {what} may be of any kind: {advice}",
                keys,
                {"concept": str(report.base[1]), "finding": key},
                category="field_type_unknown",
                suggestions=() if meant is None else (meant,),
                fix=SuggestedFix("field-type", f"write {key} = '{operations[0]['value']}'", operations, "unsafe")
                if operations
                else None,
                severity="warning",
            )
        )


def _check_date_default(report: Report, field: Mapping[str, Any], name: str) -> None:
    """Report a date that is written as a string. Bundles use TOML dates; only crates, which are JSON, use strings."""
    example = _DATE_LITERALS.get(str(field.get("type")))
    if example is not None and isinstance(field.get("default_value"), str):
        report.schema(
            "default_type",
            f"'structure.{name}' of concept '{report.base[1]}': the default of a {field['type']} is written without"
            f" quotes, as {example}",
            "structure",
            name,
            "default_value",
        )


def _suggest_item_concept(report: Report, field: Mapping[str, Any], name: str) -> None:
    """Say how to refer to a concept, if the wrong field type looks like a concept's name."""
    written = field.get("type")
    if isinstance(written, str) and Reference.parse(written).is_concept:
        report.schema(
            "field_type_concept",
            f"'structure.{name}' of concept '{report.base[1]}': for a concept write "
            f'type = "concept", concept_ref = "{written}"',
            "structure",
            name,
            "type",
        )


def _check_reference(report: Report, table: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    written = table.get(keys[-1])
    if not isinstance(written, str) or Reference.parse(written).is_concept:
        return
    bare = written.rstrip("[]?!0123456789")
    if bare != written and Reference.parse(bare).is_concept:
        near, reason = (bare,), "no brackets and no '?' or '!' here"
    else:
        meant = native_meant(written)
        near = near_names(written, NATIVE_CODES) if meant is None else (meant,)
        reason = "a concept code is PascalCase, its domain snake_case"
    report.schema(
        "concept_reference",
        f"'{shorten(written)}' is not a concept reference: {reason}{did_you_mean(near)}",
        *keys,
        suggestions=near,
    )


def _site_of_field(field: Mapping[str, Any]) -> SiteKind:
    if field.get("choices") is not None:
        return "text"
    return _SITES.get(str(field.get("type")), "other")


def _site_of_concept(table: Mapping[str, Any]) -> SiteKind:
    if table.get("refines") is not None or isinstance(table.get("structure"), str):
        return "unknown"
    return "text" if table.get("structure") is None else "other"
