"""fal. Source: https://fal.ai/docs/model-api-reference/image-generation-api (`POST https://fal.run/<model>`).

fal's SDK is not used, because it sends the prompt on to redirects and does not limit the size of an answer.
"""

import asyncio
import base64
from dataclasses import dataclass
from typing import Any

from pipelex.content.stuff import Json
from pipelex.errors import InputError
from pipelex.inference.calls.classify import refused_content
from pipelex.inference.calls.http import HttpCall
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.images.ask import ImageAsk
from pipelex.inference.images.options import ImageArguments
from pipelex.inference.images.provider import DrawnImages, Fetch, image_usage, usage_in
from pipelex.inference.members import tables, text, web_address

_ENDPOINT = "https://fal.run"
_MOST_AT_ONCE = 4
_DEFAULTS = {"inference": "steps_and_guidance", "safety_checker": "enable"}


@dataclass(frozen=True)
class FalImages:
    """Draws images with a model at fal."""

    call: ModelCall

    async def draw(self, wanted: ImageAsk, fetch: Fetch) -> DrawnImages:
        """See `ImageProvider.draw`; raises `model.content_refused` when fal's safety checker blanked an image."""
        entry = self.call.entry
        http, rules = HttpCall.authorized(self.call, "Key"), ImageArguments(entry, _DEFAULTS)
        url = f"{http.endpoint(_ENDPOINT)}/{entry.table.endpoint_path or entry.model_id}"
        most = 1 if rules.get("num_images") == "one" else _MOST_AT_ONCE
        images: list[tuple[bytes, str]] = []
        calls = 0
        while len(images) < wanted.count:
            count = min(most, wanted.count - len(images))
            usage = usage_in("images", entry, count)
            answer = await http.post(url, _body(wanted, rules, count, calls), usage)
            calls += 1
            flags = answer.get("has_nsfw_concepts")
            if isinstance(flags, list) and any(flag is True for flag in flags):  # pyright: ignore[reportUnknownVariableType]
                raise refused_content(entry.backend, entry.handle, "the safety checker blanked the image")
            images += await _fetched(http, answer, fetch)
        return DrawnImages(images[: wanted.count], image_usage(entry, calls, wanted.count))


async def _fetched(http: HttpCall, answer: dict[str, Any], fetch: Fetch) -> list[tuple[bytes, str]]:
    urls = [url for item in tables(answer.get("images")) if (url := text(item.get("url")))]
    if not urls:
        raise http.garbled("no_images")
    if not all(url[:5].lower() == "data:" or web_address(url) for url in urls):
        raise http.garbled("malformed_address")
    try:
        loaded = await asyncio.gather(*[fetch(url) for url in urls])
    except InputError as error:  # the file of the provider, and none that the caller gave
        raise http.garbled("image_unreadable", str(error)) from None
    return [(one.data, one.mime_type) for one in loaded]


def _body(wanted: ImageAsk, rules: ImageArguments, count: int, calls: int) -> dict[str, Json]:
    apart = rules.get("prompt") == "positive_and_negative"
    body: dict[str, Json] = {
        "prompt": wanted.prompt if apart else wanted.full_prompt,
        # The images come in the answer, so that the provider stores none.
        "sync_mode": True,
    }
    if apart and wanted.negative_prompt is not None:
        body["negative_prompt"] = wanted.negative_prompt
    if rules.get("num_images") != "one":
        body["num_images"] = count
    if rules.takes("aspect_ratio"):
        width, height = wanted.pixels(multiple=32)
        body["image_size"] = {"width": width, "height": height}
    if wanted.seed is not None:
        body["seed"] = wanted.seed + calls  # so that further calls draw other images
    if rules.takes("output_format"):
        # fal knows only two of the formats.
        body["output_format"] = "png" if wanted.output_format != "jpeg" else "jpeg"
    inference = rules.get("inference")
    if "steps" in inference:
        body["num_inference_steps"] = _steps(wanted)
    if "guidance" in inference:
        body["guidance_scale"] = wanted.guidance_scale
    match rules.get("safety_checker"):
        case "tolerance":
            body["safety_tolerance"] = str(wanted.safety_tolerance)
        case "enable":
            body["enable_safety_checker"] = wanted.is_moderated
        case _:
            pass
    if rules.get("specific") == "raw":
        body["raw"] = wanted.is_raw
    elif wanted.is_raw:
        wanted.leave_out("'is_raw'")
    if wanted.background == "transparent":
        wanted.leave_out("transparent background")
    if wanted.references:
        urls = [f"data:{one.media_type};base64,{base64.b64encode(one.data).decode()}" for one in wanted.references]
        body |= {"image_urls": urls} if rules.get("input_images") == "many" else {"image_url": urls[0]}
        if len(urls) > 1 and rules.get("input_images") != "many":
            wanted.leave_out("more than one reference image")
    return body


def _steps(wanted: ImageAsk) -> int:
    if wanted.nb_steps is not None:
        return wanted.nb_steps
    names = f"{wanted.entry.handle} {wanted.entry.model_id}"
    for family, steps in wanted.defaults.quality_to_steps.items():
        if family in names and wanted.quality is not None and wanted.quality in steps:
            return steps[wanted.quality]
    return wanted.defaults.nb_steps
