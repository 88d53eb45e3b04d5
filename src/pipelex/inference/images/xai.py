"""xAI. Source: https://docs.x.ai/docs/guides/image-generations (`POST /v1/images/generations` and `/v1/images/edits`)."""

import base64
from dataclasses import dataclass

from pipelex.content.stuff import Json
from pipelex.inference.calls.http import HttpCall
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.images.ask import ImageAsk, nearest
from pipelex.inference.images.provider import DrawnImages, Fetch, image_usage, usage_in
from pipelex.inference.members import tables, text
from pipelex.storage import sniff

_ENDPOINT = "https://api.x.ai/v1"
_MOST_AT_ONCE = 10
_RATIOS = ((1, 1), (3, 4), (4, 3), (9, 16), (16, 9), (2, 3), (3, 2), (1, 2), (2, 1))


@dataclass(frozen=True)
class XAIImages:
    """Draws images with xAI."""

    call: ModelCall

    async def draw(self, wanted: ImageAsk, fetch: Fetch) -> DrawnImages:
        """See `ImageProvider.draw`."""
        del fetch
        http, body = HttpCall.authorized(self.call), _body(self.call, wanted)
        url = f"{http.endpoint(_ENDPOINT)}/images/{'edits' if wanted.references else 'generations'}"
        images: list[tuple[bytes, str]] = []
        calls = 0
        while len(images) < wanted.count:
            count = min(_MOST_AT_ONCE, wanted.count - len(images))
            answer = await http.post(url, {**body, "n": count}, usage_in("data", self.call.entry, count))
            calls += 1
            given = [found for item in tables(answer.get("data")) if (found := text(item.get("b64_json")))]
            if not given:
                raise http.garbled("no_images")
            try:
                drawn = [base64.b64decode(each.partition(",")[2] or each, validate=True) for each in given]
            except ValueError:
                raise http.garbled("base64") from None
            images += [(data, sniff(data)) for data in drawn]
        return DrawnImages(images[: wanted.count], image_usage(self.call.entry, calls, wanted.count))


def _body(call: ModelCall, wanted: ImageAsk) -> dict[str, Json]:
    body: dict[str, Json] = {
        "model": call.entry.model_id,
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
            {"type": "image_url", "url": f"data:{one.media_type};base64,{base64.b64encode(one.data).decode()}"}
            for one in wanted.references
        ]
        body |= {"image": inputs[0]} if len(inputs) == 1 else {"images": inputs}
    if wanted.seed is not None:
        wanted.leave_out("seed")
    return body
