"""The example methods that come with the package, which can be copied as a start."""

import json
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pipelex.config.files.paths import resolved
from pipelex.errors import ErrorCategory, PipelexError, near_names
from pipelex.language.schema import SCHEMA_NAME, bundle_schema

_PACKAGE: Final = Path(__file__).parent.parent
_FOLDERS: Final = (_PACKAGE / "_examples", _PACKAGE.parent.parent / "examples")
"""The folders of the examples, in a wheel and in a checkout."""
_SUFFIX: Final = ".mthds"
_LEFT_OUT: Final = frozenset({"results", "__pycache__"})


@dataclass(frozen=True)
class Example:
    """A method with its inputs, in its own folder."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def bundle(self) -> Path:
        """The file that declares the method."""
        return next(iter(sorted(self.folder.glob(f"*{_SUFFIX}"))))

    @property
    def description(self) -> str:
        """The description in the method's bundle."""
        return str(tomllib.loads(self.bundle.read_text(encoding="utf-8")).get("description", ""))

    def files(self) -> Iterator[Path]:
        """The files of the example, as paths inside its folder, without results of runs and hidden files."""
        for path in sorted(self.folder.rglob("*")):
            inside = path.relative_to(self.folder)
            if path.is_file() and not any(part.startswith(".") or part in _LEFT_OUT for part in inside.parts):
                yield inside

    def copy_to(self, folder: Path) -> list[Path]:
        """Copy the method. The bundle is named after the folder, and a schema for editors is written beside it.

        Returns:
            The files that were written.

        Raises:
            FileExistsError: the folder exists and is not empty.
            OSError: it cannot be written.
        """
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(f"'{folder}' is there already")
        written: list[Path] = []
        for inside in self.files():
            is_bundle = self.folder / inside == self.bundle
            target = folder / (f"{resolved(folder).name}{_SUFFIX}" if is_bundle else inside)
            target.parent.mkdir(parents=True, exist_ok=True)
            if is_bundle:
                text = (self.folder / inside).read_text(encoding="utf-8")
                target.write_text(f"#:schema ./{SCHEMA_NAME}\n{text}", encoding="utf-8")
            else:
                shutil.copyfile(self.folder / inside, target)
            written.append(target)
        schema = folder / SCHEMA_NAME
        schema.write_text(json.dumps(bundle_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return [*written, schema]


def examples() -> list[Example]:
    """All examples, by name."""
    root = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    folders = sorted(root.iterdir()) if root is not None else []
    return [Example(folder) for folder in folders if folder.is_dir() and any(folder.glob(f"*{_SUFFIX}"))]


def example(name: str) -> Example:
    """The example of a name.

    Raises:
        PipelexError: there is no such example (`method.not_found`).
    """
    known = {each.name: each for each in examples()}
    if name in known:
        return known[name]
    near = near_names(name, known)
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise PipelexError(
        "method.not_found",
        f"there is no example '{name}'{hint}",
        category=ErrorCategory.CONTENT,
        params={"method_ref": name},
        advice=f"There are: {', '.join(known)}.",
    )
