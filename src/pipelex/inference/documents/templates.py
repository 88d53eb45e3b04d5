"""Filling in template files: HTML, Word and PowerPoint files with Jinja2 in their text.

In a Word or PowerPoint file, tags may stand anywhere in a paragraph. `{%p … %}` replaces the paragraph around it, and
`{%tr … %}` the table row, so that a loop can repeat whole paragraphs and rows. Values are printed, filtered and limited
as in every other template of a method. `sheets` fills in Excel files.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile, ZipFile

from pipelex.errors.archives import OversizedArchive, check_archive
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.documents.apart import print_apart
from pipelex.inference.documents.archive import settled
from pipelex.inference.documents.provider import DocumentAsk, ReadPictures, content_failure
from pipelex.pipes.effects.requests import DocumentRequest
from pipelex.templating import ShapeTable, render

if TYPE_CHECKING:
    from lxml.etree import _Element

_PARTS: Final = {
    "docx": re.compile(r"word/(document|header\d*|footer\d*|footnotes|endnotes)\.xml"),
    "pptx": re.compile(r"ppt/(slides|notesSlides)/[^/]+\.xml"),
}
TAG: Final = re.compile(r"\{\{|\{%|\{#")
"""The beginning of a tag in a template."""
_WHOLE_TAG: Final = re.compile(r"\{%(p|tr)\s(.*?)%\}", re.DOTALL)
"""A tag that replaces the whole paragraph or row around it."""
_BLOCK: Final = re.compile(
    r"\{%(?:tr|p)?[-+]?\s*(end)?(for|if|macro|call|filter|with|autoescape|raw)\b.*?%\}", re.DOTALL
)
_BEGINS: Final = ("{{", "{%", "{#")
_ENDS: Final = ("}}", "%}", "#}")
_WRITTEN_TAG: Final = re.compile(r"(?:\{\{|\{%|\{#).*?(?:\}\}|%\}|#\})", re.DOTALL)
_SHOWN: Final = 60
"""The length to which the text of a cell is cut in messages."""
_QUOTES: Final = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})


def filled_html(request: DocumentRequest, template: bytes) -> str:
    """An HTML template, filled in with the values of the request."""
    return rendered(request, template.decode("utf-8-sig"), category="html", sigils=True)


@dataclass(frozen=True)
class TemplateEngine:
    """Fills in Word and PowerPoint files."""

    call: ModelCall

    async def print(self, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
        """See `DocumentEngine.print`."""
        return await print_apart("template", ask, pictures)


async def print_template(ask: DocumentAsk, pictures: ReadPictures) -> bytes:
    """A Word or PowerPoint template, filled in within this process."""
    return filled(ask, _filled_parts)


def filled(ask: DocumentAsk, fill: Callable[[DocumentRequest, bytes], bytes]) -> bytes:
    """An Office template, filled in with the values of the request.

    Args:
        ask: the document, with the template.
        fill: fills in a template of its format.

    Raises:
        PipelexError: the template is not a valid file of its format or is too large, or rendering it fails.
    """
    request, template = ask.request, ask.template or b""
    named = f"the template '{request.file.path if request.file is not None else ''}'"
    try:
        check_archive(template)
        return fill(request, template)
    except OversizedArchive as oversized:
        raise content_failure(f"{named} {oversized.what}") from None
    except (BadZipFile, EOFError, KeyError, zlib.error) as error:
        raise content_failure(f"{named} is not a valid {request.format} file: {error}") from None


def rendered(request: DocumentRequest, text: str, *, category: str, sigils: bool = False) -> str:
    """The text of a template, rendered with the values of the request."""
    shapes = ShapeTable.from_json(request.shapes)
    return render(text, request.inputs, concepts=shapes, category=category, sigils=sigils, strict=True).text


def check_cell(text: str, place: str) -> None:
    """Refuse a block that does not end in the cell in which it begins, because it would tear apart the cells in between.

    Args:
        text: the text of the cell.
        place: the cell, for the message.

    Raises:
        PipelexError: the cell has such a block.
    """
    depth = 0
    blocks = list(_BLOCK.finditer(up_to_last(text, "%}")))
    for tag in blocks:
        depth += -1 if tag[1] else 1
        if depth < 0:
            break
    if depth:
        shown = blocks[0]
        raise content_failure(
            f"{place} has {shown[0]}, which ends in another cell: to repeat or leave out rows, write"
            f" {{%tr {shown[2]} … %}} in a row of its own above them, and {{%tr end{shown[2]} %}} in a row of its own"
            " below them"
        )


def whole_tags(text: str) -> list[tuple[str, str]]:
    """The tags of a text that replace the whole paragraph or row around it: the kind and the body of each."""
    return _WHOLE_TAG.findall(up_to_last(text, "%}"))


def up_to_last(text: str, *ends: str) -> str:
    """The text up to the last of these ends of tags.

    Every tag that begins in it has an end. Behind it, looking for the end of each tag would take quadratic time.
    """
    return text[: max(text.rfind(end) + len(end) if end in text else 0 for end in ends)]


# --- Word and PowerPoint ----------------------------------------------------------------------------------------------


def _filled_parts(request: DocumentRequest, template: bytes) -> bytes:
    out = BytesIO()
    with ZipFile(BytesIO(template)) as given, ZipFile(out, "w") as taken:
        for entry in given.infolist():
            content = given.read(entry)
            if _PARTS[request.format].fullmatch(entry.filename):
                content = _filled_part(request, content)
            taken.writestr(entry.filename, content)
    return settled(out.getvalue())


def _filled_part(request: DocumentRequest, content: bytes) -> bytes:
    from lxml import etree

    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    for paragraph in list(_named(root, "p")):
        _gather(paragraph)
    for kind, name in (("tr", "tr"), ("p", "p")):
        for element in list(_named(root, name)):
            _replace(element, kind)
    for cell in _named(root, "tc"):
        inside = "".join(str(part) for part in cell.itertext())
        check_cell(inside, f"the table cell {' '.join(inside.split())[:_SHOWN]!r}")
    text = etree.tostring(root, encoding="unicode")
    if TAG.search(text) is None:
        return content
    # Serializing the XML has escaped the text of tags, too.
    tagged = up_to_last(text, *_ENDS)
    text = _WRITTEN_TAG.sub(_unescaped, tagged) + text[len(tagged) :]
    filled_text = rendered(request, text, category="html")
    try:
        found = etree.fromstring(filled_text.encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        detail = (
            "the template leaves its file broken: begin and end each loop in the same kind of place: {%tr for … %} and"
            " {%tr endfor %} in table rows of their own, {%p for … %} and {%p endfor %} in paragraphs of their own"
        )
        raise content_failure(f"{detail} ({error.msg})") from None
    _break_lines(found)
    return etree.tostring(found, xml_declaration=True, encoding="UTF-8", standalone=True)


def _named(root: "_Element", name: str) -> Iterator["_Element"]:
    for element in root.iter():
        if str(element.tag).rpartition("}")[2] == name:
            yield element


def _gather(paragraph: "_Element") -> None:
    """Move the text of a tag that Word has spread over several runs into the first of them."""
    texts = [element for element in _named(paragraph, "t") if _owner(element) is paragraph]
    pieces = [element.text or "" for element in texts]
    if TAG.search("".join(pieces)) is None:
        return
    elements = iter(texts)
    for group in tag_groups(piece.translate(_QUOTES) for piece in pieces):
        first, *others = [next(elements) for _ in group]
        first.text = "".join(group)
        for other in others:
            other.text = ""


def tag_groups(pieces: Iterable[str]) -> Iterator[list[str]]:
    """The pieces of a text in groups, so that no tag begins in one group and ends in another."""
    group: list[str] = []
    is_open, last = False, ""
    for piece in pieces:
        group.append(piece)
        seen = last + piece  # a mark may begin in one piece and end in the next
        begun, ended = _last(seen, _BEGINS), _last(seen, _ENDS)
        is_open = begun > ended if max(begun, ended) >= 0 else is_open
        last = seen[-1:]
        if not is_open and last != "{":
            yield group
            group, last = [], ""
    if group:
        yield group


def _last(text: str, marks: Sequence[str]) -> int:
    """The place of the last of some marks in a text; -1 if it has none."""
    return max(text.rfind(mark) for mark in marks)


def _owner(element: "_Element") -> "_Element | None":
    return next((above for above in element.iterancestors() if str(above.tag).rpartition("}")[2] == "p"), None)


def _replace(element: "_Element", kind: str) -> None:
    """Replace a paragraph or a row with the `{%p … %}` or `{%tr … %}` tags in it."""
    text = "".join(inner.text or "" for inner in _named(element, "t"))
    tags = [f"{{%{body}%}}" for found, body in whole_tags(text) if found == kind]
    parent = element.getparent()
    if not tags or parent is None:
        return
    tail = "".join(tags) + (element.tail or "")
    previous = element.getprevious()
    if previous is not None:
        previous.tail = (previous.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    element.tail = None
    parent.remove(element)


def _unescaped(match: re.Match[str]) -> str:
    return match[0].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


def _break_lines(root: "_Element") -> None:
    """Turn line breaks in values into Word's own breaks, and keep white space at the ends of texts."""
    from lxml import etree

    for element in list(_named(root, "t")):
        if "wordprocessingml" not in str(element.tag):
            continue
        element.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        lines = (element.text or "").split("\n")
        element.text = lines[0]
        place, namespace = element, str(element.tag).rpartition("}")[0] + "}"
        for line in lines[1:]:
            for name, text in (("br", None), ("t", line)):
                added = etree.Element(namespace + name)
                added.text = text
                place.addnext(added)
                place = added
