"""Finding out what the glyphs of a printed page stand for, by shaping its texts a second time."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from pipelex.inference.documents.paged.faces import PRIVATE, NamedFace, is_visible
from pipelex.inference.documents.paged.languages import LANGUAGES, begins_at_right, is_east_asian, is_from_right

Keys = tuple[int, ...]
"""The code points of glyphs, in the order in which the glyphs are drawn."""

_LIGATURES: Final = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0xFEF5, 0xFEFD)}
"""The single characters for two Arabic letters. A reader that reverses a line would also reverse the two letters."""
_FEATURES: Final = {"liga": False}
"""The features for right-to-left text: only required Arabic ligatures are formed."""


@dataclass
class Meanings:
    """What glyphs, and sequences of glyphs, stand for."""

    letters: frozenset[int]
    """The code points of the letters on the page. A glyph with one of these code points stands for that letter."""
    texts: dict[Keys, str] = field(default_factory=dict[Keys, str])
    """The texts of sequences that stand for something else than their single glyphs do."""
    glyphs: dict[int, str] = field(default_factory=dict[int, str])
    """The texts of single glyphs, by code point."""

    def of(self, key: int) -> str:
        """The text of one glyph."""
        known = self.glyphs.get(key)
        if known is not None:
            return _LIGATURES.get(known, known)
        if key in self.letters:
            return chr(key)
        plain = "" if key >= PRIVATE else unicodedata.normalize("NFKC", chr(key))
        return chr(key) if len(plain) > 1 and is_from_right(plain) else plain

    @property
    def longest(self) -> Mapping[int, int]:
        """The length of the longest sequence with a text, by its first glyph."""
        found: dict[int, int] = {}
        for keys in self.texts:
            found[keys[0]] = max(found.get(keys[0], 0), len(keys))
        return found


def meanings_of(texts: Iterable[str], faces: Sequence[NamedFace]) -> Meanings:
    """What the glyphs on a page stand for.

    Args:
        texts: the texts of the page.
        faces: the faces that the page is set in.
    """
    texts = list(texts)
    letters = frozenset(map(ord, set[str]().union(*texts)))
    found = Meanings(letters | {ord(" ")})
    shapers = [_Shaper(face) for face in faces]
    for word in _words(texts):
        wanted = {ord(letter) for letter in word if is_visible(letter)}
        for shaper in shapers:
            if wanted and wanted <= shaper.face.face.letters.keys():
                _learn(found, word, shaper)
    return found


def _words(texts: Iterable[str]) -> Iterable[str]:
    """The distinct parts of texts to shape: words and their runs if letters affect each other, else single letters."""
    found: dict[str, None] = {}
    for text in texts:
        for word in text.split():
            if word.isascii():
                continue
            if _is_simple(word) or is_east_asian(word):
                found |= dict.fromkeys(letter for letter in word if not letter.isascii())
            else:
                found[word] = None
                found |= dict.fromkeys(_parts(word))
    return found


def _is_simple(word: str) -> bool:
    return all(
        letter < "\u0300" or "\u0370" <= letter < "\u0483" or "\u1e00" <= letter < "\u2000" or letter in "–—“”‘’…€"
        for letter in word
    )


def _parts(word: str) -> Iterable[str]:
    """The runs of one script in a word, because each script may be set in a different face."""
    part, last = "", None
    for letter in word:
        script = _script(letter)
        if script is not None and last is not None and script != last:
            yield part
            part = ""
        part += letter
        last = script or last
    yield part


def _script(letter: str) -> str | None:
    if not unicodedata.category(letter).startswith("L"):
        return None
    return unicodedata.name(letter, "").partition(" ")[0]


class _Shaper:
    def __init__(self, face: NamedFace) -> None:
        self.face = face
        self._library: Any = import_module("uharfbuzz")
        blob = self._library.Blob.from_file_path(str(face.path))
        self._font = self._library.Font(self._library.Face(blob))

    def shape(self, text: str, language: str | None) -> list[tuple[int, int]]:
        """The code point of each glyph, and the offset in the text of what it stands for."""
        buffer = self._library.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        if language is not None:
            buffer.language, buffer.script = language, "Hani"
        self._library.shape(self._font, buffer, _FEATURES if is_from_right(text) else {})
        return [(self.face.keys.get(info.codepoint, 0), info.cluster) for info in buffer.glyph_infos]


def _learn(found: Meanings, word: str, shaper: _Shaper) -> None:
    for language in LANGUAGES if is_east_asian(word) else (None,):
        _learn_in(found, word, shaper.shape(word, language))


def _learn_in(found: Meanings, word: str, shaped: Sequence[tuple[int, int]]) -> None:
    clusters = _clusters(word, shaped)
    for keys, text in clusters:
        _keep(found, keys, text)
    is_reordered = any(len(keys) > 1 or len(text) > 1 for keys, text in clusters)
    if is_reordered and begins_at_right(word) is False and not is_from_right(word) and len(clusters) > 1:
        _keep(found, tuple(key for key, _ in shaped), word)


def _clusters(word: str, shaped: Sequence[tuple[int, int]]) -> list[tuple[Keys, str]]:
    starts = sorted({place for _, place in shaped})
    ends = dict(zip(starts, [*starts[1:], len(word)], strict=True))
    glyphs: dict[int, list[int]] = {}
    for key, place in shaped:
        glyphs.setdefault(place, []).append(key)
    return [(tuple(keys), word[place : ends[place]]) for place, keys in glyphs.items()]


def _keep(found: Meanings, keys: Keys, text: str) -> None:
    if len(keys) == 1:
        if keys[0] not in found.letters:
            found.glyphs.setdefault(keys[0], text)
    elif keys != tuple(map(ord, text)):
        # Readers reverse right-to-left text glyph by glyph, but not an `ActualText` beside it.
        if not is_from_right(text):
            found.texts.setdefault(keys, text)
        _keep_rest(found, keys, text)


def _keep_rest(found: Meanings, keys: Keys, text: str) -> None:
    """Let the first glyph without a letter stand for all letters without a glyph, for readers of single glyphs."""
    unnamed = [key for key in keys if key >= PRIVATE]
    if unnamed:
        named = {chr(key) for key in keys if key < PRIVATE}
        found.glyphs.setdefault(unnamed[0], "".join(letter for letter in text if letter not in named))
