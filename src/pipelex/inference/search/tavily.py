"""Tavily. Source: https://docs.tavily.com/documentation/api-reference/endpoint/search (`POST /search`).

Tavily's SDK is not used, because it sends the question on to redirects and does not limit the size of an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pipelex.content.stuff import Json
from pipelex.inference.calls.http import HttpCall
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.members import tables
from pipelex.inference.search.provider import SearchAsk, SourcedAnswer, search_usage, source

_ENDPOINT = "https://api.tavily.com"
_MOST_RESULTS = 20


@dataclass(frozen=True)
class Tavily:
    """Searches with Tavily; the model's id is the depth, `basic` or `advanced`. Its answers hold no citations."""

    call: ModelCall

    async def search(self, wanted: SearchAsk) -> SourcedAnswer:
        """See `SearchProvider.search`."""
        http = HttpCall.authorized(self.call)
        request, depth = wanted.request, self.call.entry.model_id
        body: dict[str, Json] = {
            "query": request.query,
            "search_depth": depth,
            "include_answer": "advanced" if depth == "advanced" else "basic",
            "include_images": wanted.include_images,
            "include_image_descriptions": wanted.include_images or None,
            "max_results": None if wanted.max_results is None else min(wanted.max_results, _MOST_RESULTS),
            "start_date": request.from_date,
            "end_date": request.to_date,
            "include_domains": request.include_domains,
            "exclude_domains": request.exclude_domains,
        }
        sent = {name: value for name, value in body.items() if value is not None}
        answer = await http.post(f"{http.endpoint(_ENDPOINT)}/search", sent, lambda _: search_usage(self.call.entry))
        text = answer.get("answer")
        if text is not None and not isinstance(text, str):
            raise http.garbled("no_answer")
        told = [
            source(item.get("url"), item.get("title"), item.get("content")) for item in tables(answer.get("results"))
        ]
        images = answer.get("images") if wanted.include_images else None
        for image in cast("list[Json]", images) if isinstance(images, list) else []:
            found: Mapping[str, Json] = image if isinstance(image, Mapping) else {"url": image}
            told.append(source(found.get("url"), found.get("description"), None))
        return SourcedAnswer(text or "", [one for one in told if one is not None])
