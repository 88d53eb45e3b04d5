"""HTML as PDF with xhtml2pdf, which stands on ReportLab."""

import base64
import html
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from re import Match
from typing import Any, cast

from pipelex.inference.documents.service import SOURCES, content_failure
from pipelex.storage import Loaded

_ONE_PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def printed(text: str, picture: Callable[[str], Loaded | None], root: Path | None, folder: Path | None) -> bytes:
    """The page as PDF.

    Args:
        text: HTML. Nothing is fetched for it over the network.
        picture: the images it shows, by URL.
        root: the only folder it may read files of: fonts and images of a method.
        folder: where its relative paths start.

    Raises:
        PipelexError: it cannot be printed.
    """
    from reportlab import rl_config
    from xhtml2pdf import pisa
    from xhtml2pdf.config.resources import RenderLimitError, ResourceAccessPolicy

    def embedded(match: Match[str]) -> str:
        url = html.unescape(match[2] if match[2] is not None else match[3])
        found = picture(url)
        if found is None and (root is None or ":" in url):
            found_url = url if url.startswith("data:") else _ONE_PIXEL
        elif found is None:
            found_url = html.escape(url)
        else:
            found_url = f"data:{found.mime_type};base64,{base64.b64encode(found.data).decode()}"
        return f'{match[1]}"{found_url}"'

    def beside(uri: str, _: str | None) -> str:
        return uri if folder is None or ":" in uri else str(folder / uri)

    # Without the time of printing the same page gives the same bytes.
    rl_config.invariant = 1
    out = BytesIO()
    policy = ResourceAccessPolicy.server(root, allow_remote=False, max_render_seconds=300, max_document_bytes=None)
    try:
        result = cast("Any", pisa).CreatePDF(
            SOURCES.sub(embedded, text), dest=out, encoding="utf-8", resource_policy=policy, link_callback=beside
        )
    except RenderLimitError as error:
        raise content_failure(f"the page is too large to be printed: {error}") from None
    except Exception as error:  # whatever a page that nobody has proved makes the library raise
        raise content_failure(f"the page cannot be printed: {type(error).__name__}: {error}") from error
    if result.err:
        raise content_failure("the page cannot be printed: its HTML has errors")
    return out.getvalue()
