"""Asking a language model for an object, until its answer fits or the budget of questions is used up.

pydantic-ai's agent repeats questions, too, but only within a run of its own. It knows nothing of earlier attempts, so
repeated questions and repeated attempts would multiply, and the parts that it repeats a question with change between
its minor releases. So the loop is our own, and each client knows the forms of its requests (tools, native schemas, JSON
modes, strict schemas).
"""

from collections.abc import Iterator
from functools import reduce

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.surrogates import mended_json
from pipelex.inference.calls.facts import redacted
from pipelex.inference.calls.logical import current_ledger
from pipelex.inference.chat.asking.conversation import Conversation
from pipelex.inference.chat.asking.usage import call_usage
from pipelex.inference.chat.messages import Answer, AnswerForm, Message, Question, ToolReply
from pipelex.inference.chat.options import ChatOptions
from pipelex.inference.chat.provider import SentSchema
from pipelex.inference.chat.structured import (
    Method,
    WantedObject,
    faults_message,
    read_candidates,
    structure_method,
)
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import add_usage

_TOOL = "answer"


async def ask_object(
    conversation: Conversation, prompt: LLMPrompt, wanted: WantedObject, options: ChatOptions
) -> tuple[dict[str, Json], ModelUsage]:
    """An object that fits, and the usage of all questions.

    Raises:
        PipelexError: the model cannot be asked, refused or failed, or never gave an object that fits.
    """
    call, provider, ledger = conversation.call, conversation.provider, current_ledger()
    method = provider.method(structure_method(call.entry))
    is_told = method in ("json", "markdown") or options.is_structure_prompt_enabled
    request = await conversation.opened(prompt, wanted.prompt if is_told else None)
    form = _form(method, wanted, provider.sent(wanted.schema, method))
    messages: list[Message] = [request]
    usages, faults = list[ModelUsage](), list[str]()
    while True:
        response = await conversation.ask(messages, form, is_structured=True)
        usages.append(call_usage(call.entry, response))
        if response.finish_reason == "length":
            raise conversation.cut(response)
        value, faults = wanted.taken(map(mended_json, _candidates(response)))
        if value is not None:
            return value, reduce(add_usage, usages)
        ledger.unfit += 1
        if ledger.unfit > options.schema_reask_max_attempts:
            raise _mismatch(conversation, wanted, ledger.unfit, faults)
        messages += _again(response, faults)


def _mismatch(conversation: Conversation, wanted: WantedObject, answers: int, faults: list[str]) -> PipelexError:
    entry = conversation.call.entry
    said = redacted("; ".join(faults[:3]), conversation.provider.secrets)
    return PipelexError(
        "model.output_schema_mismatch",
        f"{answers} answers of {entry.handle!r} did not fit {wanted.concept}: {said}",
        category=ErrorCategory.CONTENT,  # the repeated questions were the retry
        params={"model": entry.handle, "concept": wanted.concept},
        provider=entry.backend,
        model=entry.handle,
        advice="Name a stronger model, or make the structure simpler.",
    )


def _form(method: Method, wanted: WantedObject, sent: SentSchema) -> AnswerForm:
    code = wanted.concept.rpartition(".")[2]
    name = "".join(letter if letter.isalnum() else "_" for letter in code) or _TOOL
    description: str | None = sent.schema.get("description")
    if method == "tool":
        told = description or f"Give the {name} that was asked for."
        return AnswerForm(method, _TOOL, told, sent.schema, sent.is_strict)
    return AnswerForm(method, name, description, sent.schema, sent.is_strict)


def _candidates(answer: Answer) -> Iterator[Json]:
    """The candidates for the answer, the most likely first: each tool's arguments, the text, and last the thoughts."""
    for use in answer.tool_uses:
        if isinstance(use.arguments, str):
            yield from read_candidates(use.arguments)
        else:
            yield use.arguments
    yield from read_candidates(answer.text or "")
    yield from read_candidates(answer.thinking or "")


def _again(answer: Answer, faults: list[str]) -> list[Message]:
    """The answer that did not fit, and the question that follows it."""
    message, uses = faults_message(faults), answer.tool_uses
    if not uses:
        return [answer, Question(message)]
    return [answer, Question(replies=tuple(ToolReply(use, message) for use in uses))]
