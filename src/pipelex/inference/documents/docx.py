"""Printing blocks as a Word file with python-docx."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from pipelex.content.render import scalar_text
from pipelex.errors.json import Json, as_array, as_object, exactly
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.documents.apart import print_apart
from pipelex.inference.documents.archive import plain, settled
from pipelex.inference.documents.provider import DocumentAsk, Pictures, ReadPictures
from pipelex.pipes.effects.layout import Block, cell_text, rows_of

if TYPE_CHECKING:
    from docx.document import Document

_WIDEST_CM = 16.0


@dataclass(frozen=True)
class WordEngine:
    """Prints Word files from a layout."""

    call: ModelCall

    async def print(self, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
        """See `DocumentEngine.print`."""
        return await print_apart("word", ask, pictures)


async def print_word(ask: DocumentAsk, pictures: ReadPictures) -> bytes:
    """The Word file of a document, printed in this process."""
    blocks = ask.request.blocks
    return printed(blocks, await pictures(urls_of(blocks)))


def urls_of(blocks: Sequence[Block]) -> list[str]:
    """The addresses of the images in blocks."""
    return [str(as_object(block["content"]).get("url", "")) for block in blocks if block["kind"] == "image"]


def printed(blocks: Sequence[Block], pictures: Pictures) -> bytes:
    """The blocks as a Word file.

    Args:
        blocks: the blocks to print.
        pictures: the images in the blocks, by URL.
    """
    from docx import Document as new_document

    document = new_document()
    for block in blocks:
        _add(document, block, pictures)
    out = BytesIO()
    document.save(out)
    return settled(out.getvalue())


def _add(document: "Document", block: Block, pictures: Pictures) -> None:
    match block["kind"]:
        case "heading":
            document.add_heading(plain(block["text"]), level=min(exactly(block["level"], int), 9))
        case "bullets":
            for item in as_array(block["items"]):
                document.add_paragraph(plain(item), style="List Bullet")
        case "table":
            _add_table(document, [as_array(block["columns"]), *rows_of(block)], is_headed=True)
        case "pairs":
            _add_table(document, rows_of(block), is_headed=False)
        case "image":
            _add_image(document, as_object(block["content"]), pictures)
        case "code":
            document.add_paragraph(plain(block["text"]), style="No Spacing")
        case "markdown" | "html":
            for text, style in readable(exactly(block["kind"], str), exactly(block["text"], str)):
                document.add_paragraph(plain(text), style=style)
        case _:
            document.add_paragraph(plain(block["text"]))


def _add_table(document: "Document", rows: Sequence[Sequence[Json]], *, is_headed: bool) -> None:
    if not rows or not rows[0]:
        return
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    cells = table._cells  # looked up once, because asking row by row takes quadratic time
    width = len(rows[0])
    for index, row in enumerate(rows):
        for column, value in enumerate(row):
            paragraph = cells[index * width + column].paragraphs[0]
            run = paragraph.add_run(plain(cell_text(value)))
            run.bold = (is_headed and index == 0) or (not is_headed and column == 0)


def _add_image(document: "Document", content: Mapping[str, Json], pictures: Pictures) -> None:
    from docx.shared import Cm

    found = pictures.get(str(content["url"]))
    if found is not None:
        data, width = embeddable(found.data)
        document.add_picture(data, width=Cm(min(width / 96 * 2.54, _WIDEST_CM)))
    caption = content.get("caption")
    if caption:
        document.add_paragraph(plain(caption), style="Caption")


def embeddable(data: bytes) -> tuple[BytesIO, int]:
    """An image in a format that Office files support, and its width in pixels."""
    from PIL import Image

    image = Image.open(BytesIO(data))
    if image.format in ("PNG", "JPEG", "GIF", "BMP", "TIFF"):
        return BytesIO(data), image.width
    converted = BytesIO()
    image.convert("RGBA").save(converted, "PNG")
    converted.seek(0)
    return converted, image.width


def readable(kind: str, text: str) -> list[tuple[str, str | None]]:
    """The paragraphs of Markdown or HTML as plain text, each with its Word style; None is the default style."""
    from lxml import html as lxml_html

    from pipelex.content.render import markdown_to_html

    source = markdown_to_html(text) if kind == "markdown" else text
    if not source.strip():
        return []
    styles = {"li": "List Bullet", **{f"h{level}": f"Heading {level}" for level in range(1, 7)}}
    found: list[tuple[str, str | None]] = []
    root = lxml_html.fragment_fromstring(source, create_parent="div")
    blocks = {"p", "li", "pre", "tr", "blockquote", "div", *styles}
    for element in root.iter():
        if element.tag not in blocks or any(inner.tag in blocks for inner in element.iterdescendants()):
            continue
        words = [scalar_text(part) for part in element.itertext()]
        written = " ".join(words) if element.tag == "tr" else "".join(words)
        if written.strip():
            found.append((written.strip(), styles.get(str(element.tag))))
    if not found and (bare := "".join(root.itertext()).strip()):
        found.append((bare, None))
    return found
