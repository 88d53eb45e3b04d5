"""Asking one language model: for a text once, for an object until its answer fits."""

import json
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, cast

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.classify import (
    classify_provider_error,
    invalid_response,
    refused_content,
    truncated_output,
)
from pipelex.inference.calls.facts import redacted
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.usage import call_usage
from pipelex.inference.chat.asking.messages import PromptFiles, first_request
from pipelex.inference.chat.asking.spans import answered, chat
from pipelex.inference.chat.options import ChatOptions
from pipelex.inference.chat.provider import ChatProvider
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import (
    Method,
    SchemaCheck,
    findings_message,
    prompt_with_schema,
    pruned,
    read_json,
    structure_method,
)
from pipelex.pipes.effects.requests import LLMPrompt, ObjectSpec
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import add_usage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
    from pydantic_ai.models import ModelRequestParameters

_TOOL = "answer"


@dataclass(frozen=True)
class Conversation:
    """What is the same in every request of one job to one model."""

    call: ModelCall
    provider: ChatProvider
    settings: CallSettings
    files: PromptFiles

    async def opened(self, prompt: LLMPrompt, extra: str | None = None) -> "ModelRequest":
        """The first message."""
        return await first_request(prompt, self.files, image_detail=self.settings.image_detail, extra=extra)

    async def ask(
        self, messages: "list[ModelMessage]", parameters: "ModelRequestParameters", *, is_structured: bool
    ) -> "ModelResponse":
        """One request, in a span of its own."""
        call = self.call
        with chat(call.entry, call.backend, self.settings, messages, is_structured=is_structured) as span:
            response = await self._request(messages, parameters, is_structured=is_structured)
            answered(span, call.entry, response)
            return response

    async def _request(
        self, messages: "list[ModelMessage]", parameters: "ModelRequestParameters", *, is_structured: bool
    ) -> "ModelResponse":
        """One request. What the client library raises is replaced, not chained: its text may hold a key."""
        entry, failure = self.call.entry, None
        try:
            await self.provider.prepare(self.call)
            settings = self.provider.request_settings(self.call, self.settings, is_structured=is_structured)
            settings = self.provider.identified(settings, entry.handle, *_answers(messages))
            response = await self.provider.request(self.call, messages, settings, parameters)
        except Exception as error:
            failure = classify_provider_error(
                error,
                provider=entry.backend,
                model=entry.handle,
                secrets=self.provider.secrets,
                variables=self.call.backend.variables,
            )
        else:
            if response.finish_reason == "content_filter":
                said = (response.provider_details or {}).get("refusal", "")
                failure = refused_content(entry.backend, entry.handle, str(said))
            else:
                return response
        raise failure

    def cut(self, response: "ModelResponse") -> PipelexError:
        """The answer ended at the limit of its tokens."""
        entry, tokens = self.call.entry, response.usage.output_tokens
        return truncated_output(entry.backend, entry.handle, self.settings.max_tokens, tokens)


async def ask_text(conversation: Conversation, prompt: LLMPrompt) -> tuple[str, ModelUsage]:
    """One completion, and what it used.

    Raises:
        PipelexError: the model cannot be asked, refused or failed.
    """
    from pydantic_ai.models import ModelRequestParameters

    entry = conversation.call.entry
    request = await conversation.opened(prompt)
    response = await conversation.ask([request], ModelRequestParameters(), is_structured=False)
    text = (response.text or "").strip()
    is_cut = response.finish_reason == "length"
    if is_cut and (conversation.settings.max_tokens is not None or not conversation.provider.cuts_softly):
        raise conversation.cut(response)
    if is_cut:
        text = _to_last_sentence(text)
    if not text:
        raise invalid_response(entry.backend, entry.handle, "empty_answer")
    return text, call_usage(entry, response)


async def ask_object(
    conversation: Conversation, prompt: LLMPrompt, spec: ObjectSpec, schema: dict[str, Json], options: ChatOptions
) -> tuple[dict[str, Json], ModelUsage]:
    """One object that satisfies the schema, and what all questions used.

    Raises:
        PipelexError: the model cannot be asked, refused or failed, or never gave an object that fits.
    """
    call, provider = conversation.call, conversation.provider
    method = provider.method(structure_method(call.entry))
    is_told = method in ("json", "markdown") or options.is_structure_prompt_enabled
    request = await conversation.opened(prompt, prompt_with_schema(schema) if is_told else None)
    parameters = _structured_parameters(method, spec, provider.schema(schema))
    messages: list[ModelMessage] = [request]
    check, usages = SchemaCheck(schema), list[ModelUsage]()
    findings: list[str] = []
    for _ in range(options.schema_reask_max_attempts + 1):
        response = await conversation.ask(messages, parameters, is_structured=True)
        usages.append(call_usage(call.entry, response))
        if response.finish_reason == "length":
            raise conversation.cut(response)
        try:
            value = _object(provider.restored(_read_answer(response), schema), schema)
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
        + redacted("; ".join(findings[:3]), provider.secrets),
        category=ErrorCategory.CONTENT,  # the repeated questions were the retry
        params={"model": call.entry.handle, "concept": spec.concept},
        provider=call.entry.backend,
        model=call.entry.handle,
        advice="Name a stronger model, or make the structure simpler.",
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
