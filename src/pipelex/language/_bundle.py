"""Reads one `.mthds` file: turns bytes into a blueprint and faults.

Source: MTHDS 8.0.0, sections 1 and 11 of the language reference.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipelex.errors import Fault, Location, SuggestedFix, comparing_few_names, near_names
from pipelex.language._concepts import check_concept
from pipelex.language._fault import (
    Report,
    UnplacedFault,
    did_you_mean,
    is_table,
    kind_of,
    rename_key,
    render_path,
    set_key,
    shorten,
)
from pipelex.language._natives import RESERVED_DOMAINS
from pipelex.language._pipes import check_pipe
from pipelex.language._positions import Positions
from pipelex.language._template_checks import check_default_system_prompt
from pipelex.language._toml import SyntaxFault, decode, read_document
from pipelex.language.blueprints import BundleBlueprint, ConceptBlueprint, PipeBlueprint
from pipelex.language.references import DOMAIN_PATTERN, PIPE_CODE_PATTERN

_HEADER_KEYS = ("domain", "description", "system_prompt", "main_pipe")
_TOP_KEYS = (*_HEADER_KEYS, "concept", "pipe")
_TOP_ADVICE = {
    "definition": ("description", "write 'description'"),
    "concepts": ("concept", "write '[concept.Name]'"),
    "pipes": ("pipe", "write '[pipe.name]'"),
}
_VERSION_KEYS = ("language_version", "mthds_version", "version")


@dataclass(frozen=True)
class ParsedBundle:
    """A bundle file after reading: the valid part of its blueprint, and everything that is wrong with it."""

    path: str | None
    text: str
    """The file's text; bytes that are not UTF-8 are replaced."""
    blueprint: BundleBlueprint | None = None
    """The blueprint, with only the valid concepts and pipes; None when the file is not TOML or its domain is
    unknown."""
    faults: tuple[Fault, ...] = ()
    """The faults in file order, warnings included."""
    broken_pipes: frozenset[str] = field(default_factory=frozenset[str])
    """Codes of pipes that are declared but not in the blueprint."""
    broken_concepts: frozenset[str] = field(default_factory=frozenset[str])
    """Codes of concepts that are declared but not in the blueprint."""

    @property
    def has_errors(self) -> bool:
        """Whether any fault is more than a warning."""
        return any(fault.severity == "error" for fault in self.faults)

    def locate(self, keys: Sequence[str | int], *, offset: int | None = None, on_key: bool = False) -> Location:
        """The place of a value of the document.

        Args:
            keys: the path of keys and indexes, for example `("pipe", "x", "steps", 2, "pipe")`.
            offset: a character inside that string value, escapes counted as what they stand for.
            on_key: point at the key rather than at its value.

        Returns:
            The location of the value, or of the nearest table around it when the file has no such key.
        """
        span = self._positions.find(keys, on_key=on_key, offset=offset) if self._positions is not None else None
        line, column, end_line, end_column = span or (1, 1, None, None)
        owner = str(keys[1]) if len(keys) > 1 else None
        inner = render_path(keys[2:]) or None
        kind = keys[0] if keys else None
        return Location(
            file=self.path,
            line=line,
            column=column,
            end_line=end_line,
            end_column=end_column,
            pipe=owner if kind == "pipe" else None,
            concept=owner if kind == "concept" else None,
            field=inner if kind in ("pipe", "concept") else render_path(keys) or None,
        )

    @functools.cached_property
    def _positions(self) -> Positions | None:
        if any(fault.code == "method.syntax" for fault in self.faults):
            return None
        return Positions(normalise_newlines(self.text))


def normalise_newlines(text: str) -> str:
    """The text with line feeds only, as TOML counts lines. A lone carriage return stays, because TOML refuses it."""
    return text.replace("\r\n", "\n")


@comparing_few_names
def parse_bundle(source: bytes | str, *, path: str | None = None) -> ParsedBundle:
    """Read a bundle file. Never raises: everything that is wrong is in `faults`.

    Args:
        source: the file's bytes or text.
        path: the file's name, for the locations of faults.
    """
    text, wrong = decode(source)
    document = wrong or read_document(normalise_newlines(text))
    if isinstance(document, SyntaxFault):
        return ParsedBundle(path, text, faults=(_syntax_fault(document, path),))
    found: list[UnplacedFault] = []
    header = _check_header(found, document)
    concepts, broken_concepts = _check_concepts(found, document.get("concept"))
    pipes, broken_pipes = _check_pipes(found, document.get("pipe"))
    _check_main_pipe(found, header.get("main_pipe"), [*pipes, *broken_pipes])
    blueprint = None
    if "domain" in header:
        blueprint = BundleBlueprint(**header, concepts=concepts, pipes=pipes)
    bundle = ParsedBundle(path, text, blueprint, (), frozenset(broken_pipes), frozenset(broken_concepts))
    if not found:
        return bundle
    faults = [_placed(bundle, fault) for fault in found]
    faults.sort(key=lambda fault: (fault.location.line or 0, fault.location.column or 0))
    return replace(bundle, faults=tuple(faults))


def _syntax_fault(wrong: SyntaxFault, path: str | None) -> Fault:
    location = Location(file=path, line=wrong.line, column=wrong.column)
    return Fault("method.syntax", f"not TOML: {wrong.message}", location, params={"finding": wrong.message})


