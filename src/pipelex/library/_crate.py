"""Crates: libraries as canonical JSON with every reference qualified, for sending to other processes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import Json, exactly
from pipelex.language.blueprints import (
    PIPE_TYPES,
    ConceptBlueprint,
    PipeBlueprint,
    PipeSignatureBlueprint,
)


@dataclass(frozen=True, slots=True)
class MethodFile:
    """A file of a method tree that a pipe names, such as a function's module. The crate does not contain the file."""

    tree: str
    """The digest of the tree."""
    path: str
    """Tree path."""
    sha256: str
    """The SHA-256 of the file itself, in hexadecimal. The digest of a lone bundle's tree does not cover the files
    beside it."""


@dataclass(frozen=True)
class LibraryCrate:
    """A library as data: concept and pipe blueprints in which every reference is qualified.

    Keys are `domain.Code`, or `package->domain.Code` for the declarations of a dependency. Native concepts are not
    listed, because every runtime knows them. A crate holds nothing executable.
    """

    concepts: Mapping[str, ConceptBlueprint] = field(default_factory=dict[str, ConceptBlueprint])
    pipes: Mapping[str, PipeBlueprint] = field(default_factory=dict[str, PipeBlueprint])
    files: Mapping[str, MethodFile] = field(default_factory=dict[str, MethodFile])
    """Pipe → the file of its method tree that it names."""

    @cached_property
    def json_bytes(self) -> bytes:
        """The crate as compact UTF-8 JSON, the same bytes for the same content."""
        wire: dict[str, dict[str, Json]] = {}
        if self.concepts:
            wire["concepts"] = {ref: _dump(self.concepts[ref]) for ref in sorted(self.concepts)}
        wire["pipes"] = {ref: _dump(self.pipes[ref]) for ref in sorted(self.pipes)}
        if self.files:
            wire["files"] = {ref: asdict(self.files[ref]) for ref in sorted(self.files)}
        return json.dumps(wire, ensure_ascii=False, separators=(",", ":")).encode()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of `json_bytes`, in hexadecimal."""
        return hashlib.sha256(self.json_bytes).hexdigest()

    @classmethod
    def from_json_bytes(cls, data: bytes) -> "LibraryCrate":
        """Read a crate that came from another process.

        Raises:
            PipelexError: the bytes are not a crate (`method.package_invalid`).
        """
        try:
            wire = json.loads(data)
            return cls(
                {ref: ConceptBlueprint.model_validate(table) for ref, table in wire.get("concepts", {}).items()},
                {ref: read_pipe(table) for ref, table in wire["pipes"].items()},
                {ref: MethodFile(**table) for ref, table in wire.get("files", {}).items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError, RecursionError) as wrong:
            raise PipelexError(
                "method.package_invalid",
                f"this release cannot read the library crate: {wrong}",
                category=ErrorCategory.CONTENT,
                params={"reason": "crate"},
                advice="Run the same release on the submitter and on the workers.",
            ) from None


def read_pipe(table: Mapping[str, Json]) -> PipeBlueprint:
    """The blueprint of a pipe table, by its `type`.

    Raises:
        KeyError: no pipe type has that name.
        pydantic.ValidationError: the table does not fit the type.
    """
    if "type" not in table:
        return PipeSignatureBlueprint.model_validate({"description": "", **table})
    return PIPE_TYPES[exactly(table["type"], str)].model_validate({"description": "", **table})


def _dump(blueprint: ConceptBlueprint | PipeBlueprint) -> dict[str, Json]:
    dumped: dict[str, Any] = blueprint.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    for name, slot in dumped.get("inputs", {}).items():
        if slot.keys() == {"concept"}:  # the short form of a slot
            dumped["inputs"][name] = slot["concept"]
    if not blueprint.description:  # see `Library.closure`
        del dumped["description"]
    return dumped
