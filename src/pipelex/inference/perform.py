from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from pipelex.inference.calls.idempotency import asking
from pipelex.inference.calls.spans import observed
from pipelex.inference.chat.service import Inference
from pipelex.inference.deck.catalog import INTERNAL
from pipelex.inference.judge import judge
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import (
    DOCUMENT,
    FUNCTION,
    IMAGES,
    JUDGE,
    LLM_OBJECT,
    LLM_OBJECT_LIST,
    LLM_TEXT,
    PAGE_VIEWS,
    PAGES,
    SEARCH,
)

Perform = Callable[[Any], Awaitable[Any]]


def performers(inference: Inference) -> Mapping[str, Perform]:
    """Who performs each effect here: activity name → a coroutine function from its job to its result.

    An effect that is not listed cannot be performed by this process. Every kind that is not computed has its line here.
    """
    found: dict[EffectKind[Any, Any], Perform] = {
        LLM_TEXT: inference.generate_text,
        LLM_OBJECT: inference.generate_object,
        LLM_OBJECT_LIST: inference.generate_object_list,
    }
    others: dict[EffectKind[Any, Any], Perform] = {JUDGE: partial(judge, inference)}
    if inference.effects is not None:
        others[SEARCH] = inference.effects.search
        others[IMAGES] = inference.effects.generate_images
        others[FUNCTION] = inference.effects.call_function
        others[DOCUMENT] = inference.effects.generate_document
    if inference.extraction is not None:
        others[PAGES] = inference.extraction.extract_pages
        others[PAGE_VIEWS] = inference.extraction.render_page_views
    found |= {kind: observed(perform) for kind, perform in others.items()}
    return {
        kind.activity: _bound(inference, kind, perform) if kind.is_paid else perform for kind, perform in found.items()
    }


def _bound(inference: Inference, kind: EffectKind[Any, Any], perform: Perform) -> Perform:
    """The same, for a provider's call: its logical call is bound to the job, and its result kept where that is wanted."""
    results = inference.results

    async def bound(job: Any) -> Any:
        with asking(kind.activity, job) as call:
            if call is None or results is None or job.model.backend == INTERNAL:
                return await perform(job)
            return await results.once(call, kind.result, lambda: perform(job))

    return bound
