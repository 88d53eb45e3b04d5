"""Reads `METHODS.toml` and `methods.lock`.

Source: MTHDS 8.0.0, sections 12.1 and 12.2 of the language reference.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pipelex.config import TomlPositions
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
    positions: TomlPositions = field(default_factory=lambda: TomlPositions(""), repr=False, compare=False)

    def fault(self, detail: str, keys: tuple[str, ...], near: tuple[str, ...] = ()) -> Fault:
        """A fault at a key of the manifest that is found by comparing it with the bundles."""
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return _fault(f"{self.path}: {detail}{hint}", _place(self.path, self.positions, keys), near)

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
    document.only({"package", "exports", "dependencies"})
    manifest = _manifest(document.table("package"))
    if manifest is None:
        return None, tuple(reader.faults)
    exports = dict(_exports(document.table("exports", optional=True)))
    dependencies = dict(_dependencies(document.table("dependencies", optional=True)))
    found = Manifest(**manifest, exports=exports, dependencies=dependencies, path=path, positions=reader.positions)
    return found, tuple(reader.faults)


def read_lock(text: str | bytes, *, path: str) -> dict[str, LockedPackage]:
    """Read a `methods.lock`: package address → the pinned package.

    Raises:
        PipelexError: the file is not a lock of this standard (`method.dependency_invalid`).
    """
    reader = _Reader(path, text)
    document = reader.document() or _TableReader(reader, {})
    found: dict[str, LockedPackage] = {}
    for address in document.values:
        table = document.inner(address, f"'{address}': ")
        if "hash" in table.values:
            table.fault(f"'{address}' still has 'hash', an older form: lock again to get 'digest'", "hash")
            continue
        table.only({"version", "digest", "source"})
        version = table.string("version", is_version, "a semantic version")
        digest = table.string("digest", _matches(_DIGEST), "'sha256:' and 64 hexadecimal digits")
        source = table.string("source", _matches(_SOURCE), "an address 'https://….git'")
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


def _place(path: str, positions: TomlPositions, keys: tuple[str, ...]) -> Location:
    """The place of a key; without a line if the key is missing."""
    found = positions.key(keys)
    return Location(file=path, line=None if found is None else found[0], field=keys[-1])


class _Reader:
    """Reads one TOML file of a package and collects what is wrong with it."""

    def __init__(self, path: str, text: str | bytes) -> None:
        self.path = path
        self.text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        self.positions = TomlPositions(self.text)
        self.faults: list[Fault] = []

    def document(self) -> "_TableReader | None":
        try:
            return _TableReader(self, read_toml(self.text))
        except tomllib.TOMLDecodeError as wrong:
            line = re.search(r"line (\d+), column (\d+)", str(wrong))
            place = (
                Location(file=self.path, line=int(line[1]), column=int(line[2])) if line else Location(file=self.path)
            )
            self.faults.append(_fault(f"{self.path} is not TOML: {wrong}", place))
            return None

    def fault(self, detail: str, keys: tuple[str, ...]) -> None:
        # All faults of a hostile file may be on one line, which is read again for each of them.
        is_placed = len(self.faults) < _MOST_PLACED
        place = _place(self.path, self.positions, keys) if is_placed else Location(file=self.path, field=keys[-1])
        self.faults.append(_fault(f"{self.path}: {detail}", place))


@dataclass(frozen=True)
class _TableReader:
    """One table of a file that is being read."""

    reader: _Reader
    values: Mapping[str, Any]
    keys: tuple[str, ...] = ()
    """The keys that lead to the table."""
    where: str = ""
    """The beginning of every message about the table."""

    def fault(self, detail: str, *keys: str) -> None:
        """Note a fault at a key of the table, or of a table in it."""
        self.reader.fault(detail, (*self.keys, *keys))

    def inner(self, key: str, where: str = "") -> "_TableReader":
        """The table under a key; an empty one if there is none."""
        value = self.values.get(key)
        values = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        return _TableReader(self.reader, values, (*self.keys, key), where)

    def table(self, key: str, *, optional: bool = False) -> "_TableReader":
        value = self.values.get(key)
        if value is None and not optional:
            self.fault(f"the table [{key}] is missing", key)
        elif value is not None and not isinstance(value, dict):
            self.fault(f"'{key}' must be a table", key)
        return self.inner(key)

    def only(self, known: set[str], where: str | None = None) -> None:
        for key in self.values:
            if key not in known:
                near = near_names(key, sorted(known))
                hint = f"; did you mean '{near[0]}'?" if near else f"; it takes {', '.join(sorted(known))}"
                self.fault(f"{self.where if where is None else where}unknown key '{key}'{hint}", key)

    def string(self, key: str, is_right: Callable[[str], bool], what: str, *, required: bool = True) -> str | None:
        value = self.values.get(key)
        if value is None:
            if required:
                self.fault(f"{self.where}'{key}' is missing: {what}", key)
            return None
        if not isinstance(value, str) or not is_right(value):
            self.fault(f"{self.where}'{key}' must be {what}, not {repr(value)[:_SHOWN]}", key)
            return None
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
            return tuple(cast("list[str]", value))
        self.fault(f"{self.where}'{key}' must be an array of strings", key)
        return ()


def _manifest(package: _TableReader) -> dict[str, Any] | None:
    known = {"name", "address", "version", "description", "display_name", "authors", "license", "mthds_version"}
    package.only(known | {"main_pipe", "exclude"}, "[package]: ")
    name = "2 to 25 lowercase letters, digits and underscores, starting with a letter"
    found = {
        "address": package.string("address", _matches(_ADDRESS), "a host and a path, like 'github.com/acme/quays'"),
        "version": package.string("version", is_version, "a semantic version, like '1.2.0'"),
        "description": package.string("description", lambda text: bool(text.strip()), "a non-empty string"),
        "name": package.string("name", _matches(_NAME), name, required=False),
        "display_name": package.string(
            "display_name", _is_display_name, "1 to 128 characters without control characters", required=False
        ),
        "license": package.string("license", bool, "an SPDX identifier", required=False),
        "mthds_version": package.string(
            "mthds_version", is_constraint, "a version constraint, like '^8.0'", required=False
        ),
        "main_pipe": package.string("main_pipe", _matches(PIPE_CODE_PATTERN), "a pipe code", required=False),
        "authors": package.strings("authors"),
        "exclude": package.strings("exclude"),
    }
    constraint = found["mthds_version"]
    if isinstance(constraint, str) and not satisfies(MTHDS_VERSION, constraint):
        package.fault(
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


def _exports(exports: _TableReader, *above: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    domain = ".".join(above)
    for key, value in exports.values.items():
        if isinstance(value, dict):
            yield from _exports(exports.inner(key), *above, key)
        elif key != "pipes" or not above:
            exports.fault(f"[exports{'.' + domain if domain else ''}]: unknown key '{key}'; it takes 'pipes'", key)
        elif DOMAIN_PATTERN.fullmatch(domain) is None or above[0] in _RESERVED:
            exports.fault(f"[exports.{domain}]: '{domain}' cannot be a domain of a package")
        else:
            codes = exports.strings("pipes")
            sound = tuple(code for code in codes if PIPE_CODE_PATTERN.fullmatch(code))
            for code in codes:
                if code not in sound:
                    exports.fault(f"[exports.{domain}]: '{code}' is not a pipe code (snake_case)", "pipes")
            yield domain, sound


def _dependencies(dependencies: _TableReader) -> Iterator[tuple[str, Dependency]]:
    for alias, value in dependencies.values.items():
        if _ALIAS.fullmatch(alias) is None or not isinstance(value, dict):
            dependencies.fault(f"[dependencies]: '{alias}' must be a snake_case name and a table", alias)
            continue
        entry = dependencies.inner(alias, f"[dependencies.{alias}]: ")
        entry.only({"address", "version", "path"})
        address = entry.string("address", _matches(_ADDRESS), "a package address")
        version = entry.string("version", is_constraint, "a version constraint", required=False)
        folder = entry.string("path", bool, "a folder", required=False)
        if address is not None:
            yield alias, Dependency(address, version, folder)
