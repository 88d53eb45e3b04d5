"""Making the text of a printed file extractable, by recording what its glyphs stand for.

The printing library records one letter for each glyph. That is not enough for ligatures, for conjuncts, and for letters
that are drawn before the letter they follow. So the tables from glyphs to letters are rewritten. Sequences of glyphs
that are drawn in another order than they are read get their text beside them, as `ActualText`, which viewers, searches
and screen readers use.
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from pipelex.errors import PipelexError
from pipelex.inference.documents.paged.clusters import Meanings
from pipelex.inference.documents.provider import content_failure

_PAIRS: Final = re.compile(rb"<([0-9a-fA-F]{2,4})>\s*<([0-9a-fA-F]{4,})>")
_BLOCK: Final = re.compile(rb"begin(bfchar|bfrange)(.*?)end(?:bfchar|bfrange)", re.DOTALL)
_RANGE: Final = re.compile(rb"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>")
_TOKEN: Final = re.compile(
    rb"(?P<font>/[^\s/\[\]<>()]+)\s+[-\d.]+\s+Tf"
    rb"|(?P<array>\[(?:[^\[\]()]|\((?:\\.|[^\\)])*\))*\])\s*TJ"
    rb"|(?P<string>\((?:\\.|[^\\)])*\)|<[0-9a-fA-F\s]*>)\s*Tj"
    rb"|(?P<end>\bET\b)",
    re.DOTALL,
)
_PART: Final = re.compile(rb"\((?:\\.|[^\\)])*\)|<[0-9a-fA-F\s]*>|[-+]?\d*\.?\d+", re.DOTALL)
_NO_LETTER: Final = 0xFFFD
"""The letter that the library records for a glyph without one, which is only the box for a missing glyph."""
_SPACES: Final = re.compile(rb"\s+")
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def readable(data: bytes, meanings: Meanings, *, may_lack: bool) -> bytes:
    """The printed file, with text that can be extracted and without the time of printing.

    Args:
        data: a PDF file from the printing library.
        meanings: what its glyphs stand for.
        may_lack: whether a glyph without a letter may come from a font that the page brings along, so that it is not
            taken for a box.

    Raises:
        PipelexError: a font lacks one of the letters, so that a box is printed.
    """
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(BytesIO(data)))
    rewriter = _Rewriter(meanings, meanings.longest, may_lack)
    objects: list[Any] = list(getattr(writer, "_objects"))  # noqa: B009 the writer lists its objects nowhere else
    for each in objects:
        if isinstance(each, dict) and "/ToUnicode" in each:
            rewriter.learn(each)
    for page in writer.pages:
        rewriter.rewrite_page(page)
    for each in objects:
        if isinstance(each, dict) and "/Subtype" in each and each["/Subtype"] == "/Form":
            rewriter.rewrite_form(each)
    writer.metadata = {"/Producer": "Pipelex"}
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


@dataclass
class _PrintedFont:
    keys: Mapping[int, int]
    """The code points of its glyphs, by the codes of the glyphs in the file."""
    width: int
    """The number of bytes in a code."""


@dataclass
class _Rewriter:
    meanings: Meanings
    longest: Mapping[int, int]
    may_lack: bool
    fonts: dict[int, _PrintedFont] = field(default_factory=dict[int, _PrintedFont])
    done: set[int] = field(default_factory=set[int])

    def learn(self, font: Any) -> None:
        """Read the code points of a font's glyphs, and rewrite its table with what the glyphs stand for."""
        stream: Any = font["/ToUnicode"].get_object()
        keys = _keys(stream.get_data())
        if not self.may_lack and _NO_LETTER in keys.values() and _NO_LETTER not in self.meanings.letters:
            raise _boxed()
        self.fonts[id(font)] = _PrintedFont(keys, 2 if font.get("/Subtype") == "/Type0" else 1)
        if id(stream) not in self.done:
            self.done.add(id(stream))
            width = 4 if font.get("/Subtype") == "/Type0" else 2
            _fill(stream, _table({code: self.meanings.of(key) for code, key in keys.items()}, width))

    def rewrite_page(self, page: Any) -> None:
        """Rewrite the text of a page."""
        contents: Any = page.get_contents()
        if contents is None:
            return
        found = self._rewritten(contents.get_data(), page.get("/Resources"))
        from pypdf.generic import NameObject, StreamObject

        stream: Any = StreamObject()
        _fill(stream, found)
        page[NameObject("/Contents")] = page.indirect_reference.pdf._add_object(stream)

    def rewrite_form(self, form: Any) -> None:
        """Rewrite the text of a form, which is a reusable part of a page."""
        _fill(form, self._rewritten(form.get_data(), form.get("/Resources")))

    def _rewritten(self, data: bytes, resources: Any) -> bytes:
        resources = {} if resources is None else resources.get_object()
        named: Any = resources.get("/Font")
        if named is None:
            return data
        fonts = {name.encode(): self.fonts.get(id(font.get_object())) for name, font in named.get_object().items()}
        return _Content(data, fonts, self.meanings, self.longest).rewritten()


@dataclass(frozen=True)
class _Glyph:
    key: int
    code: bytes


_Item = _Glyph | bytes | float
"""A glyph, operators that show no glyph, or a shift between two glyphs of an operator."""


