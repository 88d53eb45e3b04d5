"""The models that may do a job: those that are capable of it, and stand-ins for when a provider fails."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.deck.capabilities import DOCUMENTS, IMAGES, STRUCTURE, lacking
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.models import ResolvedModel

logger = logging.getLogger("pipelex.inference")

T = TypeVar("T")


async def first_that_answers(model: ResolvedModel, ask: Callable[[ResolvedModel], Awaitable[T]]) -> T:
    """Ask the model and, when its provider fails, its stand-ins in turn.

    Raises:
        PipelexError: a failure that may pass if there was one, otherwise the first model's failure.
    """
    failures: list[PipelexError] = []
    for target in (model, *model.fallbacks):
        asked = ResolvedModel(handle=target.handle, backend=target.backend, settings=model.settings)
        try:
            return await ask(asked)
        except PipelexError as error:
            if failures and not _is_providers_fault(error):
                continue  # a stand-in that is unsuited
            if not _is_providers_fault(error) or not model.fallbacks:
                raise
            logger.warning("The model %r of %r failed (%s).", target.handle, target.backend, error.code)
            failures.append(error)
    raise next((error for error in failures if error.report.is_retryable), failures[0])


def _is_providers_fault(error: PipelexError) -> bool:
    """Whether another provider may succeed with the same request."""
    is_provider = error.code.startswith("provider.") or error.code in ("model.unavailable", "runtime.unsupported")
    return is_provider and error.report.category is not ErrorCategory.CONTENT


def check_capabilities(entry: ModelEntry, prompt: LLMPrompt, most_images: int, *, is_structured: bool) -> None:
    """Refuse, before anything is sent, what the model cannot do.

    Args:
        entry: the model.
        prompt: the prompt to send.
        most_images: the maximum number of images for a model whose entry does not say how many it takes.
        is_structured: whether the answer has to be an object.

    Raises:
        PipelexError: `model.capability_unsupported`.
    """
    wanted = {IMAGES: bool(prompt.images), DOCUMENTS: bool(prompt.documents), STRUCTURE: is_structured}
    capability = lacking(entry, [what for what, is_wanted in wanted.items() if is_wanted])
    if capability is not None:
        detail = f"the model {entry.handle!r} of {entry.backend!r} does not take {capability}"
        raise _unable(entry, capability, detail)
    most = most_images if entry.table.max_prompt_images is None else entry.table.max_prompt_images
    if len(prompt.images) > most:
        detail = f"the model {entry.handle!r} takes at most {most} images in a prompt, not {len(prompt.images)}"
        where = f"'max_prompt_images' of the model in backends/{entry.backend}.toml"
        advice = f"Send fewer images, or raise {where}; inference.llm.default_max_images is for models without it."
        raise _unable(entry, "images", detail, advice)


def _unable(entry: ModelEntry, capability: str, detail: str, advice: str | None = None) -> PipelexError:
    other = f"Name a model that takes {capability}; a better one may lack only its provider's API key."
    if capability == DOCUMENTS:
        other += " Or read the document with a PipeExtract first, and put its pages into the prompt."
    return PipelexError(
        "model.capability_unsupported",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"model": entry.handle, "capability": capability},
        provider=entry.backend,
        model=entry.handle,
        advice=advice or other,
    )
