"""Text for people: coloured on a terminal, plain everywhere else, and free of control characters from elsewhere.

All output goes through `out`, `tell_out` or `say`, which remove every control character except those of `Paint`.
"""

import json
import os
import re
import secrets
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Final, TextIO

from pipelex.cli._shared.streams import is_terminal, speaks_unicode
from pipelex.cli.fitting import COLOUR, fitted, width_of
from pipelex.errors.terminal import INVISIBLE, STACKED, clean

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_NARROWEST: Final = 6
"""The width below which a column of a table is not narrowed, in columns of the terminal."""
_READABLE: Final = 10
"""The width below which a column beside ids is not narrowed, in columns of the terminal; a date fits."""
_USUAL_WIDTH: Final = 80
_TOKEN: Final = secrets.token_hex(8)
"""A random mark of this process's colour codes, so that no text from elsewhere can imitate one."""
_STYLE: Final = re.compile(rf"\x1b<{_TOKEN}:([0-9;]+)>")
_BREAKS: Final = re.compile(r"[\n\t]+")
_NOT_IN_JSON: Final = re.compile(rf"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff{INVISIBLE}]|{STACKED}")


@dataclass(frozen=True)
class Paint:
    """Colours for one stream."""

    is_on: bool

    @classmethod
    def of(cls, stream: TextIO) -> "Paint":
        """The colours for a stream.

        They are on for a terminal unless `NO_COLOR` is set; `FORCE_COLOR` switches them on everywhere.
        """
        if os.environ.get("NO_COLOR"):
            return cls(False)
        return cls(bool(os.environ.get("FORCE_COLOR")) or (is_terminal(stream) and os.environ.get("TERM") != "dumb"))

    def __call__(self, text: str, *styles: str) -> str:
        """The text marked up in the given styles, for `out` and `say`."""
        if not self.is_on or not text:
            return text
        return f"\x1b<{_TOKEN}:{';'.join(_CODES[style] for style in styles)}>{text}\x1b<{_TOKEN}:0>"


def shown(text: str, width: int | None = None) -> str:
    """The text as it is written to a terminal: clean, with the colours of `Paint`, wrapped to `width` if given."""
    pieces = _STYLE.split(text)
    colours = pieces[1::2]
    words = fitted(COLOUR.join(map(clean, pieces[::2])), width).split(COLOUR)
    return words[0] + "".join(f"\x1b[{colour}m{piece}" for colour, piece in zip(colours, words[1:], strict=True))


def out(text: str = "") -> None:
    """Print a line of a result without wrapping it: values, names, paths, and anything that programs read."""
    sys.stdout.write(shown(text) + "\n")


def tell_out(text: str = "") -> None:
    """Print a line of a result for people, wrapped to the width of their terminal."""
    sys.stdout.write(shown(text, columns(sys.stdout)) + "\n")


def say(text: str = "") -> None:
    """Print a line of diagnostics for people, wrapped to the width of their terminal."""
    sys.stderr.write(shown(text, columns(sys.stderr)) + "\n")
    sys.stderr.flush()


def say_whole(text: str) -> None:
    """Print diagnostics without wrapping them: tracebacks, and anything that programs read."""
    sys.stderr.write(shown(text) + "\n")
    sys.stderr.flush()


def json_text(value: object, stream: TextIO, *, indent: int | None = None) -> str:
    """A value as JSON that the stream's encoding can hold, with control and invisible characters escaped."""
    text = json.dumps(value, ensure_ascii=not speaks_unicode(stream), indent=indent, default=str)
    return _NOT_IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1], text)


def paint_out() -> Paint:
    """Colours for results."""
    return Paint.of(sys.stdout)


def paint_err() -> Paint:
    """Colours for diagnostics."""
    return Paint.of(sys.stderr)


def columns(stream: TextIO | None = None) -> int | None:
    """The width that text for people must fit; None if no terminal shows it and `COLUMNS` is not set.

    Args:
        stream: where the text goes; if None, standard output or standard error, whichever is a terminal.
    """
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    shows = next((each for each in ([stream] if stream else [sys.stdout, sys.stderr]) if is_terminal(each)), None)
    return None if shows is None else _terminal_width(shows)


def _terminal_width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):  # the stream claims to be a terminal but is not
        return _USUAL_WIDTH


