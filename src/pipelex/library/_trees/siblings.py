"""Finds files beside a lone bundle that declare what it lacks: its folder may have been meant instead of the file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from pipelex.config.files.plain import read_plain_text
from pipelex.config.files.toml import read_toml
from pipelex.errors import Fault
from pipelex.language.references import Reference
from pipelex.library._trees.tree import MethodTree
from pipelex.library._verdict import Verdict

_MOST_FILES: Final = 100
_MOST_BYTES: Final = 1_000_000
_NAMED_BY: Final[Mapping[str, tuple[str, str]]] = {
    "method.concept_unresolved": ("concept", "concept"),
    "method.pipe_unresolved": ("pipe", "missing"),
}
"""Code of a fault → the kind of the missing declaration, and the parameter that names it."""


def with_siblings(verdict: Verdict, tree: MethodTree, domains: Mapping[str | None, str], folder: str) -> Verdict:
    """The verdict on a lone file, whose faults advise giving the folder if files beside it declare what it lacks.

    Args:
        verdict: the verdict on the file alone.
        tree: the tree, which holds only the file.
        domains: bundle path → its domain.
        folder: the file's folder, as messages show it.
    """
    if not tree.is_lone or tree.root is None or not any(fault.code in _NAMED_BY for fault in verdict.errors):
        return verdict
    declared = _declared_beside(tree.root, set(tree.files))
    return replace(verdict, errors=tuple(_told(fault, domains, declared, folder) for fault in verdict.errors))


def _told(
    fault: Fault, domains: Mapping[str | None, str], declared: Mapping[tuple[str, str], str], folder: str
) -> Fault:
    kind, parameter = _NAMED_BY.get(fault.code, ("", ""))
    name = str(fault.params.get(parameter, ""))
    reference = Reference.parse(name)
    domain = reference.domain or domains.get(fault.location.file)
    file = declared.get((kind, f"{domain}.{reference.code}"))
    if not kind or reference.package is not None or file is None:
        return fault
    detail = (
        f"no {kind} '{name}' in this file: it is declared in '{file}' beside it; name the folder '{folder}' instead of"
        " the file"
    )
    return replace(fault, detail=detail, suggestions=(), suggested_fix=None)


def _declared_beside(root: Path, known: Iterable[str]) -> dict[tuple[str, str], str]:
    """Kind and qualified reference of a declaration in another bundle of the folder → the file's name."""
    found: dict[tuple[str, str], str] = {}
    others = sorted(path for path in root.glob("*.mthds") if path.name not in set(known))
    for path in others[:_MOST_FILES]:
        document = _document(path)
        for kind in ("concept", "pipe"):
            entries = document.get(kind)
            if isinstance(entries, dict):
                for code in cast("dict[str, Any]", entries):
                    found.setdefault((kind, f"{document.get('domain')}.{code}"), path.name)
    return found


def _document(path: Path) -> dict[str, Any]:
    try:
        return read_toml(read_plain_text(path, most=_MOST_BYTES))
    except (OSError, ValueError):
        return {}
