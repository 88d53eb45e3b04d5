"""Reads `METHODS.toml` and `methods.lock`.

Source: MTHDS 8.0.0, sections 12.1 and 12.2 of the language reference.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pipelex.config.files.toml import read_toml
from pipelex.errors import ErrorCategory, Fault, Json, Location, PipelexError, near_names
from pipelex.language.references import DOMAIN_PATTERN, NATIVE_DOMAIN, PIPE_CODE_PATTERN
from pipelex.library.packages._versions import is_constraint, is_version, satisfies

MANIFEST_NAME: Final = "METHODS.toml"
LOCK_NAME: Final = "methods.lock"
MTHDS_VERSION: Final = "8.0.0"
"""The version of the standard that this release implements."""

_RESERVED: Final = frozenset({NATIVE_DOMAIN, "mthds", "pipelex"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,24}")
_MOST_PLACED: Final = 100
"""The maximum number of faults of one file that are reported with their lines."""
_SHOWN: Final = 60
"""The maximum number of characters of a wrong value that are shown."""
_ADDRESS: Final = re.compile(r"[a-zA-Z0-9._-]+\.[a-zA-Z0-9._-]+/[a-zA-Z0-9._/-]+")
_ALIAS: Final = re.compile(r"[a-z][a-z0-9_]*")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_SOURCE: Final = re.compile(r"https://\S+\.git")


@dataclass(frozen=True)
class Dependency:
    """A package that another package needs."""

    address: str
    version: str | None = None
    path: str | None = None
    """A folder, relative to the manifest, that is used instead of a published version."""


@dataclass(frozen=True)
class Manifest:
    """The manifest of a package."""

    address: str
    version: str
    description: str
    name: str | None = None
    display_name: str | None = None
    authors: tuple[str, ...] = ()
    license: str | None = None
    mthds_version: str | None = None
    main_pipe: str | None = None
    exclude: tuple[str, ...] = ()
    """Patterns of files that are kept out of the method tree, in gitignore's syntax."""
    exports: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Domain → pipe codes that other packages and domains may call."""
    dependencies: Mapping[str, Dependency] = field(default_factory=dict[str, Dependency])
    """Alias → dependency."""
    path: str = MANIFEST_NAME
    """The name of the file in messages."""
    lines: Mapping[str, int] = field(default_factory=dict[str, int])
    """Key → the line that it is on."""

    def fault(self, detail: str, key: str, near: tuple[str, ...] = ()) -> Fault:
        """A fault at a key of the manifest that is found by comparing it with the bundles."""
        hint = f"; did you mean '{near[0]}'?" if near else ""
        place = Location(file=self.path, line=self.lines.get(key), field=key)
        return _fault(f"{self.path}: {detail}{hint}", place, near)

    @property
    def identities(self) -> tuple[str, ...]:
        """The addresses that references may use: the address, and the address with the package's name added."""
        if self.name is None or self.address.endswith(f"/{self.name}"):
            return (self.address,)
        return (self.address, f"{self.address}/{self.name}")


@dataclass(frozen=True)
class LockedPackage:
    """One package that a lock file pins."""

    address: str
    version: str
    digest: str
    """Tree digest, `sha256:` and 64 hexadecimal digits."""
    source: str
    """The address that it was cloned from."""


def read_manifest(text: str | bytes, *, path: str) -> tuple[Manifest | None, tuple[Fault, ...]]:
    """Read a `METHODS.toml`.

    Args:
        text: the file's content.
        path: the name of the file in messages.

    Returns:
        The manifest, and every fault (`method.package_invalid`). A manifest with faults is still returned if its
        address is known, so that its exports can be checked; otherwise it is None.
    """
    reader = _Reader(path, text)
    document = reader.document()
    if document is None:
        return None, tuple(reader.faults)
    reader.only(document, {"package", "exports", "dependencies"}, "")
    manifest = _manifest(reader, reader.table(document, "package"))
    if manifest is None:
        return None, tuple(reader.faults)
    exports = dict(_exports(reader, reader.table(document, "exports", optional=True), ()))
    dependencies = dict(_dependencies(reader, reader.table(document, "dependencies", optional=True)))
    lines = {key: line for key in ("pipes", "main_pipe") if (line := reader.line(key)) is not None}
    found = Manifest(**manifest, exports=exports, dependencies=dependencies, path=path, lines=lines)
    return found, tuple(reader.faults)