def wrapped(text: str, width: int | None) -> list[str]:
    """A text as lines of at most `width` columns; a longer word is broken."""
    if width is None or width_of(text) <= width:
        return [text]
    if width_of(text) != len(text):
        return _by_columns(text, max(width, _NARROWEST))
    return textwrap.wrap(text, max(width, _NARROWEST), break_on_hyphens=False) or [""]


def _by_columns(text: str, width: int) -> list[str]:
    """A text with characters that take two columns, as lines of at most `width` columns."""
    lines = [""]
    for character in text:
        if width_of(lines[-1] + character) > width:
            lines.append("")
        lines[-1] += character
    return [line.strip() for line in lines]


def _padded(text: str, width: int, *, is_right: bool) -> str:
    space = " " * (width - width_of(text))
    return space + text if is_right else text + space


def one_line(text: str) -> str:
    """A text from anywhere as one clean line, so that it cannot begin a line of its own or hide what stands after it."""
    return _BREAKS.sub(" ", clean(text))


def table(
    rows: Sequence[Sequence[str]],
    headings: Sequence[str],
    paint: Paint,
    *,
    right: Sequence[int] = (),
    has_ids: bool = False,
) -> str:
    """Rows as aligned columns under their headings; if they do not fit, the widest columns wrap onto further lines.

    Args:
        rows: the cells, without colours; each becomes one clean line.
        headings: one per column.
        paint: colours of the stream it goes to.
        right: columns that are aligned to the right.
        has_ids: whether the first column holds ids. They are never broken, so that they can be copied. If there is no
            room beside them, each gets a line of its own above the rest of its row.
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(width_of(row[index]) for row in [headings, *rows]) for index in range(len(headings))]
    room = columns()
    gaps = 2 * (len(widths) - 1)
    is_stacked = False
    if room is not None and has_ids:
        beside = _beside_ids(rows, headings, widths[1:], room - gaps - widths[0])
        is_stacked = sum(beside) > room - gaps - widths[0]
        widths = [0, *_narrowed(widths[1:], room - gaps)] if is_stacked else [widths[0], *beside]
    elif room is not None:
        widths = _narrowed(widths, room - gaps)

    def lines(cells: Sequence[str]) -> Iterator[str]:
        if is_stacked:
            yield cells[0]
            cells = ["", *cells[1:]]
        pieces = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
        for parts in zip_longest(*pieces, fillvalue=""):
            aligned = [
                _padded(part, width, is_right=index in right)
                for index, (part, width) in enumerate(zip(parts, widths, strict=True))
            ]
            yield "  ".join(aligned).rstrip()

    return "\n".join(
        [*(paint(line, "bold") for line in lines(headings)), *(line for row in rows for line in lines(row))]
    )


def _beside_ids(rows: Sequence[Sequence[str]], headings: Sequence[str], widths: Sequence[int], room: int) -> list[int]:
    """The widths of the columns beside ids: narrowed to whole words first, and within long words only if need be."""
    words = [
        max(_NARROWEST, *(width_of(word) for row in [headings, *rows] for word in row[index].split()))
        for index in range(1, len(headings))
    ]
    between = _narrowed(widths, room, words)
    return _narrowed(between, room, [min(word, _READABLE) for word in words])


def _narrowed(widths: Sequence[int], room: int, least: Sequence[int] = ()) -> list[int]:
    """The widths of columns that share some room. The widest are narrowed first, but none below its least width.

    Args:
        widths: the widths that the columns want.
        room: the columns of the terminal that they share.
        least: the least width of each column; `_NARROWEST` for all by default.
    """
    found = list(widths)
    floors = list(least) or [_NARROWEST] * len(found)
    while sum(found) > room:
        wide = [index for index, (width, floor) in enumerate(zip(found, floors, strict=True)) if width > floor]
        if not wide:
            break
        found[max(wide, key=lambda index: found[index])] -= 1
    return found


def since(started: datetime, ended: datetime | None) -> timedelta:
    """The time that something took, or has taken so far."""
    return (ended or datetime.now(UTC)) - started


def moment(time: datetime) -> str:
    """A point in time for people, in their local time zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def clock(time: datetime) -> str:
    """A nearby point in time for people, in their local time zone; the date is shown only if it is not today."""
    here = time.astimezone()
    return f"{here:%H:%M:%S}" if here.date() == datetime.now().astimezone().date() else moment(time)


def duration(time: timedelta) -> str:
    """A length of time for people."""
    seconds = time.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
