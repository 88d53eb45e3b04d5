"""Images from prompts: drawn by the provider that the model's entry names, and stored at once."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.model_call import SECONDS, ModelCall, open_call
from pipelex.inference.chat.attachments.files import PromptFiles, attached
from pipelex.inference.chat.attachments.takes import COMMON
from pipelex.inference.chat.messages import AttachedFile
from pipelex.inference.deck.capabilities import REFERENCES, lacking
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.images.ask import ImageAsk, image_ask
from pipelex.inference.images.options import ImageOptions
from pipelex.inference.images.provider import ImageProvider
from pipelex.inference.providers import factory
from pipelex.pipes.effects.jobs import ContentListResult, ImageJob
from pipelex.reading.pictures import measured
from pipelex.storage import Loaded, extension_of, file_kind, load

logger = logging.getLogger("pipelex.images")


@dataclass(frozen=True)
class Images:
    """Draws images with the models of a deck."""

    deck: ModelDeck
    files: PromptFiles
    """The storage of images, of which results hold only addresses, and the policy for fetching them: reference images,
    and images that a provider returns by address."""
    options: ImageOptions = field(default_factory=ImageOptions)
    seconds: float = SECONDS
    """The time limit of each request, in seconds."""

    async def generate_images(self, job: ImageJob) -> ContentListResult:
        """Image contents, each with the address of a stored image; one attempt.

        Raises:
            PipelexError: the model cannot be called or does not take reference images, the provider refused or failed,
                or a reference image cannot be read.
        """
        call, request = open_call(self.deck, job.model, "img_gen", self.seconds), job.request
        entry = call.entry
        provider: ImageProvider = factory("img_gen", entry.table.sdk, entry.backend)(call)
        if request.reference_images:
            _check_references(entry)
        references = [await self._reference(image) for image in request.reference_images]
        wanted = image_ask(entry, request, job.model.settings, tuple(references), self.options)
        drawn = await provider.draw(wanted, self._fetched)
        if not drawn.images:
            raise call.garbled("no_images")
        contents = await asyncio.gather(
            *[
                self._stored(call, wanted, data, mime_type, rank)
                for rank, (data, mime_type) in enumerate(drawn.images, 1)
            ]
        )
        return ContentListResult(contents=tuple(contents), usage=drawn.usage)

    async def _reference(self, content: Mapping[str, Json]) -> AttachedFile:
        """A reference image in a form that every provider takes; only the first page of a TIFF."""
        first, *others = await attached(content, "image", None, self.files, COMMON)
        if others:
            logger.warning("A reference image has %d pages; only the first is sent.", 1 + len(others))
        return first

    async def _fetched(self, url: str) -> Loaded:
        return await load(url, storage=self.files.storage, policy=self.files.policy)

    async def _stored(
        self, call: ModelCall, wanted: ImageAsk, data: bytes, mime_type: str, rank: int
    ) -> dict[str, Json]:
        picture = await asyncio.to_thread(measured, data, mime_type)
        if picture is None and file_kind(mime_type) != "svg":
            raise call.garbled("image_unreadable")
        filename = f"image-{rank}.{extension_of(mime_type)}"
        blob = await self.files.storage.put(data, mime_type=mime_type, filename=filename)
        content: dict[str, Json] = {**blob.content(), "source_prompt": wanted.prompt}
        if wanted.negative_prompt is not None:
            content["source_negative_prompt"] = wanted.negative_prompt
        return content if picture is None else {**content, "width": picture.width, "height": picture.height}


def _check_references(entry: ModelEntry) -> None:
    if lacking(entry, (REFERENCES,)) is not None:
        raise PipelexError(
            "model.capability_unsupported",
            f"the model {entry.handle!r} of {entry.backend!r} takes no reference images",
            category=ErrorCategory.CONFIGURATION,
            params={"model": entry.handle, "capability": REFERENCES},
            provider=entry.backend,
            model=entry.handle,
            advice="Name a model that does, or leave images out of the prompt.",
        )
