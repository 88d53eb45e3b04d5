"""Cleans text from elsewhere for a terminal: answers of models, errors of providers, methods, file names."""

import re
from typing import Final

INVISIBLE: Final = (
    r"\xad\u034f\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # spaces without a width, joiners, remarks
    r"\U0001d173-\U0001d17a"  # beams and slurs of music
    r"\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # tags: an invisible second alphabet, in which text can hide
)
"""Characters that show nothing, as members of a class of a regular expression."""
_SELECTORS: Final = r"\ufe00-\ufe0f\U000e0100-\U000e01ef"
STACKED: Final = rf"(?<=[{_SELECTORS}])[{_SELECTORS}]"
"""A regular expression for selectors of a character's form beyond the first one: they, too, are an alphabet that hides."""
_TO_ITS_END: Final = r"[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
_SEQUENCES: Final = re.compile(
    rf"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]){_TO_ITS_END}"  # OSC, DCS, SOS, PM, APC: a text that the terminal acts on
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, the cursor, modes
    r"|\x1b[ -/]*[0-~]?"  # everything else that begins with ESC
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # C0 without tab and newline, DEL, C1
    r"|[\u202a-\u202e\u2066-\u2069]"  # what turns the direction of the text around it
    rf"|[{INVISIBLE}]"
)
_AFTER_OTHERS: Final = re.compile(rf"([^{_SELECTORS}\u200c\u200d]?)([{_SELECTORS}\u200c\u200d]+)")
"""Selectors and joiners, which show nothing by themselves, with the character before them."""
_KEYCAPS: Final = frozenset("0123456789#*")
_JOINERS: Final = frozenset("\u200c\u200d")
_LINE_ENDS: Final = re.compile(r"\r+\n?|[\u2028\u2029]")
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")
_UNPRINTABLE: Final = re.compile(
    rf"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff{INVISIBLE}]|{STACKED}"
)


def clean(text: str) -> str:
    """The text without control characters, escape sequences and characters that show nothing; newlines and tabs stay.

    Unicode's line and paragraph separators become newlines. Marks of direction (U+200E, U+200F, U+061C) stay, because
    Arabic and Hebrew texts need them, and they reorder nothing but their neighbours. A letter or an emoji keeps one
    selector of its form and one joiner, as scripts and emojis need them. Flags of regions lose their tags.
    """
    if text.isascii() and text.isprintable():
        return text
    visible = _SEQUENCES.sub("", _LINE_ENDS.sub("\n", text))
    return _SURROGATES.sub("\ufffd", _AFTER_OTHERS.sub(_needed, visible))


def _needed(found: re.Match[str]) -> str:
    """A character with at most one selector and one joiner after it; plain ASCII takes none, except for keycaps."""
    before, after = found[1], found[2]
    takes_joiner = bool(before) and not before.isascii()
    selector = after[0] if after[0] not in _JOINERS and (takes_joiner or before in _KEYCAPS) else ""
    joiner = next((each for each in after if each in _JOINERS), "") if takes_joiner else ""
    return before + selector + joiner


def marked(line: str) -> str:
    """One line in which a mark replaces each control character, so that the columns stay the same."""
    return _UNPRINTABLE.sub("\ufffd", line)
