"""Choosing fonts for the letters of a page, on machines for which PlutoPrint has no wheel.

The fonts that every PDF viewer has contain only Western European letters; any other letter would be printed as a box.
So text with other letters is set in a font that has them: Noto Sans and its companions, which come with the extra
`documents`, then the fonts of other font packages and of this machine. A letter that no font has is an error. So is a
letter of a script whose letters change shape or place next to each other, except Hebrew and Arabic, because the PDF
library can shape no other script.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final, cast

from pipelex.errors import PipelexError, listed
from pipelex.inference.documents.fonts import installed_files, packaged_files
from pipelex.inference.documents.provider import content_failure

_TAGS: Final = re.compile(
    r"(<!--.*?-->|<(?:style|script|title|head)\b.*?</(?:style|script|title|head)\s*>|<[^>]*>)",
    re.IGNORECASE | re.DOTALL,
)
_PREFERRED: Final = ("NotoSans[", "NotoSans-Regular", "NotoSansArabic", "Heebo", "DejaVuSans.")
"""The beginnings of the names of fonts that are tried first, in this order, because they look well together."""
_TRUE_TYPE: Final = (".ttf", ".ttc")
_PLAIN: Final = re.compile(r"(?i)(bold|italic|oblique|black|light|thin|medium|condensed|narrow|mono|serif)")
_SHAPED: Final = frozenset(
    [
        "DEVANAGARI",
        "BENGALI",
        "GURMUKHI",
        "GUJARATI",
        "ORIYA",
        "TAMIL",
        "TELUGU",
        "KANNADA",
        "MALAYALAM",
        "SINHALA",
        "KHMER",
        "MYANMAR",
        "TIBETAN",
        "JAVANESE",
        "BALINESE",
        "SYRIAC",
        "NKO",
        "MONGOLIAN",
    ]
)
"""The scripts that are unreadable if each letter is printed separately, as Unicode names of letters begin."""
_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
"""Letters of scripts that have no spaces, so that a line may break anywhere."""
_BLOCK: Final = re.compile(r"<(p|td|th|li|div|h[1-6]|dd|dt|body|blockquote|caption)\b", re.IGNORECASE)
_STYLE: Final = re.compile(r"""\bstyle\s*=\s*(["'])""", re.IGNORECASE)
_BREAKING: Final = "-pdf-word-wrap: CJK;"
_RIGHT: Final = "text-align: right;"
_SHOWN: Final = 5
"""The maximum number of letters without a font that an error names."""


def with_fonts(text: str) -> str:
    """The page, with a font named for every text whose letters the usual fonts lack.

    Args:
        text: the page, as HTML.

    Raises:
        PipelexError: no font has one of the letters, or the PDF library cannot shape its script.
    """
    parts = _TAGS.split(text)
    texts = [part if position % 2 else html.unescape(part) for position, part in enumerate(parts)]
    if all(_is_usual(part) for part in texts[::2]):
        return text
    unshaped = sorted({letter for part in texts[::2] for letter in _visible(part) if _script(letter) in _SHAPED})
    if unshaped:
        raise _without_shape(unshaped)
    lacking = sorted({letter for part in texts[::2] for letter in _visible(part) if _font_of(letter) is None})
    if lacking:
        raise _without_font(lacking)
    _style_blocks(texts)
    return "".join(part if position % 2 else _spans(part) for position, part in enumerate(texts))


def _style_blocks(parts: list[str]) -> None:
    """Add the styles to blocks that their texts need.

    Lines of text without spaces may break anywhere, because otherwise they would run off the page. Right-to-left text
    is aligned right.
    """
    block: int | None = None
    is_new = False
    for position, part in enumerate(parts):
        if position % 2:
            block, is_new = (position, True) if _BLOCK.match(part) else (block, is_new)
        elif block is not None and part.strip():
            if _BREAKING not in parts[block] and _UNSPACED.search(part):
                parts[block] = _styled(parts[block], _BREAKING)
            if is_new and "text-align" not in parts[block] and _is_from_right(part):
                parts[block] = _styled(parts[block], _RIGHT)
            is_new = False


def _is_from_right(text: str) -> bool:
    """Whether a text begins at the right, which its first letter with a direction decides."""
    directions = (unicodedata.bidirectional(letter) for letter in text)
    return next((each for each in directions if each in ("L", "R", "AL")), "L") != "L"


def _styled(tag: str, style: str) -> str:
    if _STYLE.search(tag):
        return _STYLE.sub(lambda found: f"{found[0]}{style} ", tag, count=1)
    return _BLOCK.sub(lambda found: f'{found[0]} style="{style}"', tag, count=1)


def _spans(text: str) -> str:
    if _is_usual(text):
        return html.escape(text, quote=False)
    runs = groupby(_joined(_visible(text)), key=lambda pair: pair[1])
    return "".join(_span(name, "".join(letter for letter, _ in run)) for name, run in runs)


def _span(name: str, text: str) -> str:
    return f'<span style="font-family: {name}">{html.escape(text, quote=False)}</span>'


def _joined(text: str) -> Iterator[tuple[str, str]]:
    """Each letter with its font. A space, a mark or punctuation keeps the font of the letter before it if possible."""
    last = ""
    for letter in text:
        font = _SHELF.open.get(last)
        is_loose = letter.isspace() or unicodedata.category(letter)[0] in "MP"
        if not (is_loose and font is not None and (letter.isspace() or ord(letter) in font.letters)):
            last = _font_of(letter) or last
        yield letter, last


def _visible(text: str) -> str:
    """The composed text without invisible characters: direction marks, joiners, variation selectors and controls."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(
        letter
        for letter in composed
        if letter.isspace() or not (unicodedata.category(letter) in ("Cf", "Cc") or 0xFE00 <= ord(letter) <= 0xFE0F)
    )


def _is_usual(text: str) -> bool:
    """Whether the fonts that every PDF viewer has contain all letters of a text."""
    return not _unusual(text)


def _unusual(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return True
    return False


@cache
def _font_of(letter: str) -> str | None:
    wanted = ord(" ") if letter.isspace() else ord(letter)
    return next((name for name, font in _SHELF.fonts() if wanted in font.letters), None)


@dataclass(frozen=True)
class _Font:
    path: Path
    letters: frozenset[int] = field(repr=False)


class _Shelf:
    """The fonts that can be embedded, the preferred ones first, under the names that pages use for them.

    The PDF library takes only fonts with TrueType outlines. Fonts are registered with it one by one, until one has the
    wanted letter, because a machine may have hundreds.
    """

    def __init__(self) -> None:
        self.open: dict[str, _Font] = {}
        """The fonts that have been registered so far, by name."""
        self._rest: Iterator[Path] | None = None
        self._looked = 0

    def fonts(self) -> Iterator[tuple[str, _Font]]:
        yield from tuple(self.open.items())
        if self._rest is None:
            self._rest = iter(sorted(_files(), key=_rank))
        for path in self._rest:
            # A font that is not used stays registered, so its name is not used again.
            self._looked += 1
            name = f"letters{self._looked}"
            letters = _registered(name, path)
            if letters and not any(letters <= font.letters for font in self.open.values()):
                self.open[name] = _Font(path, letters)
                yield name, self.open[name]


_SHELF: Final = _Shelf()


def _registered(name: str, path: Path) -> frozenset[int]:
    """Register a font under a name, and return its letters; none if the library cannot embed it."""
    from reportlab.lib.fonts import addMapping
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from xhtml2pdf import default

    try:
        font: Any = TTFont(name, str(path))
        cast("Any", pdfmetrics).registerFont(font)
    except Exception:  # an unchecked font may make the library raise anything
        return frozenset()
    for is_bold in (0, 1):
        for is_italic in (0, 1):
            addMapping(name, is_bold, is_italic, name)
    default.DEFAULT_FONT[name] = name
    glyphs: dict[int, int] = font.face.charToGlyph
    return frozenset(glyphs)


def _files() -> Iterator[Path]:
    seen: set[str] = set()
    for path in (*packaged_files(), *installed_files()):
        is_new = path.suffix.lower() in _TRUE_TYPE and path.name not in seen
        if is_new and (_rank(path)[0] < len(_PREFERRED) or not _PLAIN.search(path.name)):
            seen.add(path.name)
            yield path


def _rank(path: Path) -> tuple[int, str]:
    place = next((rank for rank, name in enumerate(_PREFERRED) if path.name.startswith(name)), len(_PREFERRED))
    is_slanted = bool(re.search(r"(?i)bold|italic|oblique", path.name))
    return (len(_PREFERRED) + is_slanted if is_slanted else place), path.name


def _without_font(lacking: list[str]) -> PipelexError:
    shown = listed(lacking, _SHOWN, lambda letter: f"'{letter}' ({_name(letter)})")
    return content_failure(
        f"no font here has the letters {shown}: install one with TrueType outlines on this machine, or a font package"
        " such as fontpkg-noto-sans-thai; for Chinese, Japanese and Korean on Debian, fonts-wqy-microhei"
    )


def _without_shape(letters: list[str]) -> PipelexError:
    scripts = ", ".join(dict.fromkeys(_script(letter).capitalize() for letter in letters))
    return content_failure(
        f"the PDF library does not shape {scripts}: its letters would stand in the wrong order. Print a Word file instead"
    )


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def _name(letter: str) -> str:
    return unicodedata.name(letter, f"U+{ord(letter):04X}").lower()
