"""Bounds of what is reported about data that somebody else wrote: a file may hold any number of names, of any length."""

from typing import Final

MOST_FAULTS: Final = 100
"""The maximum number of faults of one value that are reported one by one; the others are counted."""
_LONGEST_NAME: Final = 200


def clipped(name: str) -> str:
    """A name for messages; the end of a very long one is left out."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
