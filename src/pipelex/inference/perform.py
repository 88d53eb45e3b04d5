from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from pipelex.inference.calls.idempotency import asking
from pipelex.inference.calls.results import RESULTS
from pipelex.inference.calls.spans import observed
from pipelex.inference.chat.service import Inference
from pipelex.inference.deck.catalog import INTERNAL
from pipelex.inference.judge import judge

Perform = Callable[[Any], Awaitable[Any]]


def performers(inference: Inference) -> Mapping[str, Perform]:
    """Who performs each effect here: activity name → a coroutine function from its job to its result.

    An effect that is not listed cannot be performed by this release.
    """
    found: dict[str, Perform] = {
        "act_llm_gen_text": inference.generate_text,
        "act_llm_gen_object": inference.generate_object,
        "act_llm_gen_object_list": inference.generate_object_list,
    }
    others: dict[str, Perform] = {"act_judge_gen": partial(judge, inference)}
    if inference.effects is not None:
        others["act_search_gen_sourced_answer"] = inference.effects.search
        others["act_img_gen_images"] = inference.effects.generate_images
    if inference.extraction is not None:
        others["act_extract_gen_extract_pages"] = inference.extraction.extract_pages
    found |= {activity: observed(perform) for activity, perform in others.items()}
    found = {activity: _bound(inference, activity, perform) for activity, perform in found.items()}
    if inference.effects is not None:
        found["act_func_call"] = observed(inference.effects.call_function)
        found["act_doc_gen"] = observed(inference.effects.generate_document)
    if inference.extraction is not None:
        found["act_render_page_views"] = observed(inference.extraction.render_page_views)
    return found


def _bound(inference: Inference, activity: str, perform: Perform) -> Perform:
    """The same, for a provider's call: its logical call is bound to the job, and its result kept where that is wanted."""
    results, kind = inference.results, RESULTS[activity]

    async def bound(job: Any) -> Any:
        with asking(activity, job) as call:
            if call is None or results is None or job.model.backend == INTERNAL:
                return await perform(job)
            return await results.once(call, kind, lambda: perform(job))

    return bound
