"""The files of an editor: groups them into methods, and validates their current texts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from pipelex.config.files.paths import resolved
from pipelex.errors import Fault, PipelexError
from pipelex.library import Library, LoadedLibrary
from pipelex.tooling.editor._group import OpenFile, OpenMethod
from pipelex.tooling.editor._occurrences import SPECIAL_OUTCOMES
from pipelex.tooling.editor._sites import site_at

Load: TypeAlias = Callable[[Sequence[Path], Mapping[Path, str]], LoadedLibrary]
"""A function that loads bundle files, with texts that replace those of some files."""

_SUFFIX: Final = ".mthds"
_MOST_FILES: Final = 300
_MOST_BYTES: Final = 1_000_000
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "results"})
_MOST_HEALED: Final = 8
MANIFEST: Final = "METHODS.toml"


@dataclass(frozen=True)
class CheckedFiles:
    """The validator's faults on the files of one method."""

    files: tuple[Path, ...]
    faults: Mapping[Path, tuple[Fault, ...]]
    library: Library | None = None


@dataclass
class Workspace:
    """The folders and the open texts of an editor.

    Args:
        roots: the folders that are open.
        load: the function that loads bundle files.
    """

    roots: list[Path]
    load: Load
    texts: dict[Path, str] = field(default_factory=dict[Path, str])
    """Resolved path → text of each open file."""
    _kept: dict[Path, tuple[tuple[int, int], OpenFile]] = field(
        default_factory=dict[Path, tuple[tuple[int, int], OpenFile]]
    )
    _libraries: dict[Path, Library] = field(default_factory=dict[Path, Library])

    def file(self, path: Path) -> OpenFile | None:
        """A bundle with its current text; None if it cannot be read."""
        text = self.texts.get(path)
        known = self._kept.get(path)
        if text is not None:
            if known is None or known[1].text != text:
                self._kept[path] = ((0, 0), OpenFile(str(path), text))
            return self._kept[path][1]
        try:
            facts = path.stat()
            stamp = (facts.st_mtime_ns, facts.st_size)
            if known is None or known[0] != stamp:
                if facts.st_size > _MOST_BYTES:
                    return None
                self._kept[path] = (stamp, OpenFile(str(path), path.read_text(encoding="utf-8", errors="replace")))
        except OSError:
            return None
        return self._kept[path][1]

    def group(self, path: Path) -> OpenMethod:
        """The method that a file belongs to, with its last valid library."""
        files = {str(each): file for each in self.members(path) if (file := self.file(each)) is not None}
        return OpenMethod(files, self._libraries.get(path))

    def around(self, path: Path) -> OpenMethod:
        """The files that may become part of a file's method."""
        paths = self.members(path) if _package_of(path.parent) is not None else self._around(path)
        return OpenMethod({str(each): file for each in paths if (file := self.file(each)) is not None})

    def members(self, path: Path) -> list[Path]:
        """The files of the method that a file belongs to, the file itself first.

        These are the files of its package; without one, the nearby files that it needs, and those that need it.
        """
        folder = _package_of(path.parent)
        if folder is not None:
            return list(dict.fromkeys((path, *_bundles_below(folder))))
        around = {each: file for each in self._around(path) if (file := self.file(each)) is not None}
        return _connected(path, around)

    def _around(self, path: Path) -> list[Path]:
        root = next((root for root in self.roots if path.is_relative_to(root)), path.parent)
        found = dict.fromkeys((path, *_bundles_below(path.parent)))
        above = [parent for parent in path.parent.parents if parent.is_relative_to(root)]
        found |= dict.fromkeys(each for parent in above for each in sorted(parent.glob(f"*{_SUFFIX}")))
        found |= dict.fromkeys(each for each in list(self.texts) if each.is_relative_to(root))
        return list(found)[:_MOST_FILES]

    def manifest(self, path: Path) -> dict[Path, str]:
        """Path → text of the manifest of the package that a file belongs to; empty if it belongs to none."""
        folder = _package_of(path.parent)
        file = None if folder is None else folder / MANIFEST
        try:
            return {} if file is None else {file: file.read_text(encoding="utf-8")}
        except (OSError, ValueError):
            return {}

    # --- checking -----------------------------------------------------------------------------------------------------

    def check(self, path: Path) -> CheckedFiles:
        """Validate the method of a file. Blocks until validation ends."""
        members, texts = self.members(path), dict(self.texts)
        loaded, faults = self._loaded(members, texts)
        broken = {file for file, found in faults.items() if any(each.code == "method.syntax" for each in found)}
        if broken:  # the library is made from the other files, and from the valid lines of the broken ones
            healed = {each: _healed(file.text) for each in broken if (file := self.file(each)) is not None}
            loaded, _ = self._loaded(members, {**texts, **healed})
        library = None if loaded is None else loaded.library
        if library is not None:
            self._libraries |= dict.fromkeys(members, library)
        return CheckedFiles(tuple(members), faults, library)

    def _loaded(
        self, members: Sequence[Path], texts: Mapping[Path, str]
    ) -> tuple[LoadedLibrary | None, dict[Path, tuple[Fault, ...]]]:
        try:
            loaded = self.load(members, texts)
        except PipelexError as failed:
            return None, {members[0]: failed.report.faults or (Fault(failed.report.code, failed.report.detail),)}
        found: dict[Path, list[Fault]] = {}
        for fault in (*loaded.verdict.errors, *loaded.verdict.warnings):
            place = members[0] if fault.location.file is None else resolved(Path(fault.location.file))
            found.setdefault(place, []).append(fault)
        return loaded, {place: tuple(faults) for place, faults in found.items()}


