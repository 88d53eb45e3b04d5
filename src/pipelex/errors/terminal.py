"""Cleans text from elsewhere for a terminal: answers of models, errors of providers, methods, file names."""

import re
from typing import Final

_TO_ITS_END: Final = r"[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
_SEQUENCES: Final = re.compile(
    rf"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_TO_ITS_END}"  # OSC, DCS, SOS, PM, APC: a text that the terminal acts on
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, the cursor, modes
    r"|\x1b[ -/]*[0-~]?"  # everything else that begins with ESC
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # C0 without tab and newline, DEL, C1
    r"|[\u202a-\u202e\u2066-\u2069]"  # what turns the direction of the text around it
    r"|[\U000e0000-\U000e007f]"  # tags: an invisible second alphabet, in which text can hide
)
_LINE_ENDS: Final = re.compile(r"\r+\n?|[\u2028\u2029]")
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """The text without control characters, escape sequences and hidden tags; newlines and tabs stay.

    Unicode's line and paragraph separators become newlines. Marks of direction (U+200E, U+200F, U+061C) stay, because
    Arabic and Hebrew texts need them, and they reorder nothing but their neighbours. Flags of regions lose their tags.
    """
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATES.sub("\ufffd", _SEQUENCES.sub("", _LINE_ENDS.sub("\n", text)))


def marked(line: str) -> str:
    """One line in which a mark replaces each control character, so that the columns stay the same."""
    return _UNPRINTABLE.sub("\ufffd", line)