def read_lock(text: str | bytes, *, path: str) -> dict[str, LockedPackage]:
    """Read a `methods.lock`: package address → the pinned package.

    Raises:
        PipelexError: the file is not a lock of this standard (`method.dependency_invalid`).
    """
    reader = _Reader(path, text)
    document = reader.document() or {}
    found: dict[str, LockedPackage] = {}
    for address, entry in document.items():
        table = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        if "hash" in table:
            reader.fault(f"'{address}' still has 'hash', an older form: lock again to get 'digest'", "hash")
            continue
        where = f"'{address}': "
        reader.only(table, {"version", "digest", "source"}, where)
        version = reader.string(table, "version", is_version, "a semantic version", where=where)
        digest = reader.string(table, "digest", _matches(_DIGEST), "'sha256:' and 64 hexadecimal digits", where=where)
        source = reader.string(table, "source", _matches(_SOURCE), "an address 'https://….git'", where=where)
        if version and digest and source:
            found[address] = LockedPackage(address, version, digest, source)
    if reader.faults:
        raise PipelexError(
            "method.dependency_invalid",
            reader.faults[0].detail,
            category=ErrorCategory.CONTENT,
            params={"package": path, "finding": reader.faults[0].detail},
            location=reader.faults[0].location,
            faults=tuple(reader.faults),
        )
    return found


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


def _fault(detail: str, place: Location, near: tuple[str, ...] = ()) -> Fault:
    params: dict[str, Json] = {"reason": "manifest", "path": place.file}
    return Fault("method.package_invalid", detail, place, category="package_invalid", params=params, suggestions=near)


