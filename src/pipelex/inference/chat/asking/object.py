"""Asking a language model for an object, until its answer fits or the budget of questions is used up.

pydantic-ai's agent repeats questions, too, but within one run of its own: it knows nothing of the attempts before, so
that repeated questions and repeated attempts would multiply, and the parts it repeats a question with change from one
minor release to the next. So the loop is ours, and the forms of a request (tools, native schemas, JSON modes, strict
schemas) are pydantic-ai's.
"""

from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.facts import redacted
from pipelex.inference.calls.logical import current_ledger
from pipelex.inference.calls.usage import call_usage
from pipelex.inference.chat.asking.conversation import Conversation
from pipelex.inference.chat.options import ChatOptions
from pipelex.inference.chat.provider import SentSchema
from pipelex.inference.chat.structured import (
    Method,
    WantedObject,
    findings_message,
    read_candidates,
    structure_method,
)
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import add_usage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestParameters

_TOOL = "answer"


async def ask_object(
    conversation: Conversation, prompt: LLMPrompt, wanted: WantedObject, options: ChatOptions
) -> tuple[dict[str, Json], ModelUsage]:
    """One object that fits, and what all questions used.

    Raises:
        PipelexError: the model cannot be asked, refused or failed, or never gave an object that fits.
    """
    call, provider, ledger = conversation.call, conversation.provider, current_ledger()
    method = provider.method(structure_method(call.entry))
    is_told = method in ("json", "markdown") or options.is_structure_prompt_enabled
    request = await conversation.opened(prompt, wanted.prompt if is_told else None)
    parameters = _parameters(method, wanted, provider.sent(wanted.schema, method))
    messages: list[ModelMessage] = [request]
    usages, findings = list[ModelUsage](), list[str]()
    while True:
        response = await conversation.ask(messages, parameters, is_structured=True)
        usages.append(call_usage(call.entry, response))
        if response.finish_reason == "length":
            raise conversation.cut(response)
        value, findings = wanted.taken(_candidates(response))
        if value is not None:
            return value, reduce(add_usage, usages)
        ledger.unfit += 1
        if ledger.unfit > options.schema_reask_max_attempts:
            raise _mismatch(conversation, wanted, ledger.unfit, findings)
        messages += _again(response, findings)


def _mismatch(conversation: Conversation, wanted: WantedObject, answers: int, findings: list[str]) -> PipelexError:
    entry = conversation.call.entry
    said = redacted("; ".join(findings[:3]), conversation.provider.secrets)
    return PipelexError(
        "model.output_schema_mismatch",
        f"{answers} answers of {entry.handle!r} did not fit {wanted.concept}: {said}",
        category=ErrorCategory.CONTENT,  # the repeated questions were the retry
        params={"model": entry.handle, "concept": wanted.concept},
        provider=entry.backend,
        model=entry.handle,
        advice="Name a stronger model, or make the structure simpler.",
    )


def _parameters(method: Method, wanted: WantedObject, sent: SentSchema) -> "ModelRequestParameters":
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    code = wanted.concept.rpartition(".")[2]
    name = "".join(letter if letter.isalnum() else "_" for letter in code) or _TOOL
    description: str | None = sent.schema.get("description")
    if method == "tool":
        tool = ToolDefinition(
            name=_TOOL,
            parameters_json_schema=sent.schema,
            description=description or f"Give the {name} that was asked for.",
            kind="output",
            strict=sent.is_strict,
        )
        return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
    if method == "native":
        native = OutputObjectDefinition(
            json_schema=sent.schema, name=name, description=description, strict=sent.is_strict
        )
        return ModelRequestParameters(output_mode="native", output_object=native, allow_text_output=False)
    if method == "json":
        # The prompt carries the schema; the template keeps the library from adding it a second time.
        told = OutputObjectDefinition(json_schema=sent.schema, name=name)
        return ModelRequestParameters(output_mode="prompted", output_object=told, prompted_output_template=False)
    return ModelRequestParameters()


def _candidates(response: "ModelResponse") -> Iterator[Json]:
    """What the answer may be, the most likely first: each tool's arguments, the text, and last what was thought."""
    for call in response.tool_calls:
        if isinstance(call.args, str):
            yield from read_candidates(call.args)
        else:
            yield call.args or {}
    yield from read_candidates(response.text or "")
    yield from read_candidates(response.thinking or "")


def _again(response: "ModelResponse", findings: list[str]) -> "list[ModelMessage]":
    """The answer that did not fit, and the request that follows it."""
    from pydantic_ai.messages import ModelRequest, ToolReturnPart, UserPromptPart

    message, calls = findings_message(findings), response.tool_calls
    said: list[ModelMessage] = [response] if response.parts else []  # providers refuse a message without a content
    if not calls:
        return [*said, ModelRequest(parts=[UserPromptPart(message)])]
    parts = [
        ToolReturnPart(tool_name=call.tool_name, content=message, tool_call_id=call.tool_call_id) for call in calls
    ]
    return [*said, ModelRequest(parts=parts)]
