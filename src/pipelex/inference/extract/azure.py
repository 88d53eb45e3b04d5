"""Azure Document Intelligence.

Source: https://learn.microsoft.com/rest/api/aiservices/document-models/analyze-document (`2024-11-30`). Azure's SDK is
not used, because it follows redirects with the document, does not limit the size of a decoded answer, and retries on
its own.
"""

import asyncio
import base64
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.http import HttpCall
from pipelex.inference.calls.logical import current_ledger
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.extract.provider import ExtractAsk, ExtractedPage, Keeper, Picture, SourceFile
from pipelex.inference.extract.usage import pages_usage
from pipelex.inference.extract.views import page_views
from pipelex.inference.members import table, tables, text, whole
from pipelex.reading.pictures import measured

if TYPE_CHECKING:
    import httpx

_VERSION = "2024-11-30"
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 30.0
_FIGURE = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
"""The id of a figure, which becomes a part of an address."""


@dataclass(frozen=True)
class AzureExtractor:
    """Azure's layout model, for Markdown and figures with captions. It starts an analysis and polls until it ends."""

    call: ModelCall
    pause: float = 1.0
    """The pause between two polls, in seconds, unless the service asks for another."""
    reads_by_address: ClassVar[bool] = False

    @cached_property
    def http(self) -> HttpCall:
        """The HTTP client for the service."""
        key = self.call.backend.table.api_key
        return HttpCall(self.call, {"Ocp-Apim-Subscription-Key": key} if key else {})

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        """See `Extractor.extract`."""
        endpoint = self.http.endpoint()
        version = str(self.call.backend.extra.get("api_version") or _VERSION)
        shown = await page_views(source, wanted, keeper, self.call.entry.handle)  # what fails here costs nothing
        output = "&output=figures" if wanted.room(0) != 0 and source.kind in ("pdf", "image") else ""
        started = await self.http.send(
            "POST",
            f"{endpoint}/documentintelligence/documentModels/{self.call.entry.model_id}:analyze"
            f"?api-version={version}&outputContentFormat=markdown&stringIndexType=unicodeCodePoint{output}",
            json={"base64Source": base64.b64encode(source.data).decode("ascii")},
        )
        told = started.headers.get("operation-location")
        if not told:
            raise self.http.garbled("no_operation_location")
        address = self.http.same_host(told, endpoint)
        result = await self._finished(address, started)
        current_ledger().spend(pages_usage(self.call.entry, wanted, len(tables(result.get("pages")))))
        return await self._pages(result, address, wanted, keeper, shown)

    async def _finished(self, address: str, response: "httpx.Response") -> dict[str, Any]:
        async with asyncio.timeout(self.call.seconds) as limit:
            try:
                while True:
                    await asyncio.sleep(self._pause(response))
                    response = await self.http.send("GET", address)
                    answer = self.http.read(response)
                    status = str(answer.get("status", ""))
                    if status == "succeeded" and isinstance(answer.get("analyzeResult"), dict):
                        return answer["analyzeResult"]
                    if status not in ("notStarted", "running"):
                        raise self._failed(status, answer)
            except TimeoutError:
                if not limit.expired():
                    raise
        raise PipelexError(
            "provider.timeout",
            f"{self.call.backend.id!r} did not finish the analysis in {self.call.seconds:g} seconds",
            category=ErrorCategory.TRANSIENT,
            params={"provider": self.call.backend.id},
            provider=self.call.backend.id,
            model=self.call.entry.handle,
        )

    def _pause(self, response: "httpx.Response") -> float:
        try:
            told = float(response.headers["retry-after"])
        except (KeyError, ValueError):
            return self.pause
        return min(max(told, _SHORTEST_PAUSE), _LONGEST_PAUSE) if told >= 0 else self.pause

    def _failed(self, status: str, answer: dict[str, Any]) -> PipelexError:
        said = str(table(answer.get("error")).get("message", ""))[:200]
        if status != "failed":
            return self.http.garbled("unknown_status", said)
        return PipelexError(
            "provider.failed",
            f"{self.call.backend.id!r} could not analyse the document: {said or 'no reason given'}",
            category=ErrorCategory.CONTENT,
            params={"provider": self.call.backend.id, "status": status},
            provider=self.call.backend.id,
            model=self.call.entry.handle,
            advice="Check that the document opens in a viewer; if it does, ask the provider.",
        )

    async def _pages(
        self, result: dict[str, Any], address: str, wanted: ExtractAsk, keeper: Keeper, shown: list[dict[str, Json]]
    ) -> list[ExtractedPage]:
        content, found = result.get("content"), tables(result.get("pages"))
        if not found or not isinstance(content, str):
            raise self.http.garbled("no_pages")
        figures = tables(result.get("figures"))
        pages: list[ExtractedPage] = []
        taken = 0
        for index, page in enumerate(found):
            number = whole(page.get("pageNumber")) or index + 1
            written = "".join(self._part(content, span) for span in tables(page.get("spans"))).strip()
            here = [figure for figure in figures if _page_of(figure) == number]
            images = await self._figures(here, address, wanted, wanted.room(taken), keeper)
            pages.append(ExtractedPage(written, images, shown[index] if index < len(shown) else None))
            taken += len(images)
        return pages

    def _part(self, content: str, span: dict[str, Any]) -> str:
        start, length = whole(span.get("offset")), whole(span.get("length"))
        if start is None or length is None or start + length > len(content):
            raise self.http.garbled("span_outside_the_text")
        return content[start : start + length]

    async def _figures(
        self, figures: list[dict[str, Any]], address: str, wanted: ExtractAsk, room: int | None, keeper: Keeper
    ) -> list[dict[str, Json]]:
        images: list[dict[str, Json]] = []
        base, _, query = address.partition("?")
        for figure in figures:
            name = text(figure.get("id"))
            if name is None:
                continue
            if not _FIGURE.fullmatch(name):
                raise self.http.garbled("malformed_figure")
            if room is not None and len(images) >= room:
                break
            response = await self.http.send("GET", f"{base}/figures/{name}?{query}")
            picture = measured(response.content, "image/png")
            if picture is None:
                raise self.http.garbled("figure_unreadable")
            if not wanted.is_big_enough(picture.width, picture.height):
                continue
            caption = text(table(figure.get("caption")).get("content"))
            stem = f"figure-{name.replace('.', '-')}"
            named = Picture(picture.data, picture.mime_type, picture.width, picture.height, caption, stem)
            images.append(await keeper.image(named, stem))
        return images


def _page_of(figure: dict[str, Any]) -> int | None:
    regions = tables(figure.get("boundingRegions"))
    return regions[0].get("pageNumber") if regions else None
