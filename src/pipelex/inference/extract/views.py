"""Views of pages, for extractors that return none themselves."""

from contextlib import aclosing

from pipelex.content.stuff import Json
from pipelex.inference.extract.processes import read_pages
from pipelex.inference.extract.provider import ExtractAsk, Keeper, SourceFile, incapable


async def page_views(
    source: SourceFile, wanted: ExtractAsk, keeper: Keeper, model: str = "page views"
) -> list[dict[str, Json]]:
    """The views of a document's pages, rendered on this machine; empty if none are requested.

    Raises:
        PipelexError: views are requested of a file that is neither a PDF nor an image, or that cannot be read.
    """
    if wanted.views_dpi is None:
        return []
    if source.kind not in ("pdf", "image"):
        raise incapable(
            model,
            "page_views",
            f"views can be made of PDFs and images, not of {source.kind} files",
            "Give the document as a PDF, or leave out 'page_views'.",
        )
    views: list[dict[str, Json]] = []
    only = ExtractAsk(max_page_images=0, views_dpi=wanted.views_dpi)
    async with aclosing(read_pages(source, only, keeper.limits)) as pages:
        async for page in pages:
            if page.view is not None:
                views.append(await keeper.image(page.view, f"page-{len(views) + 1}"))
    return views
