"""Views of pages for extractors that give none themselves."""

import asyncio

from pipelex.content.stuff import Json
from pipelex.inference.extract.pdf import views_of
from pipelex.inference.extract.pictures import opened, picture_of
from pipelex.inference.extract.provider import ExtractAsk, Keeper, Picture, SourceFile, incapable


async def page_views(
    source: SourceFile, wanted: ExtractAsk, keeper: Keeper, model: str = "page views"
) -> list[dict[str, Json]]:
    """Views of the pages, made here: providers give none.

    Raises:
        PipelexError: views are asked for, of a file that cannot be shown here.
    """
    if wanted.views_dpi is None:
        return []
    if source.kind == "pdf":
        return await views_of(source, wanted.views_dpi, keeper)
    if source.kind == "image":
        return [await keeper.image(await asyncio.to_thread(_picture, source), "page-1")]
    raise incapable(
        model,
        "page_views",
        f"views can be made of PDFs and images, not of {source.kind} files",
        "Give the document as a PDF, or leave out 'page_views'.",
    )


def _picture(source: SourceFile) -> Picture:
    return picture_of(opened(source))
