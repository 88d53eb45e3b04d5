"""Images from prompts: drawn by the provider that the model's entry names, and stored at once."""

import asyncio
from dataclasses import dataclass, field

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.model_call import SECONDS, ModelCall, open_call
from pipelex.inference.deck.capabilities import REFERENCES, lacking
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.images.ask import ImageAsk, image_ask
from pipelex.inference.images.options import ImageOptions
from pipelex.inference.images.provider import ImageProvider
from pipelex.inference.providers import factory
from pipelex.pipes.effects.jobs import ContentListResult, ImageJob
from pipelex.reading.pictures import measured
from pipelex.storage import FetchPolicy, Loaded, Storage, extension_of, file_kind, load


@dataclass(frozen=True)
class Images:
    """Draws images with the models of a deck."""

    deck: ModelDeck
    storage: Storage
    """The storage of images; results hold only their addresses."""
    policy: FetchPolicy
    """The policy for fetching reference images, and images that a provider returns by address."""
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
        references = [await self._fetched(str(image.get("url", ""))) for image in request.reference_images]
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

    async def _fetched(self, url: str) -> Loaded:
        return await load(url, storage=self.storage, policy=self.policy)

    async def _stored(
        self, call: ModelCall, wanted: ImageAsk, data: bytes, mime_type: str, rank: int
    ) -> dict[str, Json]:
        picture = await asyncio.to_thread(measured, data, mime_type)
        if picture is None and file_kind(mime_type) != "svg":
            raise call.garbled("image_unreadable")
        filename = f"image-{rank}.{extension_of(mime_type)}"
        blob = await self.storage.put(data, mime_type=mime_type, filename=filename)
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
