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
from pipelex.pipes.usage import usages_from_json, usages_to_json

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
                    result = await _counted(call.ledger, perform(job))
                else:
                    result = await results.once(call, kind.result, lambda: _counted(call.ledger, perform(job)))
            except PipelexError as failed:
                paid = failed.with_report(usage=tuple(usages_to_json(call.ledger.usage)))
                raise within_wait(paid, inference.options.longest_retry_after) from failed.__cause__
            return result if kept_from(result) is not None else _accounted(result, call.ledger)

    return bound


async def _counted(ledger: CallLedger, attempt: Awaitable[Any]) -> Any:
    """The result of an attempt, whose usage the ledger counts if the provider did not count it there itself.

    A provider may also report what an answer cost that it refuses: as the usage in the report of its failure.
    """
    before = ledger.usage
    try:
        result = await attempt
    except PipelexError as failed:
        _count_once(ledger, before, usages_from_json(failed.report.usage))
        raise
    _count_once(ledger, before, () if result.usage is None else (result.usage,))
    return result


def _count_once(ledger: CallLedger, before: tuple[ModelUsage, ...], told: tuple[ModelUsage, ...]) -> None:
    for usage in told if ledger.usage == before else ():
        ledger.spend(usage)


def _accounted(result: Any, ledger: CallLedger) -> Any:
    """The result, with the usage of everything that the logical call was charged for."""
    usage: ModelUsage | None = result.usage
    if not ledger.usage and usage is not None:  # the result was kept by an attempt whose ledger is lost
        ledger.spend(usage)
    if ledger.usage == (() if usage is None else (usage,)):
        return result
    main = ledger.usage[0] if usage is None else usage
    own = [each for each in ledger.usage if (each.backend, each.handle) == (main.backend, main.handle)]
    others = tuple(each for each in ledger.usage if each not in own)
    told = {"usage": own[0] if own else main, **({"others": others} if others else {})}
    return result.model_copy(update=told)
