"""Rendering blocks as a page of HTML."""

import html
from collections.abc import Mapping, Sequence

from pipelex.content.render import markdown_to_html
from pipelex.errors.json import Json, as_array, as_object, exactly, maybe
from pipelex.pipes.effects.layout import Block, cell_text, rows_of

STYLE = """
@page { size: a4 portrait; margin: 2cm; }
body { font-family: Helvetica; font-size: 10pt; line-height: 1.35; }
h1 { font-size: 18pt; } h2 { font-size: 14pt; } h3 { font-size: 12pt; } h4, h5, h6 { font-size: 10.5pt; }
table { border: 0.5pt solid #999999; border-collapse: collapse; margin-bottom: 8pt; }
td, th { border: 0.5pt solid #999999; padding: 3pt; text-align: start; vertical-align: top; }
th { background-color: #eeeeee; font-weight: bold; }
pre { font-family: Courier; font-size: 8.5pt; white-space: pre-wrap; }
h1, h2, h3, h4, h5, h6 { break-after: avoid; } body { overflow-wrap: break-word; }
"""
_WIDTH = 480
"""The width between the margins of the page, in points."""


def page(blocks: Sequence[Block]) -> str:
    """The whole page of HTML for blocks."""
    body = "\n".join(_block(block) for block in blocks)
    return f'<html><head><meta charset="utf-8"/><style>{STYLE}</style></head><body>{body}</body></html>'


def _block(block: Block) -> str:
    match block["kind"]:
        case "heading":
            level = min(exactly(block["level"], int), 6)
            return f"<h{level}>{_escaped(block['text'])}</h{level}>"
        case "markdown":
            return markdown_to_html(exactly(block["text"], str))
        case "html":
            return str(block["text"])
        case "code":
            return f"<pre>{_escaped(block['text'])}</pre>"
        case "bullets":
            return "<ul>" + "".join(f"<li>{_escaped(item)}</li>" for item in as_array(block["items"])) + "</ul>"
        case "table":
            head = "".join(f"<th>{_escaped(column)}</th>" for column in as_array(block["columns"]))
            rows = "".join(f"<tr>{_cells(row)}</tr>" for row in rows_of(block))
            return f"<table><tr>{head}</tr>{rows}</table>"
        case "pairs":
            rows = "".join(f"<tr><th>{_escaped(label)}</th>{_cells([value])}</tr>" for label, value in rows_of(block))
            return f"<table>{rows}</table>"
        case "image":
            return _image(as_object(block["content"]))
        case _:
            return f"<p>{_escaped(block['text'])}</p>"


def _image(content: Mapping[str, Json]) -> str:
    width = min(maybe(content.get("width"), int) or _WIDTH, _WIDTH)
    caption = content.get("caption")
    below = f"<p><i>{_escaped(caption)}</i></p>" if caption else ""
    return f'<p><img src="{html.escape(str(content["url"]))}" width="{width}pt"/></p>{below}'


def _cells(row: Sequence[Json]) -> str:
    return "".join(f"<td>{_escaped(cell_text(value))}</td>" for value in row)


def _escaped(text: Json) -> str:
    return html.escape(str(text)).replace("\n", "<br/>")
