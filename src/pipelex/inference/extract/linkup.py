"""Linkup's web page reader. Source: https://docs.linkup.so/pages/documentation/endpoints/fetch (`POST /v1/fetch`)."""

from dataclasses import dataclass
from typing import ClassVar

from pipelex.content.stuff import Json
from pipelex.inference.calls.http import HttpCall
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.extract.provider import ExtractAsk, ExtractedPage, Keeper, SourceFile, incapable
from pipelex.inference.extract.usage import pages_usage
from pipelex.inference.members import tables, text, web_address

_ENDPOINT = "https://api.linkup.so/v1"


@dataclass(frozen=True)
class LinkupReader:
    """Reads a web page by its address. Linkup fetches the page, and this process never does."""

    call: ModelCall
    reads_by_address: ClassVar[bool] = True

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        """The page as Markdown; its images keep their web addresses. See `Extractor.extract`."""
        del keeper
        if wanted.views_dpi is not None:
            detail = f"the model {self.call.entry.handle!r} makes no views of web pages"
            raise incapable(self.call.entry.handle, "page_views", detail, "Leave out 'page_views'.")
        http = HttpCall.authorized(self.call)
        request: dict[str, Json] = {
            "url": source.url,
            "renderJs": wanted.render_js,
            "includeRawHtml": wanted.raw_html,
            "extractImages": wanted.room(0) != 0,
        }
        answer = await http.post(
            f"{http.endpoint(_ENDPOINT)}/fetch", request, lambda _: pages_usage(self.call.entry, wanted, 1)
        )
        page = answer.get("markdown")
        if not isinstance(page, str):
            raise http.garbled("no_markdown")
        images: list[dict[str, Json]] = []
        for item in tables(answer.get("images")):
            if address := web_address(item.get("url")):
                alt = text(item.get("alt"))
                images.append({"url": address, "caption": alt} if alt else {"url": address})
        raw = answer.get("rawHtml")
        raw_html = raw if wanted.raw_html and isinstance(raw, str) else None
        return [ExtractedPage(page, images[: wanted.room(0)], raw_html=raw_html)]