def _placed(bundle: ParsedBundle, fault: UnplacedFault) -> Fault:
    fix = fault.fix
    if fix is not None and bundle.path is not None:
        fix = SuggestedFix(fix.fix_code, fix.description, fix.ops, fix.safety, bundle.path)
    return Fault(
        fault.code,
        fault.detail,
        bundle.locate(fault.keys, offset=fault.offset, on_key=fault.on_key),
        fault.severity,
        fault.category,
        fault.params,
        fault.suggestions,
        fix,
    )


def _check_header(faults: list[UnplacedFault], document: dict[str, Any]) -> dict[str, Any]:
    """Report the faults of the header, and return its valid keys."""
    report = Report((), faults)
    for key in document:
        if key not in _TOP_KEYS:
            _unknown_top_key(report, key, document)
    sound: dict[str, Any] = {}
    for key in _HEADER_KEYS:
        if key not in document:
            continue
        value = document[key]
        if isinstance(value, str):
            sound[key] = value
        else:
            report.schema("wrong_type", f"'{key}' of the bundle must be a string, not {kind_of(value)}", key)
    if "domain" not in document:
        report.schema("missing_key", "the bundle needs 'domain', the namespace of its concepts and pipes", "domain")
    elif "domain" in sound and not _check_domain(report, sound["domain"]):
        del sound["domain"]
    if "system_prompt" in sound:
        faults.extend(check_default_system_prompt(sound["system_prompt"]))
    return sound


def _unknown_top_key(report: Report, key: str, document: dict[str, Any]) -> None:
    shown = shorten(key)
    if key in _VERSION_KEYS:
        detail = f"unknown key '{shown}': a bundle has no version; 'mthds_version' belongs in METHODS.toml"
        report.schema("unknown_key", detail, key, on_key=True)
        return
    if key in _TOP_ADVICE:
        new, advice = _TOP_ADVICE[key]
        fix = None
        if new not in document:
            fix = SuggestedFix("rename-key", advice, (rename_key((), key, new),))
        report.schema(
            "old_form" if key == "definition" else "unknown_key",
            f"unknown key '{shown}': {advice}",
            key,
            on_key=True,
            suggestions=(new,),
            fix=fix,
        )
        return
    near = near_names(key, [name for name in _TOP_KEYS if name not in document])
    hint = did_you_mean(near) or f"; known keys: {', '.join(_TOP_KEYS)}"
    report.schema("unknown_key", f"unknown key '{shown}' in the bundle{hint}", key, on_key=True, suggestions=near)


def _check_domain(report: Report, domain: str) -> bool:
    if DOMAIN_PATTERN.fullmatch(domain) is None:
        better = ".".join(part.strip().lower().replace("-", "_").replace(" ", "_") for part in domain.split("."))
        near = (better,) if DOMAIN_PATTERN.fullmatch(better) else ()
        fix = SuggestedFix("snake-case-domain", f"write '{better}'", (set_key((), "domain", better),), "unsafe")
        report.schema(
            "domain",
            f"domain '{shorten(domain)}' must be snake_case, with dots if needed{did_you_mean(near)}",
            "domain",
            suggestions=near,
            fix=fix if near else None,
        )
        return False
    first = domain.partition(".")[0]
    if first in RESERVED_DOMAINS:
        report.faults.append(
            UnplacedFault(
                "method.name_conflict",
                f"domain '{shorten(domain)}': '{first}' is reserved; choose another first segment",
                ("domain",),
                {"name": domain, "conflict": "reserved_domain"},
                category="reserved_domain",
            )
        )
        return False
    return True


def _check_concepts(faults: list[UnplacedFault], declared: Any) -> tuple[dict[str, ConceptBlueprint], list[str]]:
    sound: dict[str, ConceptBlueprint] = {}
    broken: list[str] = []
    for code, entry in _entries(faults, "concept", declared).items():
        blueprint, more = check_concept(code, entry)
        faults.extend(more)
        if blueprint is None:
            broken.append(code)
        else:
            sound[code] = blueprint
    return sound, broken


def _check_pipes(faults: list[UnplacedFault], declared: Any) -> tuple[dict[str, PipeBlueprint], list[str]]:
    sound: dict[str, PipeBlueprint] = {}
    broken: list[str] = []
    for code, entry in _entries(faults, "pipe", declared).items():
        blueprint, more = check_pipe(code, entry)
        faults.extend(more)
        if blueprint is None:
            broken.append(code)
        else:
            sound[code] = blueprint
    return sound, broken


def _entries(faults: list[UnplacedFault], key: str, declared: Any) -> dict[str, Any]:
    if declared is None:
        return {}
    if is_table(declared):
        return declared
    Report((), faults).schema("wrong_type", f"'{key}' must be a table, not {kind_of(declared)}", key)
    return {}


def _check_main_pipe(faults: list[UnplacedFault], name: Any, codes: list[str]) -> None:
    if not isinstance(name, str) or name in codes:
        return
    near = near_names(name, codes)
    if PIPE_CODE_PATTERN.fullmatch(name) is None:
        detail = (
            f"main_pipe '{shorten(name)}' is not a pipe code of this bundle (bare and snake_case){did_you_mean(near)}"
        )
        params = {"identifier_kind": "main_pipe", "name": name}
        code, category = "method.identifier_invalid", "invalid_pipe_code_syntax"
    else:
        hint = did_you_mean(near) or "; the entry pipe must be declared in the same file"
        detail = f"main_pipe '{shorten(name)}' is not a pipe of this bundle{hint}"
        params = {"missing": name, "candidates": list(near)}
        code, category = "method.pipe_unresolved", "unresolved_pipe_dependency"
    faults.append(UnplacedFault(code, detail, ("main_pipe",), params, category=category, suggestions=near))
