"""Collecting the texts of a page, and marking the languages and directions that its elements leave out."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

from pipelex.inference.documents.paged.languages import (
    begins_at_right,
    is_east_asian,
    is_mostly_from_right,
    language_of,
)

_UNSHOWN: Final = frozenset({"script", "title", "template", "noscript"})
_VOID: Final = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_LINES: Final = frozenset(["p", "td", "th", "li", "h1", "h2", "h3", "h4", "h5", "h6", "dd", "dt", "caption", "div"])
"""The elements whose direction is that of their first letter."""
_FRAMES: Final = frozenset({"body", "table", "ul", "ol", "dl", "blockquote"})
"""The elements whose direction is that of most of their letters: it places table columns and list markers."""
_LANGUAGES: Final = _LINES | {"body", "html", "span", "pre", "b", "i", "strong", "em", "a"}


@dataclass
class _Element:
    tag: str
    end: int
    """The offset just after the name in its opening tag."""
    attributes: frozenset[str]
    texts: list[str] = field(default_factory=list[str])
    own: list[str] = field(default_factory=list[str])
    """The texts in it, except those in lines or frames within it."""
    around: "_Element | None" = None
    is_directed: bool = False
    """Whether an element around it sets a direction."""
    has_language: bool = False
    """Whether it, or an element around it, sets a language."""


@dataclass(frozen=True)
class Markup:
    """A page that is ready for printing, and its texts."""

    page: str
    texts: tuple[str, ...]
    styles: str
    """The text of its style sheets, which may add content to the page."""
    language: str | None
    """The language of its Chinese, Japanese or Korean letters; None if it has none."""


def marked(page: str) -> Markup:
    """The page, with `lang` added for East Asian text and `dir` where the direction changes.

    Elements that already set a language or a direction are not changed.

    Args:
        page: the page, as HTML.
    """
    reader = _MarkupReader(page)
    reader.feed(page)
    reader.close()
    every = "".join(reader.texts)
    language = language_of(every) if is_east_asian(every) else None
    marks = [(element.end, mark) for element in reader.elements if (mark := _marks(element, language))]
    for end, mark in sorted(marks, reverse=True):
        page = page[:end] + mark + page[end:]
    return Markup(page, tuple(reader.texts), "".join(reader.styles), language)


def _marks(element: _Element, language: str | None) -> str:
    return _direction(element) + ("" if language is None else _language(element, language))


def _direction(element: _Element) -> str:
    if element.is_directed or element.attributes & {"dir", "align"}:
        return ""
    is_right = _is_right(element)
    if is_right is None or is_right == _is_in_right(element):
        return ""
    return f' dir="{"rtl" if is_right else "ltr"}"'


def _is_right(element: _Element) -> bool | None:
    if element.tag in _FRAMES:
        return is_mostly_from_right("".join(element.texts))
    return begins_at_right("".join(element.own)) if element.tag in _LINES else None


def _is_in_right(element: _Element) -> bool:
    around = element.around
    while around is not None:
        if around.tag in _FRAMES or (around.tag in _LINES and around.own):
            return bool(_is_right(around))
        around = around.around
    return False


def _language(element: _Element, language: str) -> str:
    if element.has_language or element.tag not in _LANGUAGES:
        return ""
    own = "".join(element.own)
    found = language_of(own, language) if is_east_asian(own) else None
    return f' lang="{found}"' if found else ""


class _MarkupReader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[_Element] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self._open: list[_Element] = []
        self._starts = _line_starts(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = frozenset(name for name, _ in attrs)
        line, column = self.getpos()
        around = self._open[-1] if self._open else None
        element = _Element(tag, self._starts[line - 1] + column + 1 + len(tag), names, around=around)
        if around is not None:
            element.is_directed = around.is_directed or "dir" in around.attributes
            element.has_language = around.has_language
        element.has_language |= "lang" in names
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in ("svg", "path", "g", "use", "image", "rect", "circle", "line"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for position in range(len(self._open) - 1, -1, -1):
            if self._open[position].tag == tag:
                del self._open[position:]
                return

    def handle_data(self, data: str) -> None:
        inside = {element.tag for element in self._open[-2:]}
        if "style" in inside:
            self.styles.append(data)
        elif not inside & _UNSHOWN:
            self.texts.append(data)
            self._keep(data)

    def _keep(self, data: str) -> None:
        is_own = True
        for element in reversed(self._open):
            if element.tag in _FRAMES:
                element.texts.append(data)
            if is_own:
                element.own.append(data)
            is_own &= element.tag not in _LINES | _FRAMES


def _line_starts(page: str) -> list[int]:
    return [0, *(found.end() for found in re.finditer("\n", page))]
