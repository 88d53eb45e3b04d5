"""Translating our messages to pydantic-ai's, and its answers to ours. Only clients built on pydantic-ai import this."""

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from pipelex.inference.chat.messages import Answer, AnswerForm, AttachedFile, Message, Question, TokenCounts, ToolUse

_REASONS = ("stop", "length", "content_filter", "tool_call", "error")


def to_library(messages: list[Message]) -> list[ModelMessage]:
    """A conversation in the library's form. Answers without content are left out, because providers refuse them."""
    found: list[ModelMessage] = []
    for message in messages:
        if isinstance(message, Question):
            found.append(_request(message))
        elif isinstance(message.said, ModelResponse):
            found.append(message.said)
    return found


def _request(question: Question) -> ModelRequest:
    parts: list[ModelRequestPart] = []
    if question.system:
        parts.append(SystemPromptPart(question.system))
    if question.text is not None:
        attached: list[UserContent] = [question.text, *map(_content, question.files)]
        parts.append(UserPromptPart(attached if question.files else question.text))
    parts += [
        ToolReturnPart(tool_name=reply.use.name, content=reply.text, tool_call_id=reply.use.id)
        for reply in question.replies
    ]
    return ModelRequest(parts=parts)


def _content(file: AttachedFile) -> UserContent:
    if file.is_text:
        return file.inlined
    metadata = {"detail": file.detail} if file.detail is not None else None
    return BinaryContent(file.data, media_type=file.media_type, vendor_metadata=metadata)


def to_parameters(form: AnswerForm) -> ModelRequestParameters:
    """The form of an answer, in the library's terms."""
    match form.method:
        case "tool":
            tool = ToolDefinition(
                name=form.name,
                parameters_json_schema=form.schema,
                description=form.description,
                kind="output",
                strict=form.is_strict,
            )
            return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
        case "native":
            native = OutputObjectDefinition(
                json_schema=form.schema, name=form.name, description=form.description, strict=form.is_strict
            )
            return ModelRequestParameters(output_mode="native", output_object=native, allow_text_output=False)
        case "json":
            # The prompt already contains the schema; without a template, the library does not add it again.
            told = OutputObjectDefinition(json_schema=form.schema, name=form.name)
            return ModelRequestParameters(output_mode="prompted", output_object=told, prompted_output_template=False)
        case _:
            return ModelRequestParameters()


def from_library(response: ModelResponse) -> Answer:
    """An answer of the library, as ours."""
    usage, details = response.usage, response.provider_details or {}
    return Answer(
        text=response.text,
        thinking=response.thinking,
        tool_uses=tuple(
            ToolUse(call.tool_call_id, call.tool_name, call.args if isinstance(call.args, str) else call.args or {})
            for call in response.tool_calls
        ),
        finish_reason=response.finish_reason if response.finish_reason in _REASONS else None,
        usage=TokenCounts(
            _count(usage.input_tokens),
            _count(usage.output_tokens),
            _count(usage.cache_read_tokens),
            usage.details.get("reasoning_tokens"),
        ),
        model_name=response.model_name,
        response_id=response.provider_response_id,
        refusal=str(details.get("refusal", "")),
        listed_price=lambda: _listed(response),
        said=response if response.parts else None,
    )


def _count(found: object) -> int:
    """A token count; 0 if it is missing or not valid, because some clients pass on whatever a server sends."""
    return int(found) if isinstance(found, int | float) and found > 0 else 0


def _listed(response: ModelResponse) -> float | None:
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None
