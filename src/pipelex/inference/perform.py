"""The performer of each effect: the one table that assigns a service to each kind of effect."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pipelex.errors import PipelexError
from pipelex.inference.calls.ledger import CallLedger
from pipelex.inference.calls.logical import asking
from pipelex.inference.calls.retry import within_wait
from pipelex.inference.calls.spans import observed
from pipelex.inference.deck.catalog import INTERNAL
from pipelex.inference.service import Inference
from pipelex.pipes.effects.jobs import kept_from
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
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import usages_to_json

Perform = Callable[[Any], Awaitable[Any]]


def performers(inference: Inference) -> Mapping[str, Perform]:
    """The performers of this process: activity name → a coroutine function that takes a job and returns its result.

    Every kind of effect has one, except the kinds that are computed.
    """
    by_kind: dict[EffectKind[Any, Any], Perform] = {
        LLM_TEXT: inference.chat.generate_text,
        LLM_OBJECT: inference.chat.generate_object,
        LLM_OBJECT_LIST: inference.chat.generate_object_list,
        JUDGE: inference.judge.judge,
        SEARCH: inference.search.search,
        IMAGES: inference.images.generate_images,
        PAGES: inference.extraction.extract_pages,
        PAGE_VIEWS: inference.extraction.render_page_views,
        FUNCTION: inference.functions.call,
        DOCUMENT: inference.documents.generate_document,
    }
    found = {kind: observed(kind, perform) for kind, perform in by_kind.items()}
    return {
        kind.activity: _bound(inference, kind, perform) if kind.is_paid else perform for kind, perform in found.items()
    }


def _bound(inference: Inference, kind: EffectKind[Any, Any], perform: Perform) -> Perform:
    """The performer of a paid call: it binds the logical call to the job, and keeps the result if there is a store."""
    results = inference.results

    async def bound(job: Any) -> Any:
        with asking(kind.activity, job) as call:
            try:
                if not call.id or results is None or job.model.backend == INTERNAL:
                    result = await perform(job)
                else:
                    result = await results.once(call, kind.result, lambda: perform(job))
            except PipelexError as failed:
                paid = failed.with_report(usage=tuple(usages_to_json(call.ledger.usage)))
                raise within_wait(paid, inference.options.longest_retry_after) from failed.__cause__
            return result if kept_from(result) is not None else _accounted(result, call.ledger)

    return bound


def _accounted(result: Any, ledger: CallLedger) -> Any:
    """The result, with the usage of everything that the logical call was charged for."""
    usage: ModelUsage | None = result.usage
    if not ledger.usage and usage is not None:  # the provider did not count it in the ledger itself
        ledger.spend(usage)
    if usage is None or ledger.usage == (usage,):
        return result
    own = [each for each in ledger.usage if (each.backend, each.handle) == (usage.backend, usage.handle)]
    others = tuple(each for each in ledger.usage if each not in own)
    told = {"usage": own[0] if own else usage, **({"others": others} if others else {})}
    return result.model_copy(update=told)
