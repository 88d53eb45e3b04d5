"""Printing HTML as PDF with PlutoPrint, which contains HarfBuzz, ICU and Cairo, and needs no system libraries."""

import os
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from pipelex.inference.documents.paged.clusters import meanings_of
from pipelex.inference.documents.paged.faces import faces_for, named, without_face
from pipelex.inference.documents.paged.languages import is_from_right
from pipelex.inference.documents.paged.markup import Markup, marked
from pipelex.inference.documents.paged.readable import readable
from pipelex.inference.documents.provider import content_failure
from pipelex.storage import Loaded

if TYPE_CHECKING:
    from plutoprint import ResourceData

_ORIGIN: Final = "pipelex-method:///"
_ABOVE: Final = "%2f/"
"""A folder above the page's, by an escaped slash: no real folder has that name."""
_LEVELS: Final = 32
_BASE: Final = _ORIGIN + _ABOVE * _LEVELS
"""The base of relative addresses. It has folders above the page's, so that no `../` of an address is lost."""
_SERIFS: Final = ("serif", "Times", "Times New Roman", "Times-Roman", "Georgia", "Garamond", "Cambria", "Palatino")
_CODE: Final = (
    "monospace",
    "Courier",
    "Courier New",
    "Consolas",
    "Menlo",
    "Monaco",
    "Liberation Mono",
    "DejaVu Sans Mono",
)
_PLAIN: Final = ("sans-serif", "Helvetica", "Arial", "Verdana", "Tahoma", "Calibri", "Segoe UI", "Roboto", "system-ui")
_FAMILIES: Final = (("Noto Sans", _PLAIN), ("Noto Serif", _SERIFS), ("Fira Code", _CODE))
"""The font families that are used, each with the names of the families it replaces."""
_ASKS_SERIF: Final = re.compile(r"(?i)(?<!sans-)\bserif|" + "|".join(map(re.escape, _SERIFS[1:])))
_STYLE: Final = """
html { font-family: "Noto Sans"; }
pre, code, kbd, samp, tt { font-variant-ligatures: none; }
"""
_STYLE_FROM_RIGHT: Final = 'html { font-feature-settings: "liga" 0; }'

_CONFIGURED: Final[list[Path]] = []

Fetch = Callable[[str], Loaded]
"""Returns the file at an address, such as an image. If it raises an exception, the file is left out."""


def printed_pages(page: str, fetch: Fetch) -> bytes:
    """The PDF file of a page, in which every letter has a glyph.

    Args:
        page: the page, as HTML.
        fetch: reads the files that the page refers to.

    Raises:
        PipelexError: no font has one of the letters, or the page cannot be printed.
    """
    markup = marked(page)
    letters = set(markup.styles).union(*markup.texts)
    faces, lacking = faces_for(letters, markup.language, is_serif=bool(_ASKS_SERIF.search(page)))
    has_own_fonts = "@font-face" in page
    if lacking and not has_own_fonts:
        raise without_face(lacking)
    with TemporaryDirectory(prefix="fonts-") as scratch:
        folder = Path(scratch)
        using = named(faces, folder)
        _configure(folder)
        meanings = meanings_of(markup.texts, using)
        return readable(_drawn(markup, fetch), meanings, may_lack=has_own_fonts and not lacking)


def _configure(folder: Path) -> None:
    """Let the library use only the fonts in a folder. It looks for fonts only once in the life of a process."""
    import plutoprint

    if _CONFIGURED:
        raise RuntimeError("a process prints one document: its fonts are chosen for it")
    _CONFIGURED.append(folder)
    rules = "".join(_rule(name, family) for family, names in _FAMILIES for name in names)
    (folder / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{folder}</dir><cachedir>{folder / 'cache'}</cachedir>{rules}</fontconfig>",
        encoding="utf-8",
    )
    os.environ["FONTCONFIG_FILE"] = str(folder / "fonts.conf")
    library: Any = plutoprint
    library.plutobook_set_fontconfig_path(folder)


def _rule(name: str, family: str) -> str:
    return (
        f'<match target="pattern"><test name="family"><string>{name}</string></test>'
        f'<edit name="family" mode="prepend" binding="strong"><string>{family}</string></edit></match>'
    )


def _as_written(url: str) -> str:
    """The address relative to the page's folder; one that leaves all `_LEVELS` above it begins with `/`."""
    if not url.startswith(_ORIGIN):
        return url
    path, kept = url.removeprefix(_ORIGIN), 0
    while kept < _LEVELS and path.startswith(_ABOVE):
        path, kept = path.removeprefix(_ABOVE), kept + 1
    return ("../" * (_LEVELS - kept) if kept else "/") + unquote(path)


def _drawn(markup: Markup, fetch: Fetch) -> bytes:
    import plutoprint

    class Fetcher(plutoprint.ResourceFetcher):
        def fetch_url(self, url: str) -> "ResourceData":
            found = fetch(_as_written(url))
            return plutoprint.ResourceData(found.data, found.mime_type)

    book = plutoprint.Book(plutoprint.PAGE_SIZE_A4)
    book.custom_resource_fetcher = Fetcher()
    out = BytesIO()
    try:
        book.load_html(
            markup.page,
            user_style=_STYLE + (_STYLE_FROM_RIGHT if any(map(is_from_right, markup.texts)) else ""),
            base_url=_BASE,
        )
        book.write_to_pdf_stream(out)
    except (plutoprint.Error, ValueError) as error:
        raise content_failure(f"the page cannot be printed: {error}") from error
    return out.getvalue()
