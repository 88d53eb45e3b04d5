"""Lays out a value as a sequence of plain blocks, from which any document engine can print it.

The layout follows the shapes of the concepts, so every engine and every format shows the same things in the same order.
A block is plain JSON with a `kind`:

- `heading`: `text`, `level` from 1, and `sheet` when it begins an input
- `paragraph`, `markdown`, `html`, `code`: `text`
- `bullets`: `items`, texts
- `table`: `columns`, texts; `rows`, arrays of texts, numbers, booleans and nulls
- `pairs`: `rows`, arrays of a label and a value
- `image`: `content`, that of an Image
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from pipelex.content.render import bare_text, describe_file, json_text, scalar_text
from pipelex.content.structure import AnyShape, DictShape, ListShape, ObjectShape, Shape, open_parts
from pipelex.content.stuff import Stuff
from pipelex.errors.json import Json, as_array, as_object, as_objects
from pipelex.library import Library

Block: TypeAlias = dict[str, Json]
"""One part of a layout: its `kind`, and the members of that kind."""

_DEEPEST = 40
_BARE = frozenset({"Text", "Number", "YesNo", "Choice", "Rating", "Date", "Time"})
"""Native concepts that print as one simple value."""


def laid_out(library: Library, name: str, value: Stuff) -> list[Block]:
    """The blocks of an input, its heading first.

    Args:
        library: the library that has the value's concept.
        name: the input's name.
        value: the value.
    """
    shape = library.shape(value.concept)
    heading: Block = {"kind": "heading", "text": humanised(name), "level": 1, "sheet": True}
    if value.is_list:
        return [heading, *_blocks(ListShape(shape), value.items, 2)]
    return [heading, *_blocks(shape, value.content, 2)]


def rows_of(block: Block) -> list[Sequence[Json]]:
    """The rows of a block of kind `table` or `pairs`."""
    return [as_array(row) for row in as_array(block["rows"])]


def cell_text(value: Json) -> str:
    """The text of a simple value; a boolean is yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return scalar_text(value)


def humanised(name: str) -> str:
    """`berth_notes` → `Berth notes`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _blocks(shape: Shape, value: Json, level: int) -> Iterator[Block]:
    if value is None:
        return
    if level > _DEEPEST:
        yield {"kind": "code", "text": json_text(value)}
    elif isinstance(shape, ObjectShape) and isinstance(value, Mapping):
        yield from _object(shape, cast("Mapping[str, Json]", value), level)
    elif isinstance(value, list):
        items = shape.items if isinstance(shape, ListShape) else AnyShape()
        yield from _list(items, value, level)
    elif isinstance(value, Mapping):
        yield from _free(shape, cast("Mapping[str, Json]", value), level)
    else:
        yield from _paragraphs(cell_text(value))


def _object(shape: ObjectShape, content: Mapping[str, Json], level: int) -> Iterator[Block]:
    match shape.native:
        case "Markdown":
            yield {"kind": "markdown", "text": content.get("text") or ""}
        case "Html":
            yield {"kind": "html", "text": content.get("inner_html") or ""}
        case "Image":
            yield {"kind": "image", "content": dict(content)}
        case "Document":
            yield {"kind": "paragraph", "text": describe_file("Document", content)}
        case "JSON":
            yield {"kind": "code", "text": json_text(content.get("json_obj"))}
        case "Page" | "TextAndImages":
            for field in shape.fields:
                if field.name not in ("raw_html", "page_view"):
                    yield from _blocks(field.shape, content.get(field.name), level)
        case "SearchResult":
            yield from _paragraphs(scalar_text(content.get("answer")))
            sources = as_objects(content.get("sources", []))
            yield {"kind": "bullets", "items": [describe_file("Document", one) for one in sources]}
        case native if native in _BARE:
            yield from _paragraphs(bare_text(native, content) or "")
        case _:
            yield from _fields([(field.name, field.shape) for field in shape.fields], content, level)


def _free(shape: Shape, content: Mapping[str, Json], level: int) -> Iterator[Block]:
    values = shape.values if isinstance(shape, DictShape) else AnyShape()
    content = as_object(open_parts(shape, content))
    yield from _fields([(str(name), values) for name in content], content, level)


def _fields(fields: Sequence[tuple[str, Shape]], content: Mapping[str, Json], level: int) -> Iterator[Block]:
    """Simple values as pairs of label and value, then each other field under its own heading."""
    pairs: list[list[Json]] = []
    others: list[tuple[str, Shape]] = []
    for name, shape in fields:
        if content.get(name) is None:
            continue
        cell = _cell(shape, content[name])
        if cell is _NOT_SIMPLE or (isinstance(cell, str) and "\n" in cell):
            others.append((name, shape))
        else:
            pairs.append([humanised(name), cell])
    if pairs:
        yield {"kind": "pairs", "rows": pairs}
    for name, shape in others:
        yield {"kind": "heading", "text": humanised(name), "level": level}
        yield from _blocks(shape, content[name], level + 1)


def _list(shape: Shape, items: Sequence[Json], level: int) -> Iterator[Block]:
    if not items:
        return
    cells = [_cell(shape, item) for item in items]
    if all(cell is not _NOT_SIMPLE for cell in cells):
        yield {"kind": "bullets", "items": [cell_text(cell) for cell in cells]}
        return
    rows = _rows(shape, items)
    if rows is not None:
        yield rows
        return
    is_media = isinstance(shape, ObjectShape) and shape.native in ("Image", "Document")
    for rank, item in enumerate(items, 1):
        if not is_media:
            yield {"kind": "heading", "text": str(rank), "level": level}
        yield from _blocks(shape, item, level + 1)


def _rows(shape: Shape, items: Sequence[Json]) -> Block | None:
    """A table of the items if every item is an object of simple values; None otherwise."""
    if not isinstance(shape, ObjectShape) or shape.native is not None:
        return None
    objects = [as_object(item) for item in items]
    fields = [field for field in shape.fields if any(item.get(field.name) is not None for item in objects)]
    rows = [[_cell(field.shape, item.get(field.name)) for field in fields] for item in objects]
    if any(cell is _NOT_SIMPLE for row in rows for cell in row):
        return None
    return {"kind": "table", "columns": [humanised(field.name) for field in fields], "rows": rows}


class _NotSimple:
    pass


_NOT_SIMPLE: Any = _NotSimple()


def _cell(shape: Shape, value: Json) -> Json:
    """A value as the content of a table cell; numbers and booleans stay as they are.

    `_NOT_SIMPLE` if it does not fit.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if not isinstance(shape, ObjectShape) or not isinstance(value, Mapping) or shape.native not in _BARE:
        return _NOT_SIMPLE
    content = cast("Mapping[str, Json]", value)
    if shape.native == "Number":
        return content.get("number")
    return content.get("yes_no") if shape.native == "YesNo" else bare_text(shape.native, content)


def _paragraphs(text: str) -> Iterator[Block]:
    for part in text.replace("\r\n", "\n").split("\n\n"):
        if part.strip():
            yield {"kind": "paragraph", "text": part.strip("\n")}
