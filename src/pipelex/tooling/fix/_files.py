"""Reads the files that `pipelex fix` works on, and writes the fixed texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.library import LoadedFiles, TreeRules, check_is_bundle, load_paths, missing_target, walk_tree
from pipelex.library._load import display_path, manifest_folder
from pipelex.tooling.fix._classes import structures_of_source
from pipelex.tooling.fix._functions import functions_of_sources
from pipelex.tooling.fix._round import Table

_OLD_SUFFIX = ".plx"
_OLD_SUFFIXES = (_OLD_SUFFIX, ".toml")
"""Bundles were once plain `.toml` files. In a folder, only `.plx` files are sure to be bundles."""
_NEW_SUFFIX = ".mthds"


@dataclass(frozen=True)
class FixTarget:
    """The bundles of one file or folder that are to be fixed."""

    texts: dict[str, str]
    """Displayed name → text. An older file has its new name: `old.plx` is `old.mthds`."""
    sources: dict[str, Path]
    """Name → the file that it was read from."""
    surroundings: LoadedFiles | None
    classes: dict[str, dict[str, Table]] = field(default_factory=dict[str, dict[str, Table]])
    functions: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def destination(self, name: str) -> Path:
        """The path to which the fixed text of a file is written."""
        source = self.sources[name]
        return source.with_suffix(_NEW_SUFFIX) if source.suffix in _OLD_SUFFIXES else source

    def write(self, name: str, text: str) -> Path:
        """Write a fixed text over its file, or beside it if the file has an older suffix.

        Raises:
            PipelexError: an older file has a newer one beside it already, or the file cannot be written.
        """
        destination = self.destination(name)
        if destination != self.sources[name] and destination.exists():
            raise _refused(f"'{display_path(destination)}' is there already: it is not overwritten", name)
        try:
            destination.write_bytes(text.encode("utf-8", "surrogateescape"))
        except OSError as wrong:
            raise _refused(f"'{display_path(destination)}' cannot be written: {wrong.strerror}", name) from None
        return destination


def read_target(path: Path, *, library_dirs: Sequence[Path] = (), rules: TreeRules | None = None) -> FixTarget:
    """Read the bundles of a file or folder, including `.plx` files, with what they refer to.

    The method's Python files are also read, but never run, because older methods keep structures and functions in them.

    Args:
        path: the file or folder.
        library_dirs: additional folders of the concepts, pipes and packages that the method refers to.
        rules: the limits of folders, and the folders that are not searched for bundles; the usual rules when None.

    Raises:
        PipelexError: the path cannot be read, or holds no bundle (`method.not_found`).
    """
    root = path if path.is_dir() else path.parent
    try:
        if path.is_dir():
            names = (rules or TreeRules()).bundles(walk_tree(path, rules=rules), _NEW_SUFFIX, _OLD_SUFFIX)
            found = [root / name for name in names]
            found = [one for one in found if one.suffix != _OLD_SUFFIX or one.with_suffix(_NEW_SUFFIX) not in found]
        else:
            check_is_bundle(path)
            found = [path]
        sources: dict[str, Path] = {}
        texts: dict[str, str] = {}
        for file in found:
            name = display_path(file.with_suffix(_NEW_SUFFIX) if file.suffix in _OLD_SUFFIXES else file)
            sources[name] = file
            texts[name] = file.read_bytes().decode("utf-8", "surrogateescape")
        top = manifest_folder(root) or root
        modules = [name for name in walk_tree(top, rules=rules).files if name.endswith(".py")]
        python = {name: (top / name).read_text("utf-8", "replace") for name in modules}
    except OSError as wrong:
        if not path.exists():
            raise missing_target(path) from None
        raise _not_found(f"'{wrong.filename}' cannot be read: {wrong.strerror}", path) from None
    if not texts:
        raise _not_found(f"there is no bundle (*{_NEW_SUFFIX}, *{_OLD_SUFFIX}) in '{path}'", path)
    surroundings = _surroundings(path, found, library_dirs, rules)
    return FixTarget(texts, sources, surroundings, structures_of_source(python.values()), functions_of_sources(python))


def _surroundings(
    path: Path, found: Sequence[Path], library_dirs: Sequence[Path], rules: TreeRules | None
) -> LoadedFiles | None:
    current = [one for one in found if one.suffix not in _OLD_SUFFIXES]
    if not current and not library_dirs:
        return None
    targets = [path] if path.is_dir() and current else current
    return load_paths(targets, library_dirs=library_dirs, rules=rules)


def _not_found(detail: str, path: Path) -> PipelexError:
    return PipelexError(
        "method.not_found",
        detail,
        category=ErrorCategory.CONTENT,
        params={"method_ref": str(path)},
        advice="Name a bundle file (*.mthds, *.plx) or a folder that holds some.",
    )


def _refused(detail: str, name: str) -> PipelexError:
    return PipelexError(
        "method.not_found",
        detail,
        category=ErrorCategory.CONTENT,
        params={"method_ref": name},
        advice="Move one of the files away, or make the place writable.",
    )
