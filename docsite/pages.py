"""The folder that the site is built from: the pages of `docs`, those of the repository's root, and those made from code."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docsite.backends import backends_page
from docsite.commands import commands_page
from docsite.errors import errors_page
from docsite.providers import provider_pages
from docsite.settings import settings_page

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"

MADE: Final[Mapping[str, Callable[[], str]]] = {
    "reference/backends.md": backends_page,
    "reference/commands.md": commands_page,
    "reference/errors.md": errors_page,
    "reference/settings.md": settings_page,
    **provider_pages(),
}
"""The pages that are made from the code, by their place in the site."""

TAKEN: Final = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security-policy.md",
    "bench/README.md": "project/benchmarks.md",
    "deploy/README.md": "project/deployments.md",
}
"""Pages from elsewhere in the repository, with their place in the site."""
_LOGS: Final = frozenset({"CHANGELOG.md"})
"""Pages that the search leaves out, because their entries name everything and explain nothing."""
_NOT_SEARCHED: Final = "---\nsearch:\n  exclude: true\n---\n\n"

_LINK: Final = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


class BrokenLink(ValueError):
    """A page has a link that leads to no file."""


def write_pages(folder: Path) -> None:
    """Write every page and picture of the site.

    Args:
        folder: the folder to write; what it holds is deleted first.

    Raises:
        BrokenLink: a link leads to no file of the repository and to no page of the site.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for file in sorted(DOCS.rglob("*")):
        if file.suffix == ".md":
            place = file.relative_to(DOCS).as_posix()
            _write(folder / place, with_site_links(file.read_text(encoding="utf-8"), file, place))
        elif file.is_file():
            (folder / file.relative_to(DOCS)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file.relative_to(DOCS))
    for name, place in TAKEN.items():
        file = ROOT / name
        text = with_site_links(file.read_text(encoding="utf-8"), file, place)
        _write(folder / place, _NOT_SEARCHED + text if name in _LOGS else text)
    for place, page in MADE.items():
        _write(folder / place, page())


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def with_site_links(text: str, file: Path, place: str) -> str:
    """A page whose links lead to pages of the site; links to files that are not pages become plain text.

    Args:
        text: the text of the page.
        file: the file of the page in the repository.
        place: the place of the page in the site.

    Raises:
        BrokenLink: a link leads to no file of the repository and to no page of the site.
    """
    parts: list[str] = []
    end = 0
    for fence in _FENCE.finditer(text):
        parts += [_linked(text[end : fence.start()], file, place), fence[0]]
        end = fence.end()
    return "".join([*parts, _linked(text[end:], file, place)])


def _linked(text: str, file: Path, place: str) -> str:
    return _LINK.sub(lambda link: _link(link[1], link[2], file, place), text)


def _link(label: str, target: str, file: Path, place: str) -> str:
    address, hash_sign, anchor = target.partition("#")
    if not address or "://" in address or address.startswith("mailto:"):
        return f"[{label}]({target})"
    there = Path(os.path.normpath(file.parent / address))
    page = _place_of(there)
    if page is None:
        if not there.exists():
            raise BrokenLink(f"{file.relative_to(ROOT)}: '{target}' leads nowhere")
        return label
    return f"[{label}]({os.path.relpath(page, Path(place).parent)}{hash_sign}{anchor})"


def _place_of(file: Path) -> str | None:
    """The place of a repository's file in the site; None when the site does not have it."""
    if not file.is_relative_to(ROOT):
        return None
    name = file.relative_to(ROOT).as_posix()
    if name in TAKEN:
        return TAKEN[name]
    if file.is_relative_to(DOCS) and file.suffix:
        place = file.relative_to(DOCS).as_posix()
        return place if place in MADE or file.exists() else None
    return None
