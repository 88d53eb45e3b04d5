import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from pipelex.config import StorageSettings
from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.classify import (
    classify_provider_error,
    invalid_response,
    refused_content,
    truncated_output,
)
from pipelex.inference.calls.facts import redacted
from pipelex.inference.calls.spans import answered, chat
from pipelex.inference.calls.usage import call_usage
from pipelex.inference.chat.messages import Files, first_request
from pipelex.inference.chat.provider import ChatProvider, chat_provider, import_client
from pipelex.inference.chat.settings import EFFORT_BUDGETS, CallSettings, call_settings
from pipelex.inference.chat.structured import (
    Method,
    SchemaCheck,
    findings_message,
    list_schema,
    prompt_with_schema,
    pruned,
    read_json,
    structure_method,
)
from pipelex.inference.deck.capabilities import DOCUMENTS, IMAGES, STRUCTURE, lacking
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.deck.schema import ReasoningEffort
from pipelex.pipes.effects.jobs import (
    LLMObjectJob,
    LLMObjectListJob,
    LLMObjectListResult,
    LLMObjectResult,
    LLMTextJob,
    LLMTextResult,
)
from pipelex.pipes.effects.requests import LLMPrompt, ObjectSpec
from pipelex.pipes.models import ModelChoice, ModelUsage, ResolvedModel
from pipelex.pipes.usage import add_usage
from pipelex.storage import FetchPolicy, Storage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
    from pydantic_ai.models import ModelRequestParameters

    from pipelex.inference.calls.results import ResultCache
    from pipelex.inference.effects import Effects
    from pipelex.inference.extract import Extraction

logger = logging.getLogger("pipelex.inference")

_TOOL = "answer"

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class InferenceOptions:
    """How models are called."""

    schema_reask_max_attempts: int = 2
    """How often a model is asked again when its object does not fit the schema."""
    request_timeout: float = 600.0
    """Seconds for one request."""
    is_structure_prompt_enabled: bool = False
    """Whether the wanted structure is also described in the prompt, where the provider is sent the schema anyway."""
    allow_local_files: bool = True
    """Whether `file:` URLs of prompts may be read, where no extraction brings a policy of its own."""
    effort_budgets: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    """Tokens that stand for reasoning efforts, by provider (`anthropic`, `gemini`), where they are not the usual."""
    default_max_images: int = 100
    """The most images in one prompt to a model that does not say how many it takes."""


@dataclass(frozen=True)
class _Call:
    """What is the same in every request of one job."""

    entry: ModelEntry
    provider: ChatProvider
    settings: CallSettings


