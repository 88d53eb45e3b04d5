"""Wrapping of lines to the width of a person's terminal: a long line continues below its first word.

Whatever is useless in pieces stays whole, however narrow the terminal: a path, an address, a command to copy.
"""

import re
from collections.abc import Iterator
from typing import Final
from unicodedata import category, east_asian_width

COLOUR: Final = "\x1b"
"""The character that marks a change of colour; it takes no column."""
_ON_OTHERS: Final = ("Mn", "Me", "Cf")
"""The categories of characters that take no column: marks on others, joiners, marks of direction."""
_NARROWEST: Final = 20
"""The least width that lines are wrapped to, in columns."""
_LEAD: Final = re.compile(rf" *(?:{COLOUR}*(?:[→✓✗!–●○…*+-]|\d+\.){COLOUR}* +)*")
"""The part before a line's words: its indent, and a bullet or a mark."""
_WHOLE: Final = re.compile(
    r"[^\s`]*`[^`]*`[^\s`]*"
    rf"|(?:(?<=: )|(?<=:  )|^){COLOUR}*(?:[A-Z_]+=\S+ )*(?:pipelex|pip|python|export|temporal) .*"
)
"""Commands, which stay whole: in backquotes, or after a colon up to the end of the line."""


def width_of(text: str) -> int:
    """The columns that a text takes on a terminal."""
    if text.isascii():
        return len(text) - text.count(COLOUR)
    wide = sum(0 if category(each) in _ON_OTHERS else 2 if east_asian_width(each) in "WF" else 1 for each in text)
    return wide - text.count(COLOUR)


def fitted(text: str, width: int | None) -> str:
    """The lines of a text, wrapped between words so that they fit.

    Args:
        text: one or more lines.
        width: the columns of the terminal; None for no limit.
    """
    if width is None:
        return text
    room = max(width, _NARROWEST)
    return "\n".join(line if width_of(line) <= room else _folded(line, room) for line in text.split("\n"))


def _folded(line: str, room: int) -> str:
    """A line that is too long, split into several; the later ones are indented to the words of the first."""
    found = _LEAD.match(line)
    lead = "" if found is None else found[0]
    below = " " * min(width_of(lead) + (0 if lead.strip() else 2), room // 2)
    done, current, space = list[str](), lead, ""
    for word, following in _words(line[len(lead) :]):
        if space and width_of(current + space + word) > room:
            done.append(current)
            current, space = below, ""
        current, space = current + space + word, following
    return "\n".join([*done, current])


def _words(text: str) -> Iterator[tuple[str, str]]:
    """The pieces between which a line may be broken, each with the space that follows it."""
    position = 0
    while position < len(text):
        whole = _WHOLE.search(text, position)
        for found in re.finditer(r"(\S+)( *)", text[position : None if whole is None else whole.start()]):
            yield found[1], found[2]
        if whole is None:
            return
        gap = re.compile(r" *").match(text, whole.end())
        yield whole[0], "" if gap is None else gap[0]
        position = whole.end() + (0 if gap is None else len(gap[0]))
