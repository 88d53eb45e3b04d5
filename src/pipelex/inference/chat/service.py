"""Asking the language model that a job names for a text, an object or a list of objects."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

from pipelex.errors.json import Json, as_objects
from pipelex.inference.calls.model_call import SECONDS, ModelCall, open_call
from pipelex.inference.chat.asking.conversation import Conversation
from pipelex.inference.chat.asking.messages import PromptFiles
from pipelex.inference.chat.asking.object import ask_object
from pipelex.inference.chat.asking.stand_ins import check_capabilities, first_that_answers
from pipelex.inference.chat.asking.text import ask_text
from pipelex.inference.chat.options import ChatOptions
from pipelex.inference.chat.provider import ChatProvider
from pipelex.inference.chat.settings import EFFORT_BUDGETS, call_settings
from pipelex.inference.chat.structured import WantedObject
from pipelex.inference.chat.structured.schema import ITEMS
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.deck.schema import ReasoningEffort
from pipelex.inference.providers import factory
from pipelex.pipes.effects.jobs import (
    LLMObjectJob,
    LLMObjectListJob,
    LLMObjectListResult,
    LLMObjectResult,
    LLMTextJob,
    LLMTextResult,
)
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.models import ModelUsage, ResolvedModel


class Chat:
    """Asks language models. Each call is one attempt, which may repeat the question if the structure is wrong.

    Every failure is a `PipelexError` whose category says whether trying again can help. Connections are kept open
    between calls, separately for each event loop; `aclose` closes those of the running loop.

    Args:
        deck: the deck with the models.
        files: the reader of the images and documents in prompts.
        options: the options of calls.
        seconds: the time limit of each request, in seconds.
    """

    def __init__(
        self, deck: ModelDeck, files: PromptFiles, options: ChatOptions | None = None, seconds: float = SECONDS
    ) -> None:
        self.deck = deck
        self.files = files
        self.options = options or ChatOptions()
        self.seconds = seconds
        self._providers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], ChatProvider]]
        self._providers = WeakKeyDictionary()

    async def generate_text(self, job: LLMTextJob) -> LLMTextResult:
        """One text for the job's prompt."""

        async def ask(model: ResolvedModel) -> LLMTextResult:
            conversation = await self._conversation(model, job.prompt, is_structured=False)
            text, usage = await ask_text(conversation, job.prompt)
            return LLMTextResult(text=text, usage=usage)

        return await first_that_answers(job.model, ask)

    async def generate_object(self, job: LLMObjectJob) -> LLMObjectResult:
        """One object that fits the structure that the job asks for."""
        wanted = WantedObject.single(job.spec)

        async def ask(model: ResolvedModel) -> LLMObjectResult:
            value, usage = await self._object(model, job.prompt, wanted)
            return LLMObjectResult(content=value, usage=usage)

        return await first_that_answers(job.model, ask)

    async def generate_object_list(self, job: LLMObjectListJob) -> LLMObjectListResult:
        """Objects that fit the structure that the job asks for: exactly `count`, or as many as the model returns."""
        wanted = WantedObject.listed(job.spec, job.count)

        async def ask(model: ResolvedModel) -> LLMObjectListResult:
            value, usage = await self._object(model, job.prompt, wanted)
            return LLMObjectListResult(items=tuple(dict(item) for item in as_objects(value[ITEMS])), usage=usage)

        return await first_that_answers(job.model, ask)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        for provider in self._providers.pop(asyncio.get_running_loop(), {}).values():
            await provider.aclose()

    async def _object(
        self, model: ResolvedModel, prompt: LLMPrompt, wanted: WantedObject
    ) -> tuple[dict[str, Json], ModelUsage]:
        conversation = await self._conversation(model, prompt, is_structured=True)
        return await ask_object(conversation, prompt, wanted, self.options)

    async def _conversation(self, model: ResolvedModel, prompt: LLMPrompt, *, is_structured: bool) -> Conversation:
        entry = self.deck.entry(model)
        check_capabilities(entry, prompt, self.options.default_max_images, is_structured=is_structured)
        call = open_call(self.deck, model, "llm", self.seconds)
        provider = await self._provider(call)
        budgets = {**EFFORT_BUDGETS, **self.options.effort_budgets.get(provider.effort_map, {})}
        settings = call_settings(entry, model.settings, cast("Mapping[ReasoningEffort, int]", budgets))
        return Conversation(call, provider, settings, self.files)

    async def _provider(self, call: ModelCall) -> ChatProvider:
        """The client of a call's backend and `sdk`, created once for each event loop."""
        loop = self._providers.setdefault(asyncio.get_running_loop(), {})
        sdk = call.entry.table.sdk
        key = (call.backend.id, sdk)
        if key not in loop:
            # Importing it can take a second or more, and the heartbeats of other calls must continue meanwhile.
            make: Any = await asyncio.to_thread(factory, "llm", sdk, call.backend.id)
            if key not in loop:
                loop[key] = make(call.backend)
        return loop[key]
