"""The interface of a search provider: its request and its result."""

from dataclasses import dataclass, field
from typing import Protocol

from pipelex.content.stuff import Json
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.members import text, web_address
from pipelex.pipes.effects.requests import SearchRequest
from pipelex.pipes.models import ModelUsage


@dataclass(frozen=True)
class SearchAsk:
    """A search request, with the model's settings filled in."""

    request: SearchRequest
    include_images: bool
    include_inline_citations: bool
    max_results: int | None


@dataclass(frozen=True)
class SourcedAnswer:
    """The answer of a search, with its sources."""

    answer: str
    sources: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    """The sources, as document contents."""


class SearchProvider(Protocol):
    """A provider of searches; its factory is called with the `ModelCall`, once for each call."""

    async def search(self, wanted: SearchAsk) -> SourcedAnswer:
        """Make one search.

        Raises:
            PipelexError: the provider refused or failed.
        """
        ...


def source(url: Json, title: Json, snippet: Json) -> dict[str, Json] | None:
    """A source as a Document content; None when it has no web address."""
    address = web_address(url)
    if address is None:
        return None
    members = {"title": text(title), "snippet": text(snippet)}
    return {"url": address, **{name: told for name, told in members.items() if told is not None}}


def search_usage(entry: ModelEntry) -> ModelUsage:
    """The usage of one search, at the price in the backend file."""
    costs = entry.table.costs
    price = None if costs is None else costs.input
    is_free = costs is not None and costs.is_free
    return ModelUsage(handle=entry.handle, backend=entry.backend, cost_usd=0.0 if is_free else price)
