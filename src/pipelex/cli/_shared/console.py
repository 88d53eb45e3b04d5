"""Text for people: colours where a terminal shows them, plain everywhere else."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


@dataclass(frozen=True)
class Paint:
    """Colours for one stream."""

    is_on: bool

    @classmethod
    def of(cls, stream: TextIO) -> "Paint":
        """On for a terminal, unless `NO_COLOR` says otherwise; `FORCE_COLOR` switches it on anywhere."""
        if os.environ.get("NO_COLOR"):
            return cls(False)
        return cls(bool(os.environ.get("FORCE_COLOR")) or (is_terminal(stream) and os.environ.get("TERM") != "dumb"))

    def __call__(self, text: str, *styles: str) -> str:
        """The text in some styles."""
        if not self.is_on or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def out(text: str = "") -> None:
    """A line of a result."""
    sys.stdout.write(text + "\n")


def say(text: str = "") -> None:
    """A line of diagnostics."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def paint_out() -> Paint:
    """Colours for results."""
    return Paint.of(sys.stdout)


def paint_err() -> Paint:
    """Colours for diagnostics."""
    return Paint.of(sys.stderr)


def table(rows: Sequence[Sequence[str]], headings: Sequence[str], paint: Paint, *, right: Sequence[int] = ()) -> str:
    """Rows as aligned columns under their headings.

    Args:
        rows: the cells.
        headings: one per column.
        paint: colours of the stream it goes to.
        right: columns that are aligned to the right.
    """
    widths = [max(len(row[index]) for row in [headings, *rows]) for index in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(aligned).rstrip()

    return "\n".join([paint(line(headings), "bold"), *(line(row) for row in rows)])
