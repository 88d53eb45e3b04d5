"""Finding the language and the direction of a text from its letters."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_KANA: Final = re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d]")
_HANGUL: Final = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
_HAN: Final = re.compile("[\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_EAST: Final = re.compile(f"{_KANA.pattern}|{_HANGUL.pattern}|{_HAN.pattern}|[\u3000-\u303f\u3100-\u312f\uff00-\uffef]")
_CHARSETS: Final = {"zh-Hans": "gb2312", "zh-Hant": "big5", "ja": "shift_jis", "ko": "euc_kr"}
"""A character set for each language with Han letters. The one with the most letters of a text is its language."""

LANGUAGES: Final = tuple(_CHARSETS)
"""The languages that draw the same Han letters differently."""


def is_east_asian(text: str) -> bool:
    """Whether a text has Chinese, Japanese or Korean letters."""
    return _EAST.search(text) is not None


def language_of(text: str, default: str | None = None) -> str | None:
    """The language of a text with Han letters, kana or hangul; None for other texts.

    It matters because each language draws the same Han letter differently.

    Args:
        text: the text.
        default: the language of the surrounding text, which wins unless another language has more of the Han letters.
    """
    if _KANA.search(text):
        return "ja"
    if _HANGUL.search(text):
        return "ko"
    han = "".join(dict.fromkeys(_HAN.findall(text)))
    if not han:
        return None
    likely = [default] if default in _CHARSETS else []
    return max((*likely, *_CHARSETS), key=lambda language: _share(han, _CHARSETS[language]))


def _share(text: str, charset: str) -> int:
    return sum(_has(letter, charset) for letter in text)


def _has(letter: str, charset: str) -> bool:
    try:
        letter.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def begins_at_right(text: str) -> bool | None:
    """Whether a text begins at the right, which its first letter with a direction decides; None if there is none."""
    return next((each != "L" for each in _directions(text)), None)


def is_mostly_from_right(text: str) -> bool:
    """Whether most letters of a text are written from right to left."""
    balance = sum(-1 if each == "L" else 1 for each in _directions(text))
    return balance > 0


def is_from_right(text: str) -> bool:
    """Whether a text has a letter that is written from right to left."""
    return any(each != "L" for each in _directions(text))


def _directions(text: str) -> Iterable[str]:
    return (each for letter in text if (each := unicodedata.bidirectional(letter)) in ("L", "R", "AL"))
