"""Linkup. Source: https://docs.linkup.so (`POST /v1/search`, output type `sourcedAnswer`).

Linkup's SDK is not used, because it reports failures as errors of a JSON decoder and does not limit an answer's size.
"""

from dataclasses import dataclass

from pipelex.content.stuff import Json
from pipelex.inference.calls.http import HttpCall
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.members import tables
from pipelex.inference.search.provider import SearchAsk, SourcedAnswer, search_usage, source

_ENDPOINT = "https://api.linkup.so/v1"


@dataclass(frozen=True)
class Linkup:
    """Searches with Linkup; the model's id is the depth, `standard` or `deep`."""

    call: ModelCall

    async def search(self, wanted: SearchAsk) -> SourcedAnswer:
        """See `SearchProvider.search`."""
        http = HttpCall.authorized(self.call)
        request = wanted.request
        body: dict[str, Json] = {
            "q": request.query,
            "depth": self.call.entry.model_id,
            "outputType": "sourcedAnswer",
            "includeImages": wanted.include_images,
            "includeInlineCitations": wanted.include_inline_citations,
            "maxResults": wanted.max_results,
            "fromDate": request.from_date,
            "toDate": request.to_date,
            "includeDomains": request.include_domains,
            "excludeDomains": request.exclude_domains,
        }
        sent = {name: value for name, value in body.items() if value is not None}
        answer = await http.post(f"{http.endpoint(_ENDPOINT)}/search", sent, lambda _: search_usage(self.call.entry))
        text = answer.get("answer")
        if not isinstance(text, str):
            raise http.garbled("no_answer")
        told = [
            source(item.get("url"), item.get("name"), item.get("snippet")) for item in tables(answer.get("sources"))
        ]
        return SourcedAnswer(text, [one for one in told if one is not None])
