"""Renders contents as text for people and prompts: plain, Markdown, HTML or JSON.

Source: MTHDS 8.0.0, sections 9.2 and 9.5 of the language reference.
"""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast

from pipelex.content.structure import AnyShape, DictShape, ListShape, ObjectShape, ScalarShape, Shape, open_parts
from pipelex.content.stuff import Json

TextFormat = Literal["plain", "markdown", "html", "json"]

Attach: TypeAlias = Callable[[str, Mapping[str, Json]], str | None]
"""Called with the native code (`Image`, `Document`) and the content of a file inside a value. Returns the token that
stands for the file, or None to have it described in words."""

_INDENT: Final = 2
_DEEPEST: Final = 250
_SINGLE_LINE: Final = 200
"""The maximum length of a list item that is written on the line of its number, in characters."""


def render_content(
    shape: Shape,
    content: Json,
    *,
    text_format: TextFormat = "plain",
    attach: Attach | None = None,
) -> str:
    """The text of a content.

    Args:
        shape: the content's shape; for a list, a `ListShape`.
        content: plain JSON that fits the shape; for a list, the bare array.
        text_format: `plain` and `markdown` write a structure as one heading per field with the value beneath; `html`
            writes sections; `json` writes its JSON.
        attach: returns the tokens that stand for images and documents; None to describe them in words.

    Returns:
        Text without a line break at its end.
    """
    if text_format == "json":
        return json_text(content)
    writer = (
        _HtmlWriter(attach) if text_format == "html" else _TextWriter(attach, is_markdown=text_format == "markdown")
    )
    return writer.write(shape, content, 1)


def json_text(content: Json) -> str:
    """JSON for people: indented, and without escapes for characters beyond ASCII."""
    return json.dumps(content, ensure_ascii=False, indent=_INDENT)


def scalar_text(value: Json) -> str:
    """A simple value as text; a whole number has no decimals."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def bare_text(native: str | None, content: Mapping[str, Json]) -> str | None:
    """The text of a native concept that prints as one simple value; None for any other content."""
    if native in ("Text", "Markdown"):
        return scalar_text(content.get("text"))
    if native == "Number":
        return scalar_text(content.get("number"))
    if native == "YesNo":
        return "yes" if content.get("yes_no") else "no"
    if native == "Choice":
        return scalar_text(content.get("choice"))
    if native == "Rating":
        return scalar_text(content.get("label") or content.get("level"))
    if native in ("Date", "Time"):
        return " ".join(scalar_text(content[name]) for name in ("date", "time") if content.get(name) is not None)
    return None


def describe_file(native: str, content: Mapping[str, Json]) -> str:
    """An image or document in words: its caption, title or name, and its URL unless that is a `data:` URL."""
    named = content.get("caption") or content.get("title") or content.get("filename")
    url = _url(content)
    place = "" if url.startswith("data:") else url
    words = " ".join(scalar_text(part) for part in (named, f"({place})" if named and place else place) if part)
    return f"{native}: {words}" if words else native


def _inferred(value: Json) -> Json:
    """The plain value of a content whose concept is unknown, if its only member is `text` or `number`."""
    if not isinstance(value, Mapping):
        return value
    members = cast("Mapping[str, Json]", value)
    name, only = next(iter(members.items())) if len(members) == 1 else ("", None)
    return only if name in ("text", "number") else members


def _url(content: Mapping[str, Json]) -> str:
    return scalar_text(content.get("public_url") or content.get("url"))


def _address(content: Mapping[str, Json]) -> str:
    """A file's URL; empty if it is of a kind that a browser would run."""
    url = _url(content)
    return "" if url.strip().lower().startswith(("javascript:", "vbscript:")) else url


