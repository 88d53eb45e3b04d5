"""The method tree: the files that travel with a method, and their digest."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipelex.config.files.paths import resolved
from pipelex.config.files.plain import read_plain
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.library._trees.ignore import IgnoreRule, ignore_rules, is_ignored
from pipelex.library.packages import MANIFEST_NAME

_MOST_BYTES = 268_435_456
"""The maximum size, in bytes, of one file that is read."""

_NEVER = frozenset({"__pycache__", "node_modules"})
_INPUTS = frozenset({"inputs.json", "inputs.toml"})


@dataclass(frozen=True)
class TreeRules:
    """The limits of a method's folder, and the folders in it that are not searched for bundles."""

    max_files: int = 10_000
    """The maximum number of files of a tree."""
    max_total_bytes: int = 1_073_741_824
    """The maximum total size of a tree's files, in bytes."""
    excluded_dirs: frozenset[str] = frozenset()
    """The names of folders whose bundles are not part of a library; their files still travel with the method."""

    def bundles(self, tree: "MethodTree", *endings: str, below: str = "") -> list[str]:
        """The tree paths of the bundles to read.

        Args:
            tree: the tree to look in.
            *endings: the endings of the names of bundles; `.mthds` by default.
            below: a folder of the tree, with a slash at its end; only bundles inside it are returned. Empty for the
                whole tree.
        """
        return [
            path
            for path in tree.files
            if path.endswith(endings or ".mthds")
            and path.startswith(below)
            and not self._is_excluded(path[len(below) :])
        ]

    def check_size(self, where: str, count: int, size: int) -> None:
        """Refuse a tree that is larger than the rules allow.

        Args:
            where: the name of the tree in messages.
            count: the number of files counted so far.
            size: their size, in bytes.

        Raises:
            PipelexError: the tree is too large (`method.package_invalid`).
        """
        if count > self.max_files:
            raise _too_large(where, f"more than {self.max_files} files", "max_files", self.max_files)
        if size > self.max_total_bytes:
            raise _too_large(where, f"more than {self.max_total_bytes} bytes", "max_total_bytes", self.max_total_bytes)

    def _is_excluded(self, path: str) -> bool:
        return not self.excluded_dirs.isdisjoint(path.split("/")[:-1])


@dataclass(frozen=True)
class MethodTree:
    """The files that travel with a method: bundles, templates, Python modules.

    Source: section 12.3 of the language reference.
    """

    root: Path | None
    """The folder; None for a tree in memory."""
    files: Mapping[str, Path | bytes] = field(default_factory=dict[str, Path | bytes])
    """Tree path → file or content."""
    is_lone: bool = False
    """Whether the tree is one bundle with no manifest above it. Its functions and templates are looked for beside
    it."""
    prefix: str = ""
    """The prefix in messages of the paths of a tree in memory that lies inside a larger one."""
    nested: tuple[Path, ...] = ()
    """Packages below the root, which are not part of this tree."""

    def find(self, path: str) -> Path | bytes | None:
        """The file of a tree path, or its content for a tree in memory."""
        if path in self.files:
            return self.files[path]
        if self.is_lone and self.root is not None:
            beside = self.root / path
            if beside.is_file() and resolved(beside).is_relative_to(resolved(self.root)):
                return beside
        return None

    def read(self, path: str) -> bytes | None:
        """The content of a tree path; None when there is no such file."""
        found = self.find(path)
        return read_plain(found, most=_MOST_BYTES) if isinstance(found, Path) else found

    @cached_property
    def digest(self) -> str:
        """`sha256:` and the digest of the list that `sha256sum` would print for the files, sorted by name.

        Raises:
            PipelexError: a path or a file may not travel (`method.package_invalid`).
        """
        self.check()
        listing = hashlib.sha256()
        for path in sorted(self.files, key=lambda path: path.encode()):
            content = self.read(path) or b""
            listing.update(f"{hashlib.sha256(content).hexdigest()}  {path}\n".encode())
        return f"sha256:{listing.hexdigest()}"

    @property
    def size(self) -> int:
        """The size of a tree in memory, in bytes."""
        return sum(len(content) for content in self.files.values() if isinstance(content, bytes))

    def check(self) -> None:
        """Refuse files that other machines might not store in the same way.

        Raises:
            PipelexError: there is a symbolic link, a special file, a forbidden name, or two names that collide
                (`method.package_invalid`).
        """
        folded: dict[str, str] = {}
        for path, file in self.files.items():
            if isinstance(file, Path) and not stat.S_ISREG(file.lstat().st_mode):
                raise _refused(path, "it is a symbolic link or a special file; only regular files are sent")
            if (why := _why_not(path)) is not None:
                raise _refused(path, why)
            if (other := folded.setdefault(_fold(path), path)) != path:
                raise _refused(path, f"its name differs from '{other}' only in case")
        for path in self.files:
            above = _fold(path)
            while "/" in above:
                above = above.rpartition("/")[0]
                if above in folded:
                    raise _refused(path, f"'{folded[above]}' is both a file and a folder")


