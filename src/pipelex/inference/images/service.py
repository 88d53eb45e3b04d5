import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.http import check_credentials
from pipelex.inference.deck.capabilities import REFERENCES, lacking
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.extract.pictures import measured
from pipelex.inference.images.fal import draw_with_fal
from pipelex.inference.images.library import draw_with_google, draw_with_openai
from pipelex.inference.images.made import Drawing, Made
from pipelex.inference.images.options import Wanted, wanted
from pipelex.inference.images.xai import draw_with_xai
from pipelex.pipes.effects.jobs import ContentListResult, ImageJob
from pipelex.storage import extension_of, load

if TYPE_CHECKING:
    from pipelex.inference.effects import Effects

DRAWERS: Mapping[str, Callable[[Drawing, Wanted], Awaitable[Made]]] = {
    "openai_img_gen": draw_with_openai,
    "google": draw_with_google,
    "google_img_gen": draw_with_google,
    "xai": draw_with_xai,
    "xai_img_gen": draw_with_xai,
    "fal": draw_with_fal,
}
"""Providers by `sdk`."""


async def generate_images(effects: "Effects", job: ImageJob) -> ContentListResult:
    """Image contents, each with the URI of a stored image.

    Raises:
        PipelexError: the model cannot be called or does not take reference images, the provider refused or failed, or
            a reference image cannot be read.
    """
    entry, request = effects.deck.entry(job.model, "img_gen"), job.request
    draw = DRAWERS.get(entry.table.sdk)
    if draw is None:
        raise PipelexError(
            "runtime.unsupported",
            f"image models of the sdk {entry.table.sdk!r} (backend {entry.backend!r}) cannot be called by this release",
            category=ErrorCategory.CONFIGURATION,
            params={"capability": f"sdk:{entry.table.sdk}"},
            provider=entry.backend,
        )
    check_credentials(entry, effects.deck.catalog.missing(entry), "img_gen")
    if request.reference_images:
        _check_references(entry)
    references = [
        await load(str(image.get("url", "")), storage=effects.storage, policy=effects.policy)
        for image in request.reference_images
    ]
    asked = wanted(entry, request, job.model.settings, tuple(references), effects.images)
    backend = effects.deck.catalog.backends[entry.backend]
    drawing = Drawing(entry, backend, effects.request_timeout, effects.images, effects.policy, effects.storage)
    made = await draw(drawing, asked)
    contents = await asyncio.gather(
        *[_stored(effects, asked, data, mime_type, rank) for rank, (data, mime_type) in enumerate(made.images, 1)]
    )
    return ContentListResult(contents=tuple(contents), usage=made.usage)


async def _stored(effects: "Effects", asked: Wanted, data: bytes, mime_type: str, rank: int) -> dict[str, Json]:
    filename = f"image-{rank}.{extension_of(mime_type)}"
    blob = await effects.storage.put(data, mime_type=mime_type, filename=filename)
    content: dict[str, Json] = {**blob.content(), "source_prompt": asked.prompt}
    if asked.negative_prompt is not None:
        content["source_negative_prompt"] = asked.negative_prompt
    picture = await asyncio.to_thread(measured, data, mime_type)
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
