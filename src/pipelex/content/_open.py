"""Contents without a declared concept: the parts of a `Composite`.

Only its form says what such a part is: a list is written `{"items": [...]}`, as everywhere, and must be read as a list.
"""

from collections.abc import Mapping
from typing import cast

from pipelex.content._shapes import DictShape, Shape
from pipelex.content.stuff import Json


class OpenList(list[Json]):
    """A list that was written `{"items": [...]}`."""


def open_parts(shape: Shape, content: Json) -> Json:
    """A content whose lists are opened for reading, if the shape says that its parts are contents themselves."""
    if not isinstance(shape, DictShape) or not shape.holds_contents or not isinstance(content, Mapping):
        return content
    return {name: _opened(part) for name, part in cast("Mapping[str, Json]", content).items()}


def _opened(value: Json) -> Json:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Json]", value)
        items = members.get("items")
        if len(members) == 1 and isinstance(items, list):
            return OpenList(_opened(item) for item in items)
        return {name: _opened(member) for name, member in members.items()}
    if isinstance(value, list) and not isinstance(value, OpenList):
        return [_opened(item) for item in value]
    return value