class Inference:
    """Calls language models: one call is one attempt, repeated questions about a wrong structure aside.

    Every failure is a `PipelexError` whose category says whether trying again can help. Connections are kept open
    between calls, for each event loop apart; `aclose` closes those of the running loop.

    Args:
        deck: which models there are.
        options: how they are called.
        extraction: who reads documents; they cannot be read when None.
        effects: who calls functions, prints documents, searches and draws; none of it can be done when None.
        results: where results of paid calls are kept for further attempts; nowhere when None.
    """

    def __init__(
        self,
        deck: ModelDeck,
        options: InferenceOptions | None = None,
        extraction: "Extraction | None" = None,
        effects: "Effects | None" = None,
        results: "ResultCache | None" = None,
    ) -> None:
        self.deck = deck
        self.options = options or InferenceOptions()
        self.extraction = extraction
        self.effects = effects
        self.results = results
        self._providers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], ChatProvider]]
        self._providers = WeakKeyDictionary()

    @classmethod
    def load(
        cls,
        dirs: Sequence[Path],
        environ: Mapping[str, str],
        options: InferenceOptions | None = None,
        *,
        assume_credentials: bool | Collection[str] = False,
    ) -> "Inference":
        """Read the model configuration of `inference` directories, the one that wins first; see `ModelDeck.load`."""
        return cls(ModelDeck.load(dirs, environ, assume_credentials=assume_credentials), options)

    def resolve(self, choice: ModelChoice) -> ResolvedModel:
        """See `ModelDeck.resolve`."""
        return self.deck.resolve(choice)

    async def generate_text(self, job: LLMTextJob) -> LLMTextResult:
        """One completion."""

        async def ask(model: ResolvedModel) -> LLMTextResult:
            text, usage = await self._text(model, job.prompt)
            return LLMTextResult(text=text, usage=usage)

        return await _first_that_answers(job.model, ask)

    async def generate_object(self, job: LLMObjectJob) -> LLMObjectResult:
        """One object that satisfies the schema of the job."""

        async def ask(model: ResolvedModel) -> LLMObjectResult:
            value, usage = await self._structured(model, job.prompt, job.spec, job.spec.json_schema)
            return LLMObjectResult(content=value, usage=usage)

        return await _first_that_answers(job.model, ask)

    async def generate_object_list(self, job: LLMObjectListJob) -> LLMObjectListResult:
        """Objects that satisfy the schema of the job: exactly `count`, or as many as the model gives."""
        schema = list_schema(job.spec.json_schema, job.count)

        async def ask(model: ResolvedModel) -> LLMObjectListResult:
            value, usage = await self._structured(model, job.prompt, job.spec, schema)
            return LLMObjectListResult(items=tuple(value["items"]), usage=usage)

        return await _first_that_answers(job.model, ask)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        for provider in self._providers.pop(asyncio.get_running_loop(), {}).values():
            await provider.aclose()

    # --- one job ------------------------------------------------------------------------------------------------------

    async def _text(self, model: ResolvedModel, prompt: LLMPrompt) -> tuple[str, ModelUsage]:
        from pydantic_ai.models import ModelRequestParameters

        call = await self._call(model, prompt, is_structured=False)
        request = await self._first(call, prompt)
        response = await self._ask(call, [request], ModelRequestParameters(), is_structured=False)
        text = (response.text or "").strip()
        is_cut = response.finish_reason == "length"
        if is_cut and (call.settings.max_tokens is not None or not call.provider.cuts_softly):
            raise self._cut(call, response)
        if is_cut:
            text = _to_last_sentence(text)
        if not text:
            raise invalid_response(call.entry.backend, call.entry.handle, "empty_answer")
        return text, call_usage(call.entry, response)

    async def _structured(
        self, model: ResolvedModel, prompt: LLMPrompt, spec: ObjectSpec, schema: dict[str, Json]
    ) -> tuple[dict[str, Json], ModelUsage]:
        call = await self._call(model, prompt, is_structured=True)
        method = call.provider.method(structure_method(call.entry))
        is_told = method in ("json", "markdown") or self.options.is_structure_prompt_enabled
        request = await self._first(call, prompt, prompt_with_schema(schema) if is_told else None)
        parameters = _structured_parameters(method, spec, call.provider.schema(schema))
        messages: list[ModelMessage] = [request]
        check, usages = SchemaCheck(schema), list[ModelUsage]()
        findings: list[str] = []
        for _ in range(self.options.schema_reask_max_attempts + 1):
            response = await self._ask(call, messages, parameters, is_structured=True)
            usages.append(call_usage(call.entry, response))
            if response.finish_reason == "length":
                raise self._cut(call, response)
            try:
                value = _object(call.provider.restored(_read_answer(response), schema), schema)
            except ValueError as error:
                findings = [f"$: not a JSON object: {error}"]
            else:
                findings = check.findings(value)
                if not findings:
                    return value, reduce(add_usage, usages)
            messages += [response, _again(response, findings)]
        raise PipelexError(
            "model.output_schema_mismatch",
            f"{len(usages)} answers of {call.entry.handle!r} did not fit {spec.concept}: "
            + redacted("; ".join(findings[:3]), call.provider.secrets),
            category=ErrorCategory.CONTENT,  # the repeated questions were the retry
            params={"model": call.entry.handle, "concept": spec.concept},
            provider=call.entry.backend,
            model=call.entry.handle,
            advice="Name a stronger model, or make the structure simpler.",
        )

    async def _call(self, model: ResolvedModel, prompt: LLMPrompt, *, is_structured: bool) -> _Call:
        entry = self.deck.entry(model)
        _check_capabilities(entry, prompt, self.options.default_max_images, is_structured=is_structured)
        backend = self.deck.catalog.backends[entry.backend]
        missing = self.deck.catalog.missing(entry)
        if missing:
            raise PipelexError(
                "model.unavailable",
                f"the model {entry.handle!r} needs {', '.join(missing)} in the environment",
                category=ErrorCategory.CONFIGURATION,
                params={"model": entry.handle, "model_type": "llm", "reason": "credentials_missing"},
                provider=entry.backend,
                model=entry.handle,
                advice=f"Set {missing[0]}, or name a model of another backend.",
            )
        loop = self._providers.setdefault(asyncio.get_running_loop(), {})
        key = (entry.backend, entry.table.sdk)
        if key not in loop:
            # It takes a second or more, in which the heartbeats of other calls must go on.
            await asyncio.to_thread(import_client, entry.table.sdk)
        if key not in loop:
            loop[key] = chat_provider(backend, entry.table.sdk, self.options.request_timeout)
        provider = loop[key]
        budgets = {**EFFORT_BUDGETS, **self.options.effort_budgets.get(provider.effort_map, {})}
        settings = call_settings(entry, model.settings, cast("Mapping[ReasoningEffort, int]", budgets))
        return _Call(entry, provider, settings)

    async def _first(self, call: _Call, prompt: LLMPrompt, extra: str | None = None) -> "ModelRequest":
        return await first_request(prompt, self._files, image_detail=call.settings.image_detail, extra=extra)

    @cached_property
    def _files(self) -> Files:
        if self.extraction is not None:
            return Files(self.extraction.storage, self.extraction.policy)
        in_memory = Storage.open(StorageSettings(method="in_memory"), Path())
        return Files(in_memory, FetchPolicy(allow_files=self.options.allow_local_files))

    async def _ask(
        self, call: _Call, messages: "list[ModelMessage]", parameters: "ModelRequestParameters", *, is_structured: bool
    ) -> "ModelResponse":
        """One request, in a span of its own."""
        backend = self.deck.catalog.backends[call.entry.backend]
        with chat(call.entry, backend, call.settings, messages, is_structured=is_structured) as span:
            response = await self._request(call, messages, parameters, is_structured=is_structured)
            answered(span, call.entry, response)
            return response

    async def _request(
        self, call: _Call, messages: "list[ModelMessage]", parameters: "ModelRequestParameters", *, is_structured: bool
    ) -> "ModelResponse":
        """One request. What the client library raises is replaced, not chained: its text may hold a key."""
        entry, failure = call.entry, None
        try:
            await call.provider.prepare(entry)
            settings = call.provider.request_settings(entry, call.settings, is_structured=is_structured)
            settings = call.provider.identified(settings, entry.handle, *_answers(messages))
            response = await call.provider.request(entry, messages, settings, parameters)
        except Exception as error:
            failure = classify_provider_error(
                error,
                provider=entry.backend,
                model=entry.handle,
                secrets=call.provider.secrets,
                variables=self.deck.catalog.backends[entry.backend].variables,
            )
        else:
            if response.finish_reason == "content_filter":
                said = (response.provider_details or {}).get("refusal", "")
                failure = refused_content(entry.backend, entry.handle, str(said))
            else:
                return response
        raise failure

    def _cut(self, call: _Call, response: "ModelResponse") -> PipelexError:
        tokens = response.usage.output_tokens
        return truncated_output(call.entry.backend, call.entry.handle, call.settings.max_tokens, tokens)