@dataclass
class _Content:
    data: bytes
    fonts: Mapping[bytes, _PrintedFont | None]
    meanings: Meanings
    longest: Mapping[int, int]

    def rewritten(self) -> bytes:
        """The operators, with an `ActualText` beside each sequence that has a text."""
        return b"".join(part for run in self._runs() for part in self._written(run))

    def _runs(self) -> Iterable[list[_Item]]:
        """The items of each text object, including the operators before it."""
        font: _PrintedFont | None = None
        run: list[_Item] = []
        place = 0
        for found in _TOKEN.finditer(self.data):
            shown = found["array"] or found["string"]
            if font is not None and shown:
                run.append(self.data[place : found.start()])
                run += _items(shown, font)
                place = found.end()
            elif found["font"]:
                font = self.fonts.get(found["font"])
            elif found["end"]:
                run.append(self.data[place : found.end()])
                place = found.end()
                yield run
                run = []
        yield [*run, self.data[place:]]

    def _written(self, run: list[_Item]) -> Iterable[bytes]:
        places = [place for place, item in enumerate(run) if isinstance(item, _Glyph)]
        begins: dict[int, str] = {}
        ends: set[int] = set()
        for start, end, text in self._spans([item.key for item in run if isinstance(item, _Glyph)]):
            begins[places[start]] = text
            ends.add(places[end - 1])
        shown: list[bytes] = []
        for place, item in enumerate(run):
            if isinstance(item, bytes) or place in begins:
                yield _operator(shown)
                shown = []
            if place in begins:
                yield b"/Span<</ActualText<FEFF%s>>>BDC\n" % begins[place].encode("utf-16-be").hex().encode()
            if isinstance(item, bytes):
                yield item
            else:
                shown.append(b"<%s>" % item.code.hex().encode() if isinstance(item, _Glyph) else b"%g" % item)
            if place in ends:
                yield _operator(shown) + b"EMC\n"
                shown = []
        yield _operator(shown)

    def _spans(self, keys: list[int]) -> Iterable[tuple[int, int, str]]:
        """The start, end and text of each sequence that has a text, taking the longest one at each place."""
        start = 0
        while start < len(keys):
            length, text = self._longest(keys, start)
            if text is not None:
                yield start, start + length, text
            start += length

    def _longest(self, keys: list[int], start: int) -> tuple[int, str | None]:
        for length in range(min(self.longest.get(keys[start], 0), len(keys) - start), 1, -1):
            text = self.meanings.texts.get(tuple(keys[start : start + length]))
            if text is not None:
                return length, text
        return 1, None


def _operator(shown: list[bytes]) -> bytes:
    return b"\n[" + b"".join(shown).replace(b"><", b"") + b"]TJ\n" if shown else b""


def _items(shown: bytes, font: _PrintedFont) -> list[_Item]:
    items: list[_Item] = []
    for part in _PART.findall(shown):
        if part[:1] not in (b"(", b"<"):
            items.append(float(part))
            continue
        codes = _string(part)
        for place in range(0, len(codes), font.width):
            code = codes[place : place + font.width]
            items.append(_Glyph(font.keys.get(int.from_bytes(code), 0), code))
    return items


def _boxed() -> PipelexError:
    failure = content_failure("a letter of the page has no glyph in its font: it would be printed as a box")
    return failure.with_report(
        advice="Name a font that has it, or name no font: each letter then comes from a font that has it."
    )


def _string(part: bytes) -> bytes:
    if part[:1] == b"<":
        return bytes.fromhex(_SPACES.sub(b"", part[1:-1]).decode("ascii"))
    return _ESCAPE.sub(_unescaped, part[1:-1])


def _unescaped(found: re.Match[bytes]) -> bytes:
    what = found[1]
    return bytes([int(what, 8) & 255]) if what[:1].isdigit() else _ESCAPES.get(what, what)


def _keys(table: bytes) -> dict[int, int]:
    """The code points in a font's `ToUnicode` table, by the codes of the glyphs."""
    keys: dict[int, int] = {}
    for kind, block in _BLOCK.findall(table):
        for low, high, code in _RANGE.findall(block) if kind == b"bfrange" else ():
            first = _point(code)
            keys |= {number: first + number - int(low, 16) for number in range(int(low, 16), int(high, 16) + 1)}
        for number, code in _PAIRS.findall(block) if kind == b"bfchar" else ():
            keys[int(number, 16)] = _point(code)
    return keys


def _point(code: bytes) -> int:
    text = bytes.fromhex(code.decode()).decode("utf-16-be", "replace")
    return ord(text[0]) if text else 0


def _table(texts: Mapping[int, str], width: int) -> bytes:
    """A `ToUnicode` table for a font, from the texts of its glyphs by their codes."""
    rows = [
        b"<%0*x> <%s>" % (width, code, text.encode("utf-16-be").hex().encode()) for code, text in texts.items() if text
    ]
    blocks = [rows[start : start + 100] for start in range(0, len(rows), 100)]
    return b"\n".join(
        [
            b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap",
            b"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def",
            b"1 begincodespacerange\n<%s> <%s>\nendcodespacerange" % (b"0" * width, b"f" * width),
            *(b"%d beginbfchar\n%s\nendbfchar" % (len(block), b"\n".join(block)) for block in blocks),
            b"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend",
        ]
    )


def _fill(stream: Any, data: bytes) -> None:
    """Replace the data of a stream, compressed."""
    from pypdf.generic import NameObject

    stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    stream._data = zlib.compress(data)
