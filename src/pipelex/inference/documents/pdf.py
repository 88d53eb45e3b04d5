"""Printing HTML as PDF, with PlutoPrint where it has a wheel, else with xhtml2pdf, which is built on ReportLab."""

import base64
import html
import re
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from re import Match
from typing import Any, Final, cast

from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.documents.apart import print_apart
from pipelex.inference.documents.html import page
from pipelex.inference.documents.letters import with_fonts
from pipelex.inference.documents.paged.files import PageFiles
from pipelex.inference.documents.paged.printer import printed_pages
from pipelex.inference.documents.provider import DocumentAsk, Pictures, ReadPictures, content_failure
from pipelex.inference.documents.templates import filled_html
from pipelex.storage import Loaded

_ONE_PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


_SOURCES: Final = re.compile(r"""(<img\b[^>]*?\bsrc\s*=\s*)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class PdfEngine:
    """Prints PDF files from a layout, from HTML, and from an HTML template."""

    call: ModelCall

    async def print(self, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
        """See `DocumentEngine.print`."""
        return await print_apart("pdf", ask, pictures)


async def print_pdf(ask: DocumentAsk, pictures: ReadPictures) -> bytes:
    """The PDF file of a document, printed in this process. The library's fonts and settings are global to it."""
    text = _page_of(ask)
    found = await pictures([html.unescape(double or single) for _, double, single in _SOURCES.findall(text)])
    return printed(text, found, ask.root, ask.folder)


def _page_of(ask: DocumentAsk) -> str:
    if ask.request.source == "layout":
        return page(ask.request.blocks)
    return ask.request.html or "" if ask.template is None else filled_html(ask.request, ask.template)


def printed(text: str, pictures: Pictures, root: Path | None, folder: Path | None) -> bytes:
    """The PDF file of a page.

    Args:
        text: the page, as HTML. Nothing is fetched for it over the network.
        pictures: the images that it shows, by URL.
        root: the method's folder, the only one from which it may read files, such as fonts and images.
        folder: the folder that its relative paths start from.

    Raises:
        PipelexError: the page cannot be printed, or it shows a file of the method's folder that does not exist.
    """
    if find_spec("plutoprint") is None:
        return _printed_simply(text, pictures, root, folder)
    files = PageFiles(pictures, root, folder)
    data = printed_pages(text, files)
    files.check()
    return data


def _read(files: PageFiles, url: str) -> Loaded | None:
    """A picture of the page; None for a file in the method's folder, and for what cannot be read."""
    try:
        found = files(url)
    except OSError:
        return None
    return found if url in files.pictures else None


def _printed_simply(text: str, pictures: Pictures, root: Path | None, folder: Path | None) -> bytes:
    """The PDF file of a page, on machines for which PlutoPrint has no wheel."""
    from reportlab import rl_config
    from xhtml2pdf import pisa
    from xhtml2pdf.config.resources import RenderLimitError, ResourceAccessPolicy

    files = PageFiles(pictures, root, folder)

    def embedded(match: Match[str]) -> str:
        url = html.unescape(match[2] if match[2] is not None else match[3])
        found = None if url.startswith("data:") else _read(files, url)
        if found is None and (root is None or ":" in url):
            found_url = url if url.startswith("data:") else _ONE_PIXEL
        elif found is None:
            found_url = html.escape(url)
        else:
            found_url = f"data:{found.mime_type};base64,{base64.b64encode(found.data).decode()}"
        return f'{match[1]}"{found_url}"'

    def beside(uri: str, _: str | None) -> str:
        return uri if folder is None or ":" in uri else str(folder / uri)

    # Without the time of printing, the same page produces the same bytes.
    rl_config.invariant = 1
    out = BytesIO()
    policy = ResourceAccessPolicy.server(root, allow_remote=False, max_render_seconds=300, max_document_bytes=None)
    lettered = with_fonts(text)
    try:
        result = cast("Any", pisa).CreatePDF(
            _SOURCES.sub(embedded, lettered), dest=out, encoding="utf-8", resource_policy=policy, link_callback=beside
        )
    except RenderLimitError as error:
        raise content_failure(f"the page is too large to be printed: {error}") from None
    except Exception as error:  # an unchecked page may make the library raise anything
        raise content_failure(f"the page cannot be printed: {type(error).__name__}: {error}") from error
    if result.err:
        raise content_failure("the page cannot be printed: its HTML has errors")
    files.check()
    return out.getvalue()