def walk_tree(root: Path, exclude: tuple[str, ...] = (), rules: TreeRules | None = None) -> MethodTree:
    """The method tree of a folder, without the files that never travel.

    Args:
        root: the package's or the method's folder.
        exclude: patterns of the manifest, in gitignore's language.
        rules: the limits of the tree; the usual rules when None.

    Raises:
        PipelexError: the tree is larger than the rules allow (`method.package_invalid`).
    """
    rules_of_size = rules or TreeRules()
    size = 0
    files: dict[str, Path | bytes] = {}
    nested: list[Path] = []
    excluded = ignore_rules(exclude)
    folders: list[tuple[Path, str, list[IgnoreRule]]] = [(root, "", excluded)]
    while folders:
        folder, base, ignored = folders.pop()
        below: list[tuple[Path, str, list[IgnoreRule]]] = []
        ignored = [*_gitignore(folder, base), *ignored] if not base else [*ignored, *_gitignore(folder, base)]
        for entry in _entries(folder):
            path = base + unicodedata.normalize("NFC", entry.name)
            is_directory = entry.is_dir(follow_symlinks=False)
            if entry.name.startswith(".") or is_ignored(path, is_directory, ignored):
                continue
            here = folder / entry.name
            if not is_directory:
                if entry.name not in _INPUTS:
                    files[path] = here
                    size += entry.stat(follow_symlinks=False).st_size
                    rules_of_size.check_size(str(root), len(files), size)
            elif (here / MANIFEST_NAME).is_file():
                nested.append(here)
            elif entry.name not in _NEVER and not (here / "pyvenv.cfg").exists() and not (here / ".git").exists():
                below.append((here, path + "/", ignored))
        folders.extend(reversed(below))
    return MethodTree(root, dict(sorted(files.items())), nested=tuple(nested))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        yield from sorted(found, key=lambda entry: entry.name)


def _gitignore(folder: Path, base: str) -> list[IgnoreRule]:
    try:
        return ignore_rules(read_plain(folder / ".gitignore").decode("utf-8", "replace").splitlines(), base)
    except OSError:
        return []


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _why_not(path: str) -> str | None:
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        return "its path must not have an empty, '.' or '..' segment"
    if any(char in "\\:" or unicodedata.category(char) == "Cc" for char in path):
        return "its path must not have a backslash, a colon or a control character"
    if path != unicodedata.normalize("NFC", path):
        return "its path must be in Unicode's NFC form"
    if len(path.encode()) > 1024 or any(len(segment.encode()) > 255 for segment in segments):
        return "its path must have at most 1024 bytes, and each segment at most 255"
    return None


def _too_large(where: str, what: str, key: str, limit: int) -> PipelexError:
    return PipelexError(
        "method.package_invalid",
        f"'{where}' holds {what}, the limit of a method's folder",
        category=ErrorCategory.CONTENT,
        params={"reason": "tree", "path": where, "limit": limit},
        advice="Name the folder that holds only the method, exclude other files with .gitignore or [package] exclude, "
        f"or raise interpreter.method_tree_limits.{key}.",
    )


def _refused(path: str, why: str) -> PipelexError:
    return PipelexError(
        "method.package_invalid",
        f"'{path}' cannot be sent with the method: {why}",
        category=ErrorCategory.CONTENT,
        params={"reason": "tree", "path": path},
    )
