"""Finds, reads and parses bundle files, with the packages that they belong to."""

import os
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.config.files.paths import resolved
from pipelex.config.files.plain import read_plain
from pipelex.errors import ErrorCategory, Fault, PipelexError, near_names
from pipelex.library._names import PackageBundles
from pipelex.library._reach import FoundPackage, Reach, constraints_of
from pipelex.library._trees.other_files import BUNDLE_SUFFIXES, check_is_bundle
from pipelex.library._trees.tree import MethodTree, TreeRules, walk_tree
from pipelex.library.packages import LOCK_NAME, MANIFEST_NAME, Manifest, read_lock, read_manifest

if TYPE_CHECKING:
    from pipelex.language import ParsedBundle

_MOST_ROUNDS = 10
"""The maximum number of rounds of choosing versions. Each round uses the constraints of the packages chosen before."""
_FEW = 5
"""The most files of a folder that are proposed in place of one that does not exist."""
_JOINED = re.compile(r"(.+\.(?:mthds|plx))(?:::?|/|#)[\w.]+")
"""A pipe's code behind the name of its file, such as `report.mthds:summarise`."""
_ADDRESS_CHARACTERS = string.ascii_letters + string.digits + "._/-"


@dataclass(frozen=True)
class LoadedFiles:
    """Bundle files, parsed, with the packages they belong to."""

    packages: tuple[PackageBundles, ...]
    """The current package, then the packages that its bundles refer to, directly or indirectly."""
    targets: tuple["ParsedBundle", ...]
    """The bundles that were asked for; the others may only be referred to."""
    tree: MethodTree
    """The files that travel with the method."""
    trees: Mapping[str, MethodTree] = field(default_factory=dict[str, MethodTree])
    """Bundle path → the tree it lies in."""

    @property
    def manifest(self) -> Manifest | None:
        return self.packages[0].manifest


def load_paths(
    paths: Sequence[Path],
    *,
    library_dirs: Sequence[Path] = (),
    rules: TreeRules | None = None,
    texts: Mapping[Path, str] | None = None,
) -> LoadedFiles:
    """Find, read and parse bundle files.

    A file of a package brings in the other bundles of its package, and a directory every bundle of its method tree. A
    library directory adds its bundles to the same namespace; if it is a package or holds packages, these can be
    referred to by address instead. Without `paths`, the library directories are the targets.

    Args:
        paths: bundle files and directories.
        library_dirs: additional folders to look in.
        rules: the limits of folders, and the folders that are not searched for bundles; the usual rules when None.
        texts: resolved path of a bundle → the text that is used instead of the file's.

    Raises:
        PipelexError: a target cannot be read or holds no bundle (`method.not_found`), or is too large
            (`method.package_invalid`). There is no verdict then.
    """
    loader = _Loader(rules, texts)
    targets = [*paths] or [*library_dirs]
    if not targets:
        raise _no_target("no bundle file or directory was given", ".")
    for path in targets:
        loader.add_target(path)
    for path in library_dirs:
        loader.add_library(path)
    return loader.loaded()


def load_files(files: Mapping[str, str | bytes], *, rules: TreeRules | None = None) -> LoadedFiles:
    """Parse a method that comes as tree path → content, for instance in a request.

    Every bundle at the top, or below the first manifest, is a target. Packages below can be referred to by address.

    Raises:
        PipelexError: there is no bundle (`method.not_found`), or a path is not a tree path (`method.package_invalid`).
    """
    contents: dict[str, Path | bytes] = {
        path: text.encode() if isinstance(text, str) else text for path, text in sorted(files.items())
    }
    rules = rules or TreeRules()
    whole = MethodTree(None, contents)
    rules.check_size("the method", len(contents), whole.size)
    whole.check()
    roots = sorted(
        (path.removesuffix(MANIFEST_NAME) for path in contents if path.rpartition("/")[2] == MANIFEST_NAME), key=len
    )
    if len(roots) == 1 and all(path.startswith(roots[0]) for path in contents):
        contents = {path.removeprefix(roots[0]): content for path, content in contents.items()}
        roots = [""]
    loader = _Loader(rules)
    for root in roots:
        if root:
            inside = {path.removeprefix(root): content for path, content in contents.items() if path.startswith(root)}
            loader.reach.add(_package(MethodTree(None, inside, prefix=root)))
            contents = {path: content for path, content in contents.items() if not path.startswith(root)}
    main = _package(MethodTree(None, contents))
    loader.set_current(main)
    loader.add_bundles(main.tree, sorted(path for path in contents if path.endswith(".mthds")), is_target=True)
    if not loader.targets:
        raise _no_target("none of the files is a bundle (*.mthds)", ".")
    return loader.loaded()


