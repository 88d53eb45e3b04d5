"""Choosing the faces of a page by its letters: from the font packages of the extra, then from this machine."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipelex.config.distribution import library_command
from pipelex.errors import PipelexError, listed
from pipelex.inference.documents.fonts import installed_files, packaged_files
from pipelex.inference.documents.provider import content_failure

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

_ALWAYS: Final = ("NotoSans[", "NotoSans-Italic[", "FiraCode[")
"""The faces of every page, by the beginnings of their file names: for European languages, and for code."""
_SERIF: Final = ("NotoSerif[", "NotoSerif-Italic[")
_PREFERRED: Final = (*_ALWAYS, "IBMPlexSansArabic-Regular", "NotoSans", "NotoEmoji", "Inter[")
"""The beginnings of the names of files that are tried first, in this order, because they look well together."""
_EAST: Final = "NotoSansCJK"
_NUMBERS: Final[Mapping[str, int]] = {"ja": 0, "ko": 1, "zh-Hans": 2, "zh-Hant": 3}
"""The index of each language's face in the Noto Sans CJK collection."""
_UNFIT: Final = re.compile(r"(?i)bold|italic|oblique|black|light|thin|medium|condensed|narrow|mono|serif|lastresort")
"""The names of files that are left out among packaged fonts, and tried last among installed ones."""
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_SHOWN: Final = 5
"""The maximum number of letters without a font that an error names."""
_COMPOSED: Final = range(0x1E00, 0x1F00)
_MANY: Final = 100
_ONE_TO_MANY: Final = 2
"""The type of substitution that splits a glyph into several."""
_MANY_TO_ONE: Final = 4
"""The type of substitution that joins several glyphs into a ligature."""
_ARABIC: Final = 0x0628
_JOINED: Final = range(0xFBEA, 0xFDF0)
"""The code points of optional Arabic ligatures."""
_NO_GLYPH: Final = "glyph00000"
PRIVATE: Final = 0xF0000
"""The first code point for glyphs that have no letter of their own."""


@dataclass(frozen=True)
class Face:
    """One face of a font file."""

    path: Path
    number: int = 0
    """Its index in a collection of fonts; 0 if the file is not a collection."""

    @property
    def letters(self) -> Mapping[int, str]:
        """The names of its glyphs, by the code points of their letters; empty if the file cannot be read."""
        return _letters(self)

    def open(self) -> "TTFont":
        """Open the font; the caller closes it."""
        from fontTools.ttLib import TTFont

        font = TTFont(self.path, fontNumber=self.number, lazy=True, recalcBBoxes=False, recalcTimestamp=False)
        # Otherwise, names are read with the outlines, which takes a minute for a Chinese font.
        font.setGlyphOrder([f"glyph{number:05}" for number in range(font["maxp"].numGlyphs)])
        return font


@cache
def _letters(face: Face) -> Mapping[int, str]:
    try:
        with face.open() as font:
            found: dict[int, str] = font.getBestCmap() or {}
    except Exception:  # an unchecked font may make the library raise anything
        return {}
    return found


@dataclass(frozen=True)
class NamedFace:
    """A copy of a face for printing, in which every glyph has a code point."""

    face: Face
    path: Path
    """The file of the copy."""
    keys: Mapping[int, int] = field(repr=False)
    """The first code point of each glyph, by glyph id. The printed file refers to a glyph by it."""


def faces_for(letters: Iterable[str], language: str | None, *, is_serif: bool) -> tuple[list[Face], list[str]]:
    """The faces for letters, and the letters that no face has.

    Args:
        letters: the letters.
        language: the language of the Han letters among them; None if there are none.
        is_serif: whether the page uses serif fonts.
    """
    lacking = {letter for letter in letters if is_visible(letter)}
    chosen: list[Face] = []
    for face, is_basic in _candidates(language, is_serif=is_serif):
        has = {letter for letter in lacking if ord(letter) in face.letters}
        if has or is_basic:
            chosen += [face, *_styles(face)]
            lacking -= has
        if not lacking and not is_basic:
            break
    return chosen, sorted(lacking)


def is_visible(letter: str) -> bool:
    """Whether a letter is drawn, rather than only affecting how others are drawn."""
    is_selector = 0xFE00 <= ord(letter) <= 0xFE0F or 0xE0100 <= ord(letter) <= 0xE01EF
    return not (is_selector or letter.isspace() or unicodedata.category(letter) in _UNSHOWN)


def _candidates(language: str | None, *, is_serif: bool) -> Iterator[tuple[Face, bool]]:
    """The faces to try, each with whether every page gets it."""
    packaged = list(packaged_files())
    basic = (*_ALWAYS, *(_SERIF if is_serif else ()))
    fit = [path for path in packaged if not _UNFIT.search(path.name) or _begins(path, basic)]
    families = {path.name.partition("[")[0]: path for path in reversed(fit)}
    for path in sorted(families.values(), key=lambda path: (not _begins(path, basic), *_rank(path))):
        is_east = path.name.startswith(_EAST)
        yield Face(path, _NUMBERS.get(language or "zh-Hans", 2) if is_east else 0), _begins(path, basic)
    for path in sorted(installed_files(), key=lambda path: (bool(_UNFIT.search(path.name)), path.name)):
        yield Face(path), False