class _Reader:
    """Reads one TOML file of a package and collects what is wrong with it."""

    def __init__(self, path: str, text: str | bytes) -> None:
        self.path = path
        self.text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        self.faults: list[Fault] = []

    def document(self) -> dict[str, Any] | None:
        try:
            return read_toml(self.text)
        except tomllib.TOMLDecodeError as wrong:
            line = re.search(r"line (\d+), column (\d+)", str(wrong))
            place = (
                Location(file=self.path, line=int(line[1]), column=int(line[2])) if line else Location(file=self.path)
            )
            self.faults.append(_fault(f"{self.path} is not TOML: {wrong}", place))
            return None

    def fault(self, detail: str, key: str, *, is_written: bool = True) -> None:
        # Each search for a line goes through the whole text.
        line = self.line(key) if is_written and len(self.faults) < _MOST_PLACED else None
        self.faults.append(_fault(f"{self.path}: {detail}", Location(file=self.path, line=line, field=key)))

    def line(self, key: str) -> int | None:
        found = re.search(rf'^\s*\[?(?:[\w.]+\.)?"?{re.escape(key)}"?\s*[=\]]', self.text, re.MULTILINE)
        return None if found is None else self.text.count("\n", 0, found.end()) + 1

    def only(self, table: Mapping[str, Any], known: set[str], where: str) -> None:
        for key in table:
            if key not in known:
                near = near_names(key, sorted(known))
                hint = f"; did you mean '{near[0]}'?" if near else f"; it takes {', '.join(sorted(known))}"
                self.fault(f"{where}unknown key '{key}'{hint}", key)

    def table(self, document: Mapping[str, Any], key: str, *, optional: bool = False) -> dict[str, Any]:
        value = document.get(key)
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        if value is not None or not optional:
            is_written = value is not None
            detail = f"'{key}' must be a table" if is_written else f"the table [{key}] is missing"
            self.fault(detail, key, is_written=is_written)
        return {}

    def string(
        self,
        table: Mapping[str, Any],
        key: str,
        is_right: Callable[[str], bool],
        what: str,
        *,
        required: bool = True,
        where: str = "",
    ) -> str | None:
        value = table.get(key)
        if value is None:
            if required:
                self.fault(f"{where}'{key}' is missing: {what}", key, is_written=False)
            return None
        if not isinstance(value, str) or not is_right(value):
            self.fault(f"{where}'{key}' must be {what}, not {repr(value)[:_SHOWN]}", key)
            return None
        return value

    def strings(self, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
            return tuple(cast("list[str]", value))
        self.fault(f"'{key}' must be an array of strings", key)
        return ()


def _manifest(reader: _Reader, package: Mapping[str, Any]) -> dict[str, Any] | None:
    known = {"name", "address", "version", "description", "display_name", "authors", "license", "mthds_version"}
    reader.only(package, known | {"main_pipe", "exclude"}, "[package]: ")
    name = "2 to 25 lowercase letters, digits and underscores, starting with a letter"
    found = {
        "address": reader.string(
            package, "address", _matches(_ADDRESS), "a host and a path, like 'github.com/acme/quays'"
        ),
        "version": reader.string(package, "version", is_version, "a semantic version, like '1.2.0'"),
        "description": reader.string(package, "description", lambda text: bool(text.strip()), "a non-empty string"),
        "name": reader.string(package, "name", _matches(_NAME), name, required=False),
        "display_name": reader.string(
            package, "display_name", _is_display_name, "1 to 128 characters without control characters", required=False
        ),
        "license": reader.string(package, "license", bool, "an SPDX identifier", required=False),
        "mthds_version": reader.string(
            package, "mthds_version", is_constraint, "a version constraint, like '^8.0'", required=False
        ),
        "main_pipe": reader.string(package, "main_pipe", _matches(PIPE_CODE_PATTERN), "a pipe code", required=False),
        "authors": reader.strings(package, "authors"),
        "exclude": reader.strings(package, "exclude"),
    }
    constraint = found["mthds_version"]
    if isinstance(constraint, str) and not satisfies(MTHDS_VERSION, constraint):
        reader.fault(
            f"the package requires version '{constraint}' of the standard; this release implements {MTHDS_VERSION}",
            "mthds_version",
        )
    if found["address"] is None:
        return None
    found["version"] = found["version"] or "0.0.0"
    found["description"] = found["description"] or ""
    return found


def _is_display_name(text: str) -> bool:
    return 1 <= len(text.strip()) <= 128 and text.isprintable()


def _exports(
    reader: _Reader, table: Mapping[str, Any], above: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    domain = ".".join(above)
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _exports(reader, cast("dict[str, Any]", value), (*above, key))
        elif key != "pipes" or not above:
            reader.fault(f"[exports{'.' + domain if domain else ''}]: unknown key '{key}'; it takes 'pipes'", key)
        elif DOMAIN_PATTERN.fullmatch(domain) is None or above[0] in _RESERVED:
            reader.fault(f"[exports.{domain}]: '{domain}' cannot be a domain of a package", above[-1])
        else:
            codes = reader.strings(table, "pipes")
            sound = tuple(code for code in codes if PIPE_CODE_PATTERN.fullmatch(code))
            for code in codes:
                if code not in sound:
                    reader.fault(f"[exports.{domain}]: '{code}' is not a pipe code (snake_case)", "pipes")
            yield domain, sound


def _dependencies(reader: _Reader, table: Mapping[str, Any]) -> Iterator[tuple[str, Dependency]]:
    for alias, value in table.items():
        if _ALIAS.fullmatch(alias) is None or not isinstance(value, dict):
            reader.fault(f"[dependencies]: '{alias}' must be a snake_case name and a table", alias)
            continue
        entry = cast("dict[str, Any]", value)
        where = f"[dependencies.{alias}]: "
        reader.only(entry, {"address", "version", "path"}, where)
        address = reader.string(entry, "address", _matches(_ADDRESS), "a package address", where=where)
        version = reader.string(entry, "version", is_constraint, "a version constraint", required=False, where=where)
        folder = reader.string(entry, "path", bool, "a folder", required=False, where=where)
        if address is not None:
            yield alias, Dependency(address, version, folder)