class _ContentWriter:
    def __init__(self, attach: Attach | None) -> None:
        self._attach = attach

    def write(self, shape: Shape, value: Json, depth: int) -> str:
        if value is None:
            return ""
        if depth > _DEEPEST:
            return self.scalar("…")
        if isinstance(shape, ObjectShape) and isinstance(value, Mapping):
            return self._object(shape, cast("Mapping[str, Json]", value), depth)
        if not isinstance(shape, ObjectShape):
            value = _inferred(open_parts(shape, value))
        if isinstance(value, Mapping):
            values = shape.values if isinstance(shape, DictShape) else AnyShape()
            members = cast("Mapping[str, Json]", value)
            return self.parts(
                [(str(name), self.write(values, item, depth + 1)) for name, item in members.items()], depth
            )
        if isinstance(value, list | tuple):
            items_shape = shape.items if isinstance(shape, ListShape) else AnyShape()
            items = cast("Sequence[Json]", value)
            written = [self.write(items_shape, item, depth + 1) for item in items]
            is_files = isinstance(items_shape, ObjectShape) and items_shape.native in ("Image", "Document")
            return self.files(written) if is_files else self.ranked(written)
        return self.scalar(str(value) if isinstance(shape, ScalarShape) else scalar_text(value))

    def _object(self, shape: ObjectShape, content: Mapping[str, Json], depth: int) -> str:
        native = shape.native
        if native in ("Image", "Document"):
            token = self._attach(native, content) if self._attach is not None else None
            return self.file(native, content) if token is None else self.scalar(token)
        if native == "Html":
            return self.markup(content)
        if native == "JSON":
            return self.json(content.get("json_obj"))
        if native in ("TextAndImages", "Page"):
            return self._page(shape, content, depth)
        bare = bare_text(native, content)
        if bare is not None:
            return self.markdown(bare) if native == "Markdown" else self.scalar(bare)
        shown = [field for field in shape.fields if content.get(field.name) is not None]
        return self.parts(
            [(field.name, self.write(field.shape, content[field.name], depth + 1)) for field in shown], depth
        )

    def _page(self, shape: ObjectShape, content: Mapping[str, Json], depth: int) -> str:
        """The text, then the images. The raw HTML is left out, because it would only repeat the text."""
        shown = [field for field in shape.fields if field.name != "raw_html" and content.get(field.name) is not None]
        return self.blocks([self.write(field.shape, content[field.name], depth + 1) for field in shown])

    def scalar(self, text: str) -> str:
        raise NotImplementedError

    def markdown(self, text: str) -> str:
        raise NotImplementedError

    def json(self, value: Json) -> str:
        raise NotImplementedError

    def markup(self, content: Mapping[str, Json]) -> str:
        raise NotImplementedError

    def file(self, native: str, content: Mapping[str, Json]) -> str:
        raise NotImplementedError

    def files(self, written: list[str]) -> str:
        raise NotImplementedError

    def ranked(self, written: list[str]) -> str:
        raise NotImplementedError

    def blocks(self, written: list[str]) -> str:
        raise NotImplementedError

    def parts(self, parts: list[tuple[str, str]], depth: int) -> str:
        raise NotImplementedError


class _TextWriter(_ContentWriter):
    def __init__(self, attach: Attach | None, *, is_markdown: bool) -> None:
        super().__init__(attach)
        self._is_markdown = is_markdown

    def scalar(self, text: str) -> str:
        return text

    def markdown(self, text: str) -> str:
        return text

    def json(self, value: Json) -> str:
        return f"```json\n{json_text(value)}\n```" if self._is_markdown else json_text(value)

    def markup(self, content: Mapping[str, Json]) -> str:
        return scalar_text(content.get("inner_html"))

    def file(self, native: str, content: Mapping[str, Json]) -> str:
        url = _url(content)
        if self._is_markdown and url and not url.startswith("data:"):
            named = content.get("caption") or content.get("title") or content.get("filename") or native
            return f"{'!' if native == 'Image' else ''}[{named}]({url})"
        return describe_file(native, content)

    def files(self, written: list[str]) -> str:
        return "\n".join(written)

    def ranked(self, written: list[str]) -> str:
        is_short = all("\n" not in item and len(item) <= _SINGLE_LINE for item in written)
        if is_short:
            return "\n".join(f"{rank}. {item}" for rank, item in enumerate(written, 1))
        return "\n\n".join(f"{rank}.\n{item}" for rank, item in enumerate(written, 1))

    def blocks(self, written: list[str]) -> str:
        return "\n\n".join(item for item in written if item)

    def parts(self, parts: list[tuple[str, str]], depth: int) -> str:
        mark = "#" * min(depth, 6)
        return "\n\n".join(f"{mark} {name}\n{text}" for name, text in parts)


class _HtmlWriter(_ContentWriter):
    def scalar(self, text: str) -> str:
        return html.escape(text)

    def markdown(self, text: str) -> str:
        return markdown_to_html(text)

    def json(self, value: Json) -> str:
        return f"<pre>{html.escape(json_text(value))}</pre>"

    def markup(self, content: Mapping[str, Json]) -> str:
        inner = scalar_text(content.get("inner_html"))
        css_class = scalar_text(content.get("css_class"))
        return f'<div class="{html.escape(css_class)}">{inner}</div>' if css_class else inner

    def file(self, native: str, content: Mapping[str, Json]) -> str:
        url = html.escape(_address(content))
        named = html.escape(str(content.get("caption") or content.get("title") or content.get("filename") or ""))
        return f'<img src="{url}" alt="{named}">' if native == "Image" else f'<a href="{url}">{named or native}</a>'

    def files(self, written: list[str]) -> str:
        return "\n".join(written)

    def ranked(self, written: list[str]) -> str:
        return "<ol>\n" + "".join(f"<li>{item}</li>\n" for item in written) + "</ol>"

    def blocks(self, written: list[str]) -> str:
        return "\n".join(f"<div>{item}</div>" for item in written if item)

    def parts(self, parts: list[tuple[str, str]], depth: int) -> str:
        level = min(depth + 1, 6)
        return "\n".join(
            f"<section><h{level}>{html.escape(name)}</h{level}>\n<div>{text}</div></section>" for name, text in parts
        )


def markdown_to_html(text: str) -> str:
    """The HTML of a Markdown text (CommonMark with tables). HTML inside the text is escaped."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table").render(text).strip()
