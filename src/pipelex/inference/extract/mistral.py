"""Mistral OCR. Source: https://docs.mistral.ai/api/endpoint/ocr (`POST /v1/ocr`).

Mistral's SDK is not used, because it follows redirects with the document and does not limit the size of a decoded
answer.
"""

import base64
import json
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

from pipelex.content.stuff import Json
from pipelex.errors import InputError
from pipelex.inference.calls.http import HttpCall
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.extract.provider import ExtractAsk, ExtractedPage, Keeper, Picture, SourceFile, relinked
from pipelex.inference.extract.usage import pages_usage
from pipelex.inference.extract.views import page_views
from pipelex.inference.members import table, tables, text, whole
from pipelex.pipes.models import ModelUsage
from pipelex.reading.pictures import measured
from pipelex.storage import FetchPolicy, load

_ENDPOINT = "https://api.mistral.ai/v1"
_CAPTION_FORMAT: dict[str, Json] = {
    "type": "json_schema",
    "json_schema": {
        "name": "caption",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"caption": {"type": "string", "description": "What the image shows, in one sentence"}},
            "required": ["caption"],
            "additionalProperties": False,
        },
    },
}


@dataclass(frozen=True)
class MistralExtractor:
    """Mistral's OCR models, which return Markdown, the images on the pages, and captions."""

    call: ModelCall
    reads_by_address: ClassVar[bool] = False

    @cached_property
    def http(self) -> HttpCall:
        """The HTTP client for the service."""
        return HttpCall.authorized(self.call)

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        """See `Extractor.extract`."""
        views = await page_views(source, wanted, keeper, self.call.entry.handle)  # what fails here costs nothing
        url = f"{self.http.endpoint(_ENDPOINT)}/ocr"
        usage = partial(_usage, self.call.entry, wanted)
        answer = await self.http.post(url, self._request(source, wanted), usage)
        found = tables(answer.get("pages"))
        if not found:
            raise self.http.garbled("no_pages")
        pages: list[ExtractedPage] = []
        taken = 0
        for number, page in enumerate(found, 1):
            written = page.get("markdown")
            if not isinstance(written, str):
                raise self.http.garbled("page_without_markdown")
            images = await self._images(tables(page.get("images")), wanted, wanted.room(taken), keeper, number)
            view = views[number - 1] if number <= len(views) else None
            pages.append(ExtractedPage(relinked(written, images), [image for _, image in images], view))
            taken += len(images)
        return pages

    def _request(self, source: SourceFile, wanted: ExtractAsk) -> dict[str, Json]:
        url = f"data:{source.mime_type};base64,{base64.b64encode(source.data).decode('ascii')}"
        kind = "image_url" if source.kind == "image" else "document_url"
        has_images = wanted.room(0) != 0
        request: dict[str, Json] = {
            "model": self.call.entry.model_id,
            "document": {"type": kind, kind: url},
            "include_image_base64": has_images,
        }
        if wanted.max_nb_images is not None:
            request["image_limit"] = wanted.max_nb_images
        if wanted.image_min_size:
            request["image_min_size"] = wanted.image_min_size
        if wanted.captions and has_images:
            request["bbox_annotation_format"] = _CAPTION_FORMAT
        return request

    async def _images(
        self, found: list[dict[str, Any]], wanted: ExtractAsk, room: int | None, keeper: Keeper, page: int
    ) -> list[tuple[str | None, dict[str, Json]]]:
        """The images of a page, each with the id by which the text refers to it."""
        images: list[tuple[str | None, dict[str, Json]]] = []
        for item in found:
            if room is not None and len(images) >= room:
                break
            encoded = text(item.get("image_base64"))
            if encoded is None:
                continue
            url = encoded if encoded.startswith("data:") else f"data:;base64,{encoded}"
            try:
                inner = await load(url, storage=keeper.storage, policy=FetchPolicy())
            except InputError as error:
                raise self.http.garbled("image_unreadable", str(error)) from None
            picture = measured(inner.data, inner.mime_type)
            if picture is None:
                raise self.http.garbled("image_unreadable")
            if not wanted.is_big_enough(picture.width, picture.height):
                continue
            name = text(item.get("id"))
            stem = (name or f"page-{page}-image-{len(images) + 1}").rpartition("/")[2]
            caption = _caption(item.get("image_annotation"))
            named = Picture(picture.data, picture.mime_type, picture.width, picture.height, caption, stem)
            images.append((name, await keeper.image(named, stem)))
        return images


def _usage(entry: ModelEntry, wanted: ExtractAsk, answer: dict[str, Any]) -> ModelUsage:
    processed = whole(table(answer.get("usage_info")).get("pages_processed"))
    return pages_usage(entry, wanted, len(tables(answer.get("pages"))) or processed or 0)


def _caption(annotation: object) -> str | None:
    """The caption in an annotation, which is JSON in the requested format or plain text; None if there is none."""
    if not isinstance(annotation, str) or not annotation.strip():
        return None
    try:
        found = json.loads(annotation)
    except (ValueError, RecursionError):
        return annotation.strip()
    caption = table(found).get("caption")
    return caption.strip() or None if isinstance(caption, str) else None
