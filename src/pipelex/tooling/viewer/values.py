"""The values of a run, each stored once, and cut if they are too large for a page."""

import hashlib
import json
from typing import Any, Final, cast

from pipelex.content.stuff import Stuff
from pipelex.errors import Json

LONGEST_TEXT: Final = 20_000
"""The maximum number of characters that the page shows of one text."""
MOST_ITEMS: Final = 1_000
"""The maximum number of items that the page shows of one list."""
MOST_IN_ALL: Final = 8_000_000
"""The maximum number of characters of all values on one page; further values are left out."""


class Values:
    """The values of one page, by their digests."""

    def __init__(self) -> None:
        self.table: dict[str, dict[str, Json]] = {}
        self._known: dict[int, tuple[Stuff, str | None]] = {}
        self._left = MOST_IN_ALL

    def add(self, stuff: Stuff) -> str | None:
        """The key of a value in the table; None if there is no more room for it on the page."""
        # The value is stored with its key, so no other object can get the same `id`.
        if id(stuff) not in self._known:
            self._known[id(stuff)] = (stuff, self._added(stuff))
        return self._known[id(stuff)][1]

    def _added(self, stuff: Stuff) -> str | None:
        content, left_out = shortened(stuff.content)
        text = json.dumps([stuff.concept, stuff.is_list, content], default=str)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        if key in self.table:
            return key
        if len(text) > self._left:
            return None
        self._left -= len(text)
        entry: dict[str, Json] = {"concept": stuff.concept + ("[]" if stuff.is_list else ""), "content": content}
        self.table[key] = {**entry, "left_out": left_out} if left_out else entry
        return key


def shortened(content: Json) -> tuple[Json, int]:
    """A content with its longest texts and lists cut, and the number of characters that were left out."""
    left_out = 0

    def cut(value: Any) -> Any:
        nonlocal left_out
        if isinstance(value, str):
            left_out += max(0, len(value) - LONGEST_TEXT)
            return value[:LONGEST_TEXT]
        if isinstance(value, dict):
            return {key: cut(member) for key, member in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            items = cast("list[Any]", value)
            left_out += sum(len(str(item)) for item in items[MOST_ITEMS:])
            return [cut(item) for item in items[:MOST_ITEMS]]
        return value

    return cut(content), left_out
