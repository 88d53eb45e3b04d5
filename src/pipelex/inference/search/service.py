from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.http import Provider, check_credentials
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.search.linkup import Linkup
from pipelex.inference.search.tavily import Tavily
from pipelex.pipes.effects.jobs import ContentResult, SearchJob
from pipelex.pipes.effects.requests import SearchRequest
from pipelex.pipes.models import ModelUsage

if TYPE_CHECKING:
    from pipelex.inference.effects import Effects


@dataclass(frozen=True)
class Wanted:
    """A search, the model's settings filled in."""

    request: SearchRequest
    include_images: bool
    include_inline_citations: bool
    max_results: int | None


@dataclass(frozen=True)
class Found:
    """What a provider found."""

    answer: str
    sources: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    """Document contents."""


class Searcher(Protocol):
    """A search provider."""

    async def search(self, wanted: Wanted) -> Found:
        """One search.

        Raises:
            PipelexError: the provider refused or failed.
        """
        ...


SEARCHERS: Mapping[str, Callable[[Provider], Searcher]] = {"linkup": Linkup, "tavily": Tavily}
"""Providers by `sdk`."""


async def search(effects: "Effects", job: SearchJob) -> ContentResult:
    """A SearchResult content.

    Raises:
        PipelexError: the provider cannot be called, refused or failed, or found nothing.
    """
    entry = effects.deck.entry(job.model, "search")
    make = SEARCHERS.get(entry.table.sdk)
    if make is None:
        raise PipelexError(
            "runtime.unsupported",
            f"searches of the sdk {entry.table.sdk!r} (backend {entry.backend!r}) cannot be called by this release",
            category=ErrorCategory.CONFIGURATION,
            params={"capability": f"sdk:{entry.table.sdk}"},
            provider=entry.backend,
            advice=f"Name a search of one of these: {', '.join(SEARCHERS)}.",
        )
    check_credentials(entry, effects.deck.catalog.missing(entry), "search")
    backend = effects.deck.catalog.backends[entry.backend]
    auth = {"Authorization": f"Bearer {backend.table.api_key}"} if backend.table.api_key else {}
    provider = Provider(entry, backend, auth, effects.request_timeout, "search")
    settings, request = job.model.settings, job.request
    found = await make(provider).search(
        Wanted(
            request,
            _given(request.include_images, settings.get("include_images"), False),
            _given(settings.get("include_inline_citations"), True),
            request.max_results if request.max_results is not None else settings.get("max_results"),
        )
    )
    if not found.answer.strip():
        raise PipelexError(
            "model.no_result",
            f"{entry.handle!r} of {entry.backend!r} found no answer",
            category=ErrorCategory.CONTENT,
            params={"model": entry.handle},
            provider=entry.backend,
            model=entry.handle,
            advice="Ask in other words, or with fewer restrictions on dates and domains.",
        )
    return ContentResult(content={"answer": found.answer, "sources": found.sources}, usage=_usage(entry))


def _given(*values: Any) -> bool:
    return bool(next(value for value in values if value is not None))


def _usage(entry: ModelEntry) -> ModelUsage:
    """One search at the price of the backend file."""
    costs = entry.table.costs
    price = None if costs is None else costs.input
    is_free = costs is not None and not costs.model_dump(exclude_none=True)
    return ModelUsage(handle=entry.handle, backend=entry.backend, cost_usd=0.0 if is_free else price)
