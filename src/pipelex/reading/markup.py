"""Text files: HTML, Markdown, CSV, subtitles, mail. HTML becomes Markdown by `markdownify`.

markitdown uses it, too, but it returns mail as its source, and reads only commas as delimiters of CSV.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from pipelex.errors.json import Json
from pipelex.reading.source import SourceFile, unreadable

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_UNSEEN = ("script", "style", "noscript", "template", "iframe", "object", "svg", "canvas", "link", "meta")
_MAX_FIELD = 10_000_000
_SNIFFED_CHARS = 20_000


@dataclass(frozen=True)
class Converted:
    """A file as Markdown."""

    text: str
    image_urls: Sequence[dict[str, Json]] = ()
    """The contents of images whose bytes are not in the store: their URL is on the network, or a `data:` URL."""
    raw_html: str | None = None


def convert_text(source: SourceFile) -> Converted:
    """A text file as Markdown.

    Raises:
        InputError: the file cannot be read.
    """
    match source.kind:
        case "html":
            return html_to_markdown(source.data, source)
        case "csv":
            return Converted(csv_to_markdown(decoded(source.data)))
        case "eml":
            return _mail(source)
        case _:
            return Converted(decoded(source.data).strip())


def decoded(data: bytes) -> str:
    """Bytes as text, decoded by their byte order mark, as UTF-8, or else as Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def html_to_markdown(html: bytes | str, source: SourceFile) -> Converted:
    """HTML as Markdown, with links and image addresses made absolute.

    Raises:
        InputError: its elements are nested too deeply.
    """
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    try:
        soup = BeautifulSoup(html, "html.parser")
        raw = str(soup)
        images = _images(soup, source.base_url)
        for tag in soup.find_all(_UNSEEN):
            tag.decompose()
        body = soup.body or soup
        for cell in body.find_all(("td", "th")):
            for inner in cell.find_all(string=True):
                if "|" in inner:
                    inner.replace_with(inner.replace("|", "\\|"))
        writer = MarkdownConverter(heading_style="ATX", bullets="-", escape_misc=False, table_infer_header=True)
        text = writer.convert_soup(body)
    except RecursionError:
        raise unreadable(source, "nesting", "its elements are nested too deeply") from None
    return Converted(spaced(text), images, raw)


def spaced(text: str) -> str:
    """The text with at most one blank line in a row."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip()


def _images(soup: "BeautifulSoup", base_url: str | None) -> list[dict[str, Json]]:
    base = soup.find("base", href=True)
    start = urljoin(base_url or "", str(base["href"])) if base is not None else base_url or ""
    for link in soup.find_all("a", href=True):
        if start:
            link["href"] = _joined(start, str(link["href"]))
    found: dict[str, dict[str, Json]] = {}
    for image in soup.find_all("img", src=True):
        url = _joined(start, str(image["src"]).strip())
        scheme = urlsplit(url).scheme.lower() if url[:5].lower() != "data:" else "data"
        if scheme == "data":
            image["src"] = f"image-{len(found) + 1}"
        elif scheme in ("http", "https"):
            image["src"] = url
        else:
            continue
        content: dict[str, Json] = {"url": url}
        if alt := str(image.get("alt") or "").strip():
            content["caption"] = alt
        found.setdefault(url, content)
    return list(found.values())


def _joined(start: str, link: str) -> str:
    try:
        return urljoin(start, link)
    except ValueError:
        return link


def csv_to_markdown(text: str) -> str:
    """Rows as a Markdown table with the first row as its head; the delimiter is guessed."""
    sample = text[:_SNIFFED_CHARS]
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(sample, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(_MAX_FIELD)
    try:
        return markdown_table(csv.reader(StringIO(text, newline=""), dialect))
    except csv.Error:
        return text.strip()


def markdown_table(rows: Iterable[Sequence[object]]) -> str:
    """Rows as a Markdown table; short rows are padded, and empty ones are left out."""
    cells = [["" if value is None else _cell(str(value)) for value in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        return ""
    width = max(len(row) for row in cells)
    head, *rest = [[*row, *[""] * (width - len(row))] for row in cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * width, *rest])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _mail(source: SourceFile) -> Converted:
    from email import message_from_bytes, policy

    message = message_from_bytes(source.data, policy=policy.default)
    heads = [f"{name}: {message[name]}" for name in ("From", "To", "Cc", "Date", "Subject") if message[name]]
    body = message.get_body(("plain", "html"))
    text = ""
    images: Sequence[dict[str, Json]] = ()
    if body is not None:
        content = body.get_content()
        shown = content if isinstance(content, str) else decoded(bytes(content))
        if body.get_content_type() == "text/html":
            converted = html_to_markdown(shown, source)
            text, images = converted.text, converted.image_urls
        else:
            text = shown.strip()
    names = [name for part in message.iter_attachments() if (name := part.get_filename())]
    attached = [f"Attachments: {', '.join(names)}"] if names else []
    return Converted("\n".join([*heads, *attached]) + f"\n\n{text}", images)