async def _first_that_answers(model: ResolvedModel, ask: Callable[[ResolvedModel], Awaitable[_Result]]) -> _Result:
    """Ask the model, and where its provider fails, those that may stand in for it.

    Raises:
        PipelexError: a failure that may pass, when there was one, else the first model's.
    """
    failures: list[PipelexError] = []
    for target in (model, *model.fallbacks):
        asked = ResolvedModel(handle=target.handle, backend=target.backend, settings=model.settings)
        try:
            return await ask(asked)
        except PipelexError as error:
            if failures and not _is_providers_fault(error):
                continue  # a stand-in that does not suit
            if not _is_providers_fault(error) or not model.fallbacks:
                raise
            logger.warning("The model %r of %r failed (%s).", target.handle, target.backend, error.code)
            failures.append(error)
    raise next((error for error in failures if error.report.is_retryable), failures[0])


def _is_providers_fault(error: PipelexError) -> bool:
    """Whether another provider may do better with the very same request."""
    is_provider = error.code.startswith("provider.") or error.code in ("model.unavailable", "runtime.unsupported")
    return is_provider and error.report.category is not ErrorCategory.CONTENT


def _check_capabilities(entry: ModelEntry, prompt: LLMPrompt, most_images: int, *, is_structured: bool) -> None:
    """Refuse what the model cannot do before anything is sent."""
    wanted = {IMAGES: bool(prompt.images), DOCUMENTS: bool(prompt.documents), STRUCTURE: is_structured}
    capability = lacking(entry, [what for what, is_wanted in wanted.items() if is_wanted])
    if capability is not None:
        detail = f"the model {entry.handle!r} of {entry.backend!r} does not take {capability}"
        raise _incapable(entry, capability, detail)
    most = most_images if entry.table.max_prompt_images is None else entry.table.max_prompt_images
    if len(prompt.images) > most:
        detail = f"the model {entry.handle!r} takes at most {most} images in a prompt, not {len(prompt.images)}"
        where = f"'max_prompt_images' of the model in backends/{entry.backend}.toml"
        advice = f"Send fewer images, or raise {where}; inference.llm.default_max_images holds for models without one."
        raise _incapable(entry, "images", detail, advice)


