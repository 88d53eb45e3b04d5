"""xAI. Source: https://docs.x.ai/docs/guides/image-generations (`POST /v1/images/generations` and `/v1/images/edits`)."""

import base64
import binascii

from pipelex.content.stuff import Json
from pipelex.inference.calls.http import tables
from pipelex.inference.images.made import Drawing, Made
from pipelex.inference.images.options import Wanted
from pipelex.storage import sniff

_ENDPOINT = "https://api.x.ai/v1"
_MOST_AT_ONCE = 10
_RATIOS = ((1, 1), (3, 4), (4, 3), (9, 16), (16, 9), (2, 3), (3, 2), (1, 2), (2, 1))


async def draw_with_xai(drawing: Drawing, wanted: Wanted) -> Made:
    """Images of xAI.

    Raises:
        PipelexError: it refused or failed.
    """
    provider = drawing.provider("Bearer")
    url = f"{provider.endpoint(_ENDPOINT)}/images/{'edits' if wanted.references else 'generations'}"
    body: dict[str, Json] = {
        "model": drawing.entry.model_id,
        "prompt": wanted.full_prompt,
        "response_format": "b64_json",
    }
    if wanted.is_shape_given or not wanted.references:
        wide, high = nearest(wanted.ratio, _RATIOS)
        body["aspect_ratio"] = f"{wide}:{high}"
    if wanted.is_tier_given:
        body["resolution"] = "1k" if wanted.tier <= 1 else "2k"
    if wanted.references:
        inputs = [
            {"type": "image_url", "url": f"data:{one.mime_type};base64,{base64.b64encode(one.data).decode()}"}
            for one in wanted.references
        ]
        body |= {"image": inputs[0]} if len(inputs) == 1 else {"images": inputs}
    if wanted.seed is not None:
        wanted.leave_out("seed")
    images: list[tuple[bytes, str]] = []
    calls = 0
    while len(images) < wanted.count:
        body["n"] = min(_MOST_AT_ONCE, wanted.count - len(images))
        answer = provider.read(await provider.send("POST", url, json=body))
        calls += 1
        given = [item["b64_json"] for item in tables(answer.get("data")) if isinstance(item.get("b64_json"), str)]
        if not given:
            raise provider.garbled("no_images")
        try:
            found = [base64.b64decode(text.partition(",")[2] or text, validate=True) for text in given]
        except binascii.Error:
            raise provider.garbled("base64") from None
        images += [(data, sniff(data)) for data in found]
    return Made(images[: wanted.count], drawing.usage(calls, wanted.count))


def nearest(ratio: tuple[int, int], known: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """The known shape that is nearest to a ratio."""
    wide, high = ratio
    return min(known, key=lambda one: max(wide * one[1], one[0] * high) / min(wide * one[1], one[0] * high))
