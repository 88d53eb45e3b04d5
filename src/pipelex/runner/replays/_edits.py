"""The edits to make before a run is run again: members of pipes, the model, the whole bundle, inputs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipelex.errors import ErrorCategory, Fault, Json, MethodInvalidError, PipelexError, near_names
from pipelex.library import Library, LibraryCrate, load_library_files

_MODEL_TYPES: Final = ("PipeLLM", "PipeStructure")
"""The pipe types whose `model` is set by an edit of the model."""


@dataclass(frozen=True)
class ReplayEdit:
    """The differences between a replay and the run that it replays."""

    start_over: str | None = None
    """Code or reference of the pipe to run again, with everything after it."""
    members: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """Key of a pipe's member, such as `pipe.summarize.prompt` → its new value."""
    bundle: Path | None = None
    """The bundle file or method folder that replaces the method that ran."""
    inputs: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """Inputs that replace the run's own, in the form of an inputs file."""
    model: str | None = None
    """The model for every pipe that generates with a language model."""


def edited(library: Library, edit: ReplayEdit) -> Library:
    """The library with the edit's members and model applied.

    Raises:
        PipelexError: a key names no pipe, or a value does not fit.
        MethodInvalidError: the pipes no longer fit together.
    """
    if not edit.members and edit.model is None:
        return library
    wire: dict[str, Any] = json.loads(library.crate.json_bytes)
    if edit.model is not None:
        for table in wire["pipes"].values():
            if table.get("type") in _MODEL_TYPES:
                table["model"] = edit.model
    for key, value in edit.members.items():
        ref, path = _place(library, key)
        _set(wire["pipes"][ref], path, value)
    try:
        crate = LibraryCrate.from_json_bytes(json.dumps(wire, ensure_ascii=False).encode())
    except PipelexError as wrong:
        raise _unfit(edit, wrong.report.detail.partition(": ")[2]) from None
    _check(library.crate, crate)
    return Library(crate)


def _place(library: Library, key: str) -> tuple[str, list[str]]:
    """The pipe that a key is about, and the path into its table."""
    first, *rest = key.split(".")
    for length in range(len(rest) - 1, 0, -1):
        name = ".".join(rest[:length])
        found = [ref for ref in library.pipes if name in (ref, library.pipes[ref].code)]
        if len(found) == 1 and first == "pipe":
            return found[0], rest[length:]
    codes = [pipe.code for pipe in library.pipes.values()]
    near = list(near_names(rest[0], codes)) if rest else list[str]()
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise PipelexError(
        "request.invalid",
        f"'{key}' names no member of a pipe that ran{hint}",
        category=ErrorCategory.CONTENT,
        params={"field": key},
        advice="Write pipe.CODE.MEMBER, for example pipe.summarize.prompt.",
    )


def _set(table: dict[str, Any], path: list[str], value: Json) -> None:
    *above, last = path
    for step in above:
        below = table.setdefault(step, {})
        if not isinstance(below, dict):
            table[step] = below = {}
        table = below  # pyright: ignore[reportUnknownVariableType]
    table[last] = value


def _check(before: LibraryCrate, after: LibraryCrate) -> None:
    """Refuse new faults that an edit causes; a fault that the crate already had did not keep the run from working.

    Raises:
        MethodInvalidError: the edit makes the method invalid.
    """
    known = {(fault.code, fault.detail) for fault in _faults(before)}
    new = [fault for fault in _faults(after) if (fault.code, fault.detail) not in known]
    if new:
        raise MethodInvalidError(new)


def _faults(crate: LibraryCrate) -> list[Fault]:
    """The faults in the pipes of a crate, written out as bundles; none if it uses packages, which they cannot hold."""
    if any("->" in ref for ref in (*crate.pipes, *crate.concepts)):
        return []
    return list(load_library_files(_bundles(crate)).verdict.errors)


def _bundles(crate: LibraryCrate) -> dict[str, str]:
    """The bundles of a crate, one for each domain."""
    import tomlkit

    wire: dict[str, Any] = json.loads(crate.json_bytes)
    domains: dict[str, dict[str, Any]] = {}
    for kind, key in (("concepts", "concept"), ("pipes", "pipe")):
        for ref, table in wire.get(kind, {}).items():
            domain, _, code = ref.rpartition(".")
            bundle = domains.setdefault(domain, {"domain": domain})
            bundle.setdefault(key, {})[code] = {"description": "-", **table}
    return {f"{domain.replace('.', '_')}.mthds": tomlkit.dumps(bundle) for domain, bundle in domains.items()}


def _unfit(edit: ReplayEdit, why: str) -> PipelexError:
    keys = ", ".join(edit.members) or "the model"
    return PipelexError(
        "request.invalid",
        f"the edit of {keys} does not fit: {why}",
        category=ErrorCategory.CONTENT,
        params={"field": keys},
    )