def _styles(face: Face) -> Iterable[Face]:
    """The bold and slanted faces that a face's family has in files of their own."""
    stem = face.path.stem.removesuffix("-Regular")
    names = (
        f"{stem}-{style}{face.path.suffix}" for style in ("Bold", "Italic", "Oblique", "BoldItalic", "BoldOblique")
    )
    return (Face(path) for name in names if (path := face.path.with_name(name)).is_file())


def _begins(path: Path, names: Iterable[str]) -> bool:
    return any(path.name.startswith(name) for name in names)


def _rank(path: Path) -> tuple[int, str]:
    place = next((rank for rank, name in enumerate(_PREFERRED) if path.name.startswith(name)), len(_PREFERRED))
    return place, path.name


def named(faces: Iterable[Face], folder: Path) -> list[NamedFace]:
    """Write copies of faces in which every glyph has a code point.

    Args:
        faces: the faces.
        folder: the folder to write the copies into.
    """
    done: list[NamedFace] = []
    free = PRIVATE
    for place, face in enumerate(faces):
        path = folder / f"{place}{face.path.suffix if face.number == 0 else '.otf'}"
        keys, free = _write(face, path, free)
        done.append(NamedFace(face, path, keys))
    return done


def _write(face: Face, path: Path, free: int) -> tuple[dict[int, int], int]:
    cmap = dict(sorted(face.letters.items()))
    encoded = set(cmap.values())
    with face.open() as opened:
        font: Any = opened
        for name in font.getGlyphOrder():
            if name not in encoded and name != _NO_GLYPH:
                cmap[free] = name
                free += 1
        _keep_composed(font, face.letters)
        _keep_apart(font, face.letters)
        _set_cmap(font, cmap)
        font.save(path, reorderTables=None)
        keys: dict[int, int] = {}
        for code, name in cmap.items():
            keys.setdefault(font.getGlyphID(name), code)
    return keys, free


def _keep_composed(font: Any, letters: Mapping[int, str]) -> None:
    """Keep Latin letters with marks as single glyphs, because readers lose marks that are drawn separately."""
    composed = {name for code, name in letters.items() if code in _COMPOSED}
    if "GSUB" not in font or len(composed) < _MANY:
        return
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for each in lookup.SubTable:
            table = getattr(each, "ExtSubTable", each)
            if table.LookupType == _ONE_TO_MANY:
                for name in composed & table.mapping.keys():
                    del table.mapping[name]


def _keep_apart(font: Any, letters: Mapping[int, str]) -> None:
    """Remove optional Arabic ligatures, because readers reverse the letters that one glyph stands for."""
    joined = {name for code, name in letters.items() if code in _JOINED}
    for lookup in font["GSUB"].table.LookupList.Lookup if _ARABIC in letters and "GSUB" in font else ():
        for each in lookup.SubTable:
            table = getattr(each, "ExtSubTable", each)
            if table.LookupType == _MANY_TO_ONE:
                for name, ligatures in table.ligatures.items():
                    table.ligatures[name] = [found for found in ligatures if found.LigGlyph not in joined]


def _set_cmap(font: Any, cmap: dict[int, str]) -> None:
    from fontTools.ttLib.tables import _c_m_a_p

    library: Any = _c_m_a_p
    table = library.CmapSubtable.newSubtable(12)
    table.platformID, table.platEncID, table.language, table.cmap = 3, 10, 0, cmap
    variants = [each for each in font["cmap"].tables if each.format == 14]
    font["cmap"].tables = [table, *variants]


def without_face(lacking: list[str]) -> PipelexError:
    """The error for letters that no face has."""
    shown = listed(lacking, _SHOWN, lambda letter: f"'{letter}' ({_name(letter)}, U+{ord(letter):04X})")
    failure = content_failure(f"no font here has the letters {shown}: they would be printed as boxes")
    return failure.with_report(advice=_advice(lacking))


def _advice(lacking: list[str]) -> str:
    if any(unicodedata.name(letter, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL")) for letter in lacking):
        return f"Install the fonts of Chinese, Japanese and Korean: {library_command('manimgx-fonts-cjk')}"
    scripts = ", ".join(
        dict.fromkeys(unicodedata.name(letter, "symbol").partition(" ")[0].lower() for letter in lacking)
    )
    return (
        f"Install a font that has them ({scripts}) on the machine that prints, for example with"
        " 'apt-get install fonts-noto-core fonts-noto-extra' on Debian,"
        " or name a font file beside the template with @font-face."
    )


def _name(letter: str) -> str:
    return unicodedata.name(letter, "a letter without a name").lower()
