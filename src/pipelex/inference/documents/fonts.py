"""The font files on this machine: those in Python packages, and those installed in the system."""

import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_BUNDLES: Final = ("manimgx_fonts", "manimgx_fonts_cjk")
"""Packages with fonts in the folder of their module."""
_GROUP: Final = "fontpkg.family"
"""The group of entry points with which font packages name the module that has their files in `files` beside it."""
_KINDS: Final = (".ttf", ".ttc", ".otf", ".otc")


def packaged_files() -> Iterator[Path]:
    """The font files in the installed Python packages."""
    for folder in _package_folders():
        yield from _fonts_in(folder)


def installed_files() -> Iterator[Path]:
    """The font files in the system's and the user's font folders."""
    for folder in _system_folders():
        yield from _fonts_in(folder)


def _fonts_in(folder: Path) -> Iterable[Path]:
    found = folder.rglob("*") if folder.is_dir() else ()
    return sorted(path for path in found if path.suffix.lower() in _KINDS)


@cache
def _package_folders() -> tuple[Path, ...]:
    bundles = (folder for name in _BUNDLES if (folder := _folder_of(name)) is not None)
    groups = (folder / "files" for point in entry_points(group=_GROUP) if (folder := _folder_of(point.module)))
    return (*bundles, *groups)


def _folder_of(module: str) -> Path | None:
    spec = find_spec(module)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _system_folders() -> tuple[Path, ...]:
    home = Path.home()
    if sys.platform == "darwin":
        return Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"
    if sys.platform == "win32":
        return (Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts",)
    return Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts", home / ".fonts"
