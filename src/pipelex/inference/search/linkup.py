"""Linkup. Source: https://docs.linkup.so (`POST /v1/search`, output type `sourcedAnswer`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelex.content.stuff import Json
from pipelex.inference.calls.http import Provider, tables
from pipelex.inference.search.sources import source

if TYPE_CHECKING:
    from pipelex.inference.search.service import Found, Wanted

_ENDPOINT = "https://api.linkup.so/v1"


@dataclass(frozen=True)
class Linkup:
    """Searches with Linkup; the model's id is the depth, `standard` or `deep`."""

    provider: Provider

    async def search(self, wanted: "Wanted") -> "Found":
        """See `Searcher`."""
        from pipelex.inference.search.service import Found

        request = wanted.request
        body: dict[str, Json] = {
            "q": request.query,
            "depth": self.provider.entry.model_id,
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
        url = f"{self.provider.endpoint(_ENDPOINT)}/search"
        answer = self.provider.read(await self.provider.send("POST", url, json=sent))
        text = answer.get("answer")
        if not isinstance(text, str):
            raise self.provider.garbled("no_answer")
        told = [
            source(item.get("url"), item.get("name"), item.get("snippet")) for item in tables(answer.get("sources"))
        ]
        return Found(text, [one for one in told if one is not None])