def _incapable(entry: ModelEntry, capability: str, detail: str, advice: str | None = None) -> PipelexError:
    other = f"Name a model that takes {capability}; a provider's API key may be what is missing for a better one."
    return PipelexError(
        "model.capability_unsupported",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"model": entry.handle, "capability": capability},
        provider=entry.backend,
        model=entry.handle,
        advice=advice or other,
    )


def _structured_parameters(method: Method, spec: ObjectSpec, schema: dict[str, Json]) -> "ModelRequestParameters":
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    name = "".join(letter if letter.isalnum() else "_" for letter in spec.concept.rpartition(".")[2]) or _TOOL
    description: str | None = schema.get("description")
    if method == "tool":
        tool = ToolDefinition(
            name=_TOOL,
            parameters_json_schema=schema,
            description=description or f"Give the {name} that was asked for.",
            kind="output",
        )
        return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
    if method == "native":
        wanted = OutputObjectDefinition(json_schema=schema, name=name, description=description)
        return ModelRequestParameters(output_mode="native", output_object=wanted, allow_text_output=False)
    if method == "json":
        # The prompt carries the schema; the template keeps the library from adding it a second time.
        wanted = OutputObjectDefinition(json_schema=schema, name=name)
        return ModelRequestParameters(output_mode="prompted", output_object=wanted, prompted_output_template=False)
    return ModelRequestParameters()


def _read_answer(response: "ModelResponse") -> Json:
    """The JSON of an answer: the tool's arguments, else the text.

    Raises:
        ValueError: there is none.
    """
    calls = response.tool_calls
    return read_json(_arguments(calls[0].args)) if calls else read_json(response.text or "")


def _answers(messages: "list[ModelMessage]") -> list[str]:
    """What the model said so far: what makes a repeated question another than the first one."""
    return [
        f"{response.text or ''}{[call.args for call in response.tool_calls]}"
        for response in messages
        if response.kind == "response"
    ]


def _object(value: Json, schema: dict[str, Json]) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(f"it is a JSON {type(value).__name__}")
    return cast("dict[str, Json]", pruned(value, schema))


def _arguments(args: str | dict[str, Any] | None) -> str:
    return args if isinstance(args, str) else json.dumps(args or {})


def _again(response: "ModelResponse", findings: list[str]) -> "ModelRequest":
    """The request that follows an answer which did not fit."""
    from pydantic_ai.messages import ModelRequest, ToolReturnPart, UserPromptPart

    message = findings_message(findings)
    calls = response.tool_calls
    if not calls:
        return ModelRequest(parts=[UserPromptPart(message)])
    parts = [
        ToolReturnPart(tool_name=call.tool_name, content=message, tool_call_id=call.tool_call_id) for call in calls
    ]
    return ModelRequest(parts=parts)


def _to_last_sentence(text: str) -> str:
    """The text up to its last full sentence, when that keeps at least half of it."""
    end = max(text.rfind(mark) for mark in ".!?\n")
    return text[: end + 1].rstrip() if end >= len(text) // 2 else text