class _Loader:
    def __init__(self, rules: TreeRules | None, texts: Mapping[Path, str] | None = None) -> None:
        self._rules = rules or TreeRules()
        self._texts = texts or {}
        self.bundles: dict[str, ParsedBundle] = {}
        """Resolved path → bundle of the current package."""
        self.targets: list[ParsedBundle] = []
        self.trees: dict[str, MethodTree] = {}
        self.current: FoundPackage | None = None
        self.reach = Reach(self._package_at)
        self.own_roots: set[Path] = set()
        self._read: dict[int, tuple[ParsedBundle, ...]] = {}
        """Bundles of dependencies, by the identity of their package."""

    # --- gathering ----------------------------------------------------------------------------------------------------

    def add_target(self, path: Path) -> None:
        if path.is_dir():
            root = manifest_folder(path)
            package = self._package_at(root or path)
            self.set_current(package)
            below = "" if root is None else _relative(resolved(path), resolved(root))
            inside = self._rules.bundles(package.tree, below=below + "/" if below else "")
            if not inside:
                raise _no_target(_why_empty(path, package.tree), str(path))
            self.add_bundles(package.tree, inside, is_target=True)
        elif path.is_file() or resolved(path) in self._texts:
            self._check_is_bundle(path)
            root = manifest_folder(path.parent)
            if root is None:
                tree = MethodTree(path.parent, {path.name: path}, is_lone=True)
                self.set_current(FoundPackage(tree, None, ()))
                self.add_bundles(tree, [path.name], is_target=True)
                return
            package = self._package_at(root)
            self.set_current(package)
            name = _relative(resolved(path), resolved(root))
            if name not in package.tree.files:  # kept out of the tree, yet asked for
                package.tree = MethodTree(root, {**package.tree.files, name: path}, nested=package.tree.nested)
            self.add_bundles(package.tree, [name], is_target=True)
        else:
            raise missing_target(path)
        if self.current is not None and self.current.manifest is not None:
            self.add_bundles(self.current.tree, self._rules.bundles(self.current.tree))

    def _check_is_bundle(self, path: Path) -> None:
        try:
            if resolved(path) not in self._texts:
                check_is_bundle(path)
        except OSError as wrong:
            raise _no_target(f"'{path}' cannot be read: {wrong.strerror}", str(path)) from None

    def add_library(self, path: Path) -> None:
        if not path.is_dir():
            raise _no_target(
                f"there is no library directory '{path}'",
                str(path),
                advice="Name a folder that holds bundles or packages with --library-dir.",
            )
        package = self._package_at(path)
        for nested in package.tree.nested:
            self._add_packages_at(nested)
        if package.manifest is None:
            self.add_bundles(package.tree, self._rules.bundles(package.tree))
        elif resolved(path) not in self.own_roots:
            self.reach.add(package)

    def _add_packages_at(self, root: Path) -> None:
        waiting = [root]
        while waiting:
            package = self._package_at(waiting.pop())
            waiting.extend(package.tree.nested)
            self.reach.add(package)

    def set_current(self, package: FoundPackage) -> None:
        """Make a package the current one, unless one is set. Packages inside it can be referred to by address."""
        if self.current is None or (self.current.manifest is None and package.manifest is not None):
            self.current = package
        self.reach.origin = self.current.tree.root
        if package.tree.root is not None:
            self.own_roots.add(resolved(package.tree.root))
        for nested in package.tree.nested:
            self._add_packages_at(nested)

    def add_bundles(self, tree: MethodTree, names: Iterable[str], *, is_target: bool = False) -> None:
        for name in names:
            key = name if tree.root is None else str(resolved(tree.root / name))
            if key not in self.bundles:
                self.bundles[key] = self._parsed(tree, name)
            if is_target and self.bundles[key] not in self.targets:
                self.targets.append(self.bundles[key])

    def _parsed(self, tree: MethodTree, name: str) -> "ParsedBundle":
        from pipelex.language import parse_bundle

        shown = tree.prefix + name if tree.root is None else display_path(tree.root / name)
        try:
            text = self._text_of(tree, name)
            content = text if text is not None else tree.read(name) or b""
        except OSError as wrong:
            raise _no_target(f"'{shown}' cannot be read: {wrong.strerror}", shown) from None
        bundle = parse_bundle(content, path=shown)
        self.trees[shown] = tree
        return bundle

    def _text_of(self, tree: MethodTree, name: str) -> str | None:
        """The text that is used instead of a bundle's file; None to read the file."""
        return None if tree.root is None or not self._texts else self._texts.get(resolved(tree.root / name))

    def _package_at(self, root: Path) -> FoundPackage:
        file = root / MANIFEST_NAME
        try:
            content = read_plain(file) if file.is_file() else None
            manifest, faults = (None, ()) if content is None else read_manifest(content, path=display_path(file))
            tree = walk_tree(root, manifest.exclude if manifest is not None else (), self._rules)
            return FoundPackage(tree, manifest, (*faults, *_lock_faults(tree, display_path(root / LOCK_NAME))))
        except OSError as wrong:
            raise _no_target(f"'{wrong.filename}' cannot be read: {wrong.strerror}", str(root)) from None

    # --- dependencies -------------------------------------------------------------------------------------------------

    def loaded(self) -> LoadedFiles:
        assert self.current is not None
        found: list[PackageBundles] = []
        constraints = constraints_of([self.current.manifest])
        for _ in range(_MOST_ROUNDS):
            found = self._gathered(self.current, constraints)
            wanted = constraints_of(package.manifest for package in found)
            if wanted == constraints:
                break
            constraints = wanted
        return LoadedFiles(tuple(found), tuple(self.targets), self.current.tree, self.trees)

    def _gathered(self, current: FoundPackage, constraints: Mapping[str, frozenset[str]]) -> list[PackageBundles]:
        """The current package, and the packages that its bundles and those of its dependencies refer to."""
        bundles = tuple(self.bundles.values())
        found = [PackageBundles(None, bundles, current.manifest, self._aliases(current), current.faults)]
        waiting = self._named(found[0])
        while waiting:
            address = waiting.pop(0)
            if any(known_package.address == address for known_package in found):
                continue
            package = self.reach.find(address, constraints.get(address, ()))
            if package is None:
                continue
            read = self._bundles_of(package)
            dependency = PackageBundles(address, read, package.manifest, self._aliases(package), package.faults)
            found.append(dependency)
            waiting += self._named(dependency)
        return found

    def _bundles_of(self, package: FoundPackage) -> tuple["ParsedBundle", ...]:
        key = id(package)
        if key not in self._read:
            names = self._rules.bundles(package.tree)
            self._read[key] = tuple(self._parsed(package.tree, name) for name in names)
        return self._read[key]

    def _aliases(self, package: FoundPackage) -> dict[str, str]:
        if package.manifest is None:
            return {}
        for dependency in package.manifest.dependencies.values():
            if dependency.path is not None and package.tree.root is not None:
                folder = package.tree.root / dependency.path
                if (folder / MANIFEST_NAME).is_file():
                    self.reach.stand_in(dependency.address, folder)
        return {alias: dependency.address for alias, dependency in package.manifest.dependencies.items()}

    def _named(self, package: PackageBundles) -> list[str]:
        """Addresses that the bundles of a package may refer to; too many is harmless."""
        prefixes: dict[str, None] = {}
        for bundle in package.bundles:
            # Stripping from the end takes time in proportion to the text; a regular expression could take much longer.
            for before in bundle.text.split("->")[:-1]:
                prefixes[before[len(before.rstrip(_ADDRESS_CHARACTERS)) :].lstrip("._/-")] = None
        return [package.aliases.get(prefix, prefix) for prefix in prefixes]


