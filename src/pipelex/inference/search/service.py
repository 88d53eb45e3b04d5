"""Searches for an answer with its sources, with the provider that the model's entry names."""

from dataclasses import dataclass
from typing import Any

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import maybe
from pipelex.inference.calls.model_call import SECONDS, open_call
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.providers import factory
from pipelex.inference.search.provider import SearchAsk, SearchProvider, search_usage
from pipelex.pipes.effects.jobs import ContentResult, SearchJob


@dataclass(frozen=True)
class Search:
    """Searches with the models of a deck."""

    deck: ModelDeck
    seconds: float = SECONDS
    """The time limit of each request, in seconds."""

    async def search(self, job: SearchJob) -> ContentResult:
        """A SearchResult content; one attempt.

        Raises:
            PipelexError: the provider cannot be called, it refused or failed, or it found nothing.
        """
        call = open_call(self.deck, job.model, "search", self.seconds)
        entry = call.entry
        provider: SearchProvider = factory("search", entry.table.sdk, entry.backend)(call)
        found = await provider.search(_ask(job))
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
        return ContentResult(content={"answer": found.answer, "sources": found.sources}, usage=search_usage(entry))


def _ask(job: SearchJob) -> SearchAsk:
    settings, request = job.model.settings, job.request
    return SearchAsk(
        request,
        _given(request.include_images, settings.get("include_images"), False),
        _given(settings.get("include_inline_citations"), True),
        request.max_results if request.max_results is not None else maybe(settings.get("max_results"), int),
    )


def _given(*values: Any) -> bool:
    return bool(next(value for value in values if value is not None))
