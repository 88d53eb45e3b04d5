"""Finds precise places for the diagnostics of the standard's linter.

The linter names the table that the schema refuses. If the refusal is about keys, the diagnostics point at each key
instead.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pipelex.errors import Fault, Json, Location
from pipelex.errors.json import as_object, exactly
from pipelex.language import ParsedBundle, parse_bundle, render_path

_UNKNOWN_KEYS: Final = re.compile(r"Additional properties are not allowed \((.*) (?:was|were) unexpected\)", re.DOTALL)
_REQUIRED: Final = re.compile(r'"([^"]+)" is a required property')
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'")
_ANY_OF: Final = "does not match any of the allowed schemas"

Diagnostic = dict[str, Json]


def placed(text: str, diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics in the order of their places, with unknown keys that the linter did not report.

    Args:
        text: the bundle.
        diagnostics: the diagnostics that `lint_mthds` of `pipelex-tools-py` returned.
    """
    bundle = parse_bundle(text)
    unknown = [fault for fault in bundle.faults if fault.detail.startswith("unknown key ")]
    found = [_of_fault(bundle, fault) for fault in unknown]
    found += [better for each in diagnostics for better in _better(bundle, unknown, each)]
    return sorted(found, key=lambda each: (_start(each)["start_line"], _start(each)["start_col"]))


def _start(diagnostic: Diagnostic) -> Mapping[str, int]:
    place = as_object(diagnostic["range"] or {"start_line": 1, "start_col": 1})
    return {name: exactly(number, int) for name, number in place.items()}


def _better(bundle: ParsedBundle, unknown: list[Fault], diagnostic: Diagnostic) -> Iterator[Diagnostic]:
    """A diagnostic, or more precise ones instead, without unknown keys that are reported already."""
    message = str(diagnostic["message"])
    path = render_path(_keys(diagnostic.get("location")))
    if (match := _UNKNOWN_KEYS.search(message)) is not None:
        if not any(_owner(fault) == path for fault in unknown):
            keys = _keys(diagnostic.get("location"))
            for name in _QUOTED.findall(match[1]):
                place = bundle.locate((*keys, name), on_key=True)
                yield {**diagnostic, "message": f"unknown key '{name}'", "range": _range(bundle, place)}
    elif (match := _REQUIRED.search(message)) is not None:
        # If a table may be one of several kinds, the linter may choose the wrong one.
        told = [fault for fault in bundle.faults if _owner(fault) == path]
        if not told or any(_path(fault) == f"{path}.{match[1]}" for fault in told):
            yield diagnostic
    elif _ANY_OF in message and (inside := list(_faults_inside(bundle, path))):
        yield from (_of_fault(bundle, fault) for fault in inside if fault not in unknown)
    else:
        yield diagnostic


def _owner(fault: Fault) -> str:
    """The table that a fault about a key is in."""
    return _path(fault).rpartition(".")[0]


def _path(fault: Fault) -> str:
    """The key that a fault is about. The path of a binding step's fault starts at its pipe's table."""
    path = str(fault.params.get("field_path", ""))
    return f"pipe.{fault.params['pipe']}.{path}" if fault.code == "method.binding_step_invalid" else path


def _of_fault(bundle: ParsedBundle, fault: Fault) -> Diagnostic:
    location = _path(fault)
    place = _range(bundle, fault.location)
    return {"kind": "schema", "severity": "error", "message": fault.detail, "location": location, "range": place}


def _faults_inside(bundle: ParsedBundle, path: str) -> Iterator[Fault]:
    for fault in bundle.faults:
        where = _path(fault)
        if fault.code == "method.schema_violation" and where.startswith((path + ".", path + "[")):
            yield fault


def _keys(location: object) -> tuple[str | int, ...]:
    """The linter's `pipe.p.steps.0` as keys."""
    parts = str(location).split(".") if location else []
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _range(bundle: ParsedBundle, place: Location) -> Json:
    line, column = place.line or 1, place.column or 1
    end_line, end_column = place.end_line or line, place.end_column or column + 1
    return {
        "start_offset": _offset(bundle.text, line, column),
        "end_offset": _offset(bundle.text, end_line, end_column),
        "start_line": line,
        "start_col": column,
        "end_line": end_line,
        "end_col": end_column,
    }


def _offset(text: str, line: int, column: int) -> int:
    """The place of a character in bytes, as the linter counts."""
    before = text.split("\n")[: line - 1]
    here = text.split("\n")[line - 1][: column - 1]
    return sum(len(each.encode()) + 1 for each in before) + len(here.encode())