def manifest_folder(folder: Path) -> Path | None:
    """The package folder that a folder lies in; None if `.git` or the root comes before any `METHODS.toml`."""
    here = resolved(folder)
    while True:
        if (here / MANIFEST_NAME).is_file():
            return folder if here == resolved(folder) else here
        if (here / ".git").exists() or here.parent == here:
            return None
        here = here.parent


def display_path(path: Path) -> str:
    """A path as messages show it: relative if it lies below the working directory, otherwise absolute."""
    resolved = Path(os.path.abspath(path))
    here = Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(resolved)


def _package(tree: MethodTree) -> FoundPackage:
    content = tree.read(MANIFEST_NAME)
    manifest, faults = (None, ()) if content is None else read_manifest(content, path=tree.prefix + MANIFEST_NAME)
    return FoundPackage(tree, manifest, (*faults, *_lock_faults(tree, tree.prefix + LOCK_NAME)))


def _lock_faults(tree: MethodTree, shown: str) -> tuple[Fault, ...]:
    content = tree.read(LOCK_NAME)
    if content is None:
        return ()
    try:
        read_lock(content, path=shown)
    except PipelexError as wrong:
        return wrong.report.faults
    return ()


def _relative(path: Path, root: Path) -> str:
    return "" if path == root else path.relative_to(root).as_posix()


