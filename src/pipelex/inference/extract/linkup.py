"""Linkup's reader of web pages. Source: https://docs.linkup.so/pages/documentation/endpoints/fetch (`POST /v1/fetch`)."""

from dataclasses import dataclass

from pipelex.content.stuff import Json
from pipelex.inference.calls.http import Provider, tables
from pipelex.inference.extract.source import Page, Wanted

_ENDPOINT = "https://api.linkup.so/v1"


@dataclass(frozen=True)
class LinkupReader:
    """Reads a web page by its address: the page is never fetched from here."""

    provider: Provider

    async def read(self, url: str, wanted: Wanted) -> Page:
        """The page as Markdown; its images keep their addresses on the network.

        Raises:
            PipelexError: the provider refused or failed.
        """
        request: dict[str, Json] = {
            "url": url,
            "renderJs": wanted.render_js,
            "includeRawHtml": wanted.raw_html,
            "extractImages": wanted.room(0) != 0,
        }
        endpoint = self.provider.endpoint(_ENDPOINT)
        answer = self.provider.read(await self.provider.send("POST", f"{endpoint}/fetch", json=request))
        text = answer.get("markdown")
        if not isinstance(text, str):
            raise self.provider.garbled("no_markdown")
        images: list[dict[str, Json]] = []
        for item in tables(answer.get("images")):
            if (address := item.get("url")) and str(address).startswith(("http://", "https://")):
                alt = item.get("alt")
                images.append({"url": address, "caption": alt} if alt else {"url": address})
        raw = answer.get("rawHtml")
        return Page(text, images[: wanted.room(0)], raw_html=raw if wanted.raw_html and isinstance(raw, str) else None)