def _healed(text: str) -> str:
    """The text with the lines that are not valid TOML replaced by empty ones."""
    from pipelex.language import parse_bundle

    for _ in range(_MOST_HEALED):
        wrong = next((fault for fault in parse_bundle(text).faults if fault.code == "method.syntax"), None)
        if wrong is None or wrong.location.line is None:
            break
        lines = text.split("\n")
        place = min(wrong.location.line, len(lines)) - 1
        while place > 0 and not lines[place].strip():
            place -= 1
        lines[place] = ""
        text = "\n".join(lines)
    return text


# --- the files of one method ---------------------------------------------------------------------------------------


def _package_of(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        if (parent / MANIFEST).is_file():
            return parent
        if (parent / ".git").exists():
            return None
    return None


def _bundles_below(folder: Path) -> Iterator[Path]:
    """The bundles of a folder and its subfolders, except hidden folders and other packages."""
    waiting, count = [folder], 0
    while waiting and count < _MOST_FILES:
        current = waiting.pop(0)
        try:
            entries = sorted(current.iterdir())
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _SKIPPED:
                continue
            if entry.is_dir():
                if not (entry / MANIFEST).is_file() and not (entry / ".git").exists():
                    waiting.append(entry)
            elif entry.suffix == _SUFFIX:
                count += 1
                yield entry


def _connected(path: Path, around: Mapping[Path, OpenFile]) -> list[Path]:
    """The files that a file needs, directly or indirectly, and those that need it."""
    declared: dict[tuple[str, str], list[Path]] = {}
    for each, file in around.items():
        for key in set(_declared(file)):
            declared.setdefault(key, []).append(each)
    links: dict[Path, set[Path]] = {each: set() for each in around}
    for each, file in around.items():
        own = set(_declared(file))
        for key in set(_named(file)) - own:
            homes = declared.get(key, [])
            homes = [home for home in homes if home.parent == each.parent] or homes
            if len(homes) == 1:  # if several files declare it, it is not clear which is meant
                links[each].add(homes[0])
                links[homes[0]].add(each)
    found, waiting = {path: None}, [path]
    while waiting:
        for each in sorted(links.get(waiting.pop(), ())):
            if each not in found:
                found[each] = None
                waiting.append(each)
    return list(found)


def _declared(file: OpenFile) -> Iterator[tuple[str, str]]:
    for name in file.sketch.names:
        match name.path:
            case ("pipe" | "concept" as kind, str(code)):
                yield str(kind), f"{file.domain}.{code}"
            case _:
                pass


def _named(file: OpenFile) -> Iterable[tuple[str, str]]:
    group = OpenMethod({file.path: file})
    for value in file.sketch.values:
        if value.kind != "string":
            continue
        text = file.sketch.inner(value)
        match site_at(value.path):
            case "concept" | "slot":
                yield "concept", group.concept_ref(text, file.domain)
            case "pipe" | "outcome" if text not in SPECIAL_OUTCOMES:
                yield "pipe", group.pipe_ref(text, file.domain)
            case _:
                pass