def _why_empty(path: Path, tree: MethodTree) -> str:
    if tree.nested:
        names = ", ".join(display_path(nested) for nested in tree.nested[:5])
        return f"'{path}' holds no bundles of its own, only packages; name one of them: {names}"
    return f"there is no bundle (*.mthds) in '{path}'"


def missing_target(path: Path) -> PipelexError:
    """The error for a bundle or folder that does not exist, with suggestions (`method.not_found`)."""
    if (joined := _JOINED.fullmatch(str(path))) is not None and Path(joined[1]).is_file():
        return _no_target(
            f"there is no file '{path}': a file and its pipe are named apart", str(path), suggestions=(joined[1],)
        )
    if path.is_symlink():
        return _no_target(f"'{path}' is a symbolic link that leads to no file or directory", str(path))
    try:
        there = {
            entry.stem: entry for entry in path.parent.iterdir() if entry.is_dir() or entry.suffix in BUNDLE_SUFFIXES
        }
    except OSError:
        there = {}
    # `harbour.greet.mthds`: a domain, or whatever else is put before the name, is not part of it.
    near = [str(there[stem]) for name in (path.stem, path.stem.rpartition(".")[2]) for stem in near_names(name, there)]
    near = [*dict.fromkeys(near)][:3]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    detail, suggestions = f"there is no file or directory '{path}'{hint}", near or _bundles(there)
    if there or not path.stem.isidentifier():
        return _no_target(detail, str(path), suggestions=suggestions)
    return _no_target(detail, str(path), advice=f"To write a method, type: pipelex new {path.stem}")


def _bundles(there: Mapping[str, Path]) -> list[str]:
    """The bundles of a folder, if they are so few that a message can name each."""
    found = sorted(str(entry) for entry in there.values() if entry.suffix in BUNDLE_SUFFIXES)
    return found if len(found) <= _FEW else []


def _no_target(
    detail: str,
    target: str,
    *,
    advice: str = "Name a bundle file (*.mthds) or a folder that holds some.",
    suggestions: Sequence[str] = (),
) -> PipelexError:
    return PipelexError(
        "method.not_found",
        detail,
        category=ErrorCategory.CONTENT,
        params={"method_ref": target, **({"suggestions": [*suggestions]} if suggestions else {})},
        advice=advice,
    )
