"""Targets of the command line: a bundle or folder, an installed method, or a pipe's code."""

import re
import shlex
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.config.files.paths import resolved
from pipelex.errors import ErrorCategory, PipelexError, near_names

if TYPE_CHECKING:
    from pipelex.runner import Method, Pipelex

BUNDLE_SUFFIXES = (".mthds", ".plx")
_OTHER_SUFFIXES = (".toml", ".json", ".yaml", ".yml", ".md", ".txt")
"""Endings of files that a bundle may be taken for."""
MANIFEST = "METHODS.toml"


@dataclass(frozen=True)
class Target:
    """The method to load, and the pipe in it that the user named."""

    paths: tuple[Path, ...]
    pipe: str | None = None
    is_code: bool = False
    """Whether only the pipe's code was named, without a file or a folder."""
    is_word: bool = False
    """Whether the code may have been meant as the name of a file or a folder."""

    @property
    def folder(self) -> Path | None:
        """The method's folder, when a folder was named."""
        return self.paths[0] if len(self.paths) == 1 and self.paths[0].is_dir() else None


def looks_like_path(text: str) -> bool:
    """Whether a target is a bundle file or a folder rather than a pipe's code."""
    return (
        text.endswith(BUNDLE_SUFFIXES)
        or "/" in text
        or ".mthds:" in text
        or Path(text).exists()
        or _is_a_file_misspelt(text)
    )


def _is_a_file_misspelt(text: str) -> bool:
    """Whether a text looks like a misspelt name of a bundle file, such as `report.mthd`."""
    return any(near_names(Path(text).suffix, [suffix]) for suffix in BUNDLE_SUFFIXES)


def detect(text: str, pipe: str | None, library_dirs: Sequence[Path]) -> Target:
    """The target of the short form: a path if the text looks like one, else a pipe's code."""
    if looks_like_path(text):
        return Target((Path(text),), pipe)
    return replace(pipe_target(text, library_dirs), is_word=True)


def pipe_target(code: str | None, library_dirs: Sequence[Path]) -> Target:
    """A pipe of the library directories, or of the working directory when there are none."""
    return Target(() if library_dirs else (Path(),), code, is_code=True)


def open_target(app: "Pipelex", target: Target, library_dirs: Sequence[Path], *, is_valid: bool = True) -> "Method":
    """The method of a target.

    Args:
        app: the runtime.
        target: the target that a person named.
        library_dirs: additional folders of bundles.
        is_valid: whether the method must be free of faults; if the target names a pipe, only what that pipe needs.

    Raises:
        MethodInvalidError: the method has faults, and a valid one is needed.
        PipelexError: the method cannot be read, or there is no such pipe.
    """
    if not is_valid:
        return app.open(*target.paths, library_dirs=library_dirs)
    with looked_for(target):
        return app.load(*target.paths, library_dirs=library_dirs, pipe=target.pipe)


@contextmanager
def looked_for(target: Target) -> Generator[None]:
    """Add to a failure to find a pipe by its code that the code may have been meant as the name of a file.

    Raises:
        PipelexError: the failure, with advice on what the user may have meant.
    """
    try:
        yield
    except PipelexError as wrong:
        if (
            target.pipe is None
            or not target.is_code
            or wrong.code not in ("request.pipe_not_found", "method.not_found")
        ):
            raise
        if target.is_word:
            raise _neither_file_nor_pipe(target.pipe, wrong) from None
        if Path(target.pipe).exists():
            kind = "folder" if Path(target.pipe).is_dir() else "file"
            raise wrong.with_report(
                detail=f"'{target.pipe}' is a {kind}, not the code of a pipe", params={"pipe": target.pipe}
            ) from None
        raise


def _neither_file_nor_pipe(word: str, wrong: PipelexError) -> PipelexError:
    """The failure to find a method or a pipe by a word that may be the name of either."""
    detail, near = f"'{word}' is neither a file nor a folder, and there is", _bundles_like(word)
    if re.match(r"\w+=", word):
        advice = f"{word!r} looks like an input. Type: pipelex run METHOD.mthds -i {shlex.quote(word)}"
        return wrong.with_report(detail=f"{detail} no pipe of that name", params={}, advice=advice)
    if near:
        detail += f" no pipe of that name; did you mean {' or '.join(map(repr, near))}?"
        return PipelexError(
            "method.not_found",
            detail,
            category=ErrorCategory.CONTENT,
            params={"method_ref": word, "suggestions": list(near)},
        )
    if wrong.code == "method.not_found":
        advice = f"To write a method, type: pipelex new {shlex.quote(word)}"
        return wrong.with_report(detail=f"{detail} no pipe of that name: {wrong.report.detail}", advice=advice)
    return wrong.with_report(detail=f"{detail} {wrong.report.detail}")


def _bundles_like(name: str) -> tuple[str, ...]:
    """The bundles and folders in the working directory whose names resemble the given pipe code."""
    there = {
        entry.stem: entry.name
        for entry in Path().iterdir()
        if entry.suffix in BUNDLE_SUFFIXES or (entry.is_dir() and any(entry.glob(f"*{BUNDLE_SUFFIXES[0]}")))
    }
    meant = Path(name).stem if Path(name).suffix in _OTHER_SUFFIXES else name
    return tuple(there[stem] for stem in near_names(meant, there))


def method_target(name: str, pipe: str | None, library_dirs: Sequence[Path], config_dirs: Sequence[Path]) -> Target:
    """An installed method: a folder of that name below a library directory or a `methods` folder.

    Raises:
        PipelexError: no method of that name is installed (`method.not_found`).
    """
    roots = [*library_dirs, *(folder / "methods" for folder in config_dirs)]
    for root in roots:
        candidate = root / name
        if candidate.is_dir() and resolved(candidate).is_relative_to(resolved(root)):
            return Target((candidate,), pipe)
    known = sorted({found for root in roots for found in _methods(root)})
    near = near_names(name, known)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    looked = ", ".join(str(root) for root in roots) or "no directory"
    raise PipelexError(
        "method.not_found",
        f"no method called '{name}' is installed{hint}",
        category=ErrorCategory.CONTENT,
        params={"method_ref": name},
        advice=f"Looked in: {looked}. Name its folder with `bundle`, or give -L.",
    )


def _methods(root: Path) -> Iterator[str]:
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            yield folder.name
