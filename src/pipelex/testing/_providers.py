"""The providers of a `ScriptedModel`, one for each family, which are found by the sdk `scripted` like any provider.

They replace only the client of a real provider. Everything else is the code of an ordinary run: the deck, prompts and
attachments, schemas and repeated questions, classified failures, retries, usage and spans.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast
from weakref import WeakValueDictionary

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import Json, as_objects
from pipelex.inference.calls.asker import asker
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.chat.messages import (
    Answer,
    AnswerForm,
    Message,
    Question,
    RequestSettings,
    TokenCounts,
    ToolUse,
)
from pipelex.inference.chat.provider import SentSchema
from pipelex.inference.chat.settings import CallSettings
from pipelex.inference.chat.structured import Method, Schema, prompt_with_schema
from pipelex.inference.deck.catalog import Backend
from pipelex.inference.extract.provider import ExtractAsk, ExtractedPage, Keeper, SourceFile
from pipelex.inference.images.ask import ImageAsk
from pipelex.inference.images.provider import DrawnImages, Fetch
from pipelex.inference.search.provider import SearchAsk, SourcedAnswer
from pipelex.language.blueprints import ModelFamily
from pipelex.pipes.effects.jobs import ContentListResult
from pipelex.pipes.effects.requests import JudgeRequest
from pipelex.pipes.models import ModelUsage
from pipelex.testing._picture import picture
from pipelex.testing._script import Asked, Failure, Refusal, Reply, ScriptedModel, ScriptExhausted

SDK: Final = "scripted"
"""The sdk of every model that a script answers for."""
_KEY: Final = "script"
"""The key of a backend's table that names its script."""

_scripts: WeakValueDictionary[str, ScriptedModel] = WeakValueDictionary()


def keep(model: ScriptedModel) -> str:
    """Register a script, and return its name. The process finds it by this name as long as it is referenced."""
    name = f"script-{id(model):x}"
    _scripts[name] = model
    return name


def script_of(backend: Backend) -> ScriptedModel:
    """The script of a backend.

    Raises:
        PipelexError: this process has no script of that name, because a worker in another process was asked.
    """
    found = _scripts.get(str(backend.extra.get(_KEY, "")))
    if found is None:
        raise PipelexError(
            "runtime.misconfigured",
            f"the backend {backend.id!r} answers by a script, which this process does not have",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "testing"},
            advice="Open the runtime with pipelex.testing.scripted or pipelex.testing.durable, in the test's own process.",
        )
    return found


class _StatusError(Exception):
    """A failure with an HTTP status, with the attributes by which failures of providers are classified."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status
        self.body = {"error": {"message": message}}


def _answer(call: ModelCall, family: ModelFamily, prompt: str, **more: Any) -> Reply:
    """The script's answer to a request.

    Raises:
        PipelexError: the script refuses, fails, or has no answer left.
    """
    asked = Asked(family, call.entry.handle, asker(), prompt, **more)
    try:
        given = script_of(call.backend).answer(asked)
    except ScriptExhausted as exhausted:
        raise PipelexError(
            "runtime.misconfigured",
            str(exhausted),
            category=ErrorCategory.CONFIGURATION,
            params={"component": "testing"},
            model=call.entry.handle,
        ) from None
    if isinstance(given, Failure):
        raise call.failure(_StatusError(given.status, given.message))
    if isinstance(given, Refusal):
        raise PipelexError(
            "model.content_refused",
            given.text,
            category=ErrorCategory.CONTENT,
            params={"model": call.entry.handle},
            provider=call.backend.id,
            model=call.entry.handle,
        )
    return given if isinstance(given, Reply) else Reply(given)


class ScriptedChat:
    """The provider of language models: texts, and objects by the method that the model's entry sets."""

    effort_map = ""
    cuts_softly = False
    secrets: tuple[str, ...] = ()

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def method(self, wanted: Method) -> Method:
        return wanted

    async def prepare(self, call: ModelCall) -> None:
        """Nothing is connected."""

    async def request(
        self,
        call: ModelCall,
        messages: list[Message],
        settings: RequestSettings,
        form: AnswerForm,
    ) -> Answer:
        schema = form.schema if form.method in ("tool", "native", "json") else None
        prompt, said = _read(messages)
        if schema is not None:  # the schema already says what the prompt adds about the structure
            prompt = prompt.removesuffix(f"\n\n{prompt_with_schema(schema)}")
        reply = _answer(call, "llm", prompt, schema=schema, **said)
        return _response(reply, prompt, schema, form)

    def request_settings(self, call: ModelCall, settings: CallSettings, *, is_structured: bool) -> RequestSettings:
        return {}

    def identified(self, settings: RequestSettings, *parts: str) -> RequestSettings:
        return settings

    def sent(self, schema: Schema, method: Method) -> SentSchema:
        return SentSchema(schema)

    async def aclose(self) -> None:
        """Nothing is connected."""


def _read(messages: list[Message]) -> tuple[str, dict[str, Any]]:
    """The text of a conversation's first message, and the other members of `Asked`."""
    first, last, found = messages[0], messages[-1], dict[str, Any]()
    assert isinstance(first, Question)
    if first.system is not None:
        found["system"] = first.system
    if first.files:
        found["images"] = sum(file.is_image for file in first.files)
        found["documents"] = len(first.files) - found["images"]
    if len(messages) > 1 and isinstance(last, Question):
        found["again"] = last.replies[-1].text if last.replies else last.text or ""
    return first.text or "", found


def _response(reply: Reply, prompt: str, schema: dict[str, Any] | None, form: AnswerForm) -> Answer:
    content: Any = _plain(reply.content)
    if isinstance(content, list) and schema is not None and "items" in schema.get("properties", {}):
        content = {"items": cast("list[Any]", content)}
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    usage = TokenCounts(_counted(reply.input_tokens, prompt), _counted(reply.output_tokens, text))
    is_tool = form.method == "tool" and not isinstance(content, str)
    return Answer(
        text=None if is_tool else text,
        tool_uses=(ToolUse("call_0", form.name, text),) if is_tool else (),
        finish_reason="length" if reply.is_cut else "stop",
        usage=usage,
    )


def _plain(value: Any) -> Any:
    """An answer as JSON: pydantic models become objects."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    return value


def _counted(told: int | None, text: str) -> int:
    return len(text.split()) if told is None else told


class ScriptedImages:
    """The provider of images: the bytes that a script returns, or a default picture."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call

    async def draw(self, wanted: ImageAsk, fetch: Fetch) -> DrawnImages:
        reply = _answer(self._call, "img_gen", wanted.full_prompt, images=len(wanted.references))
        content: Any = reply.content
        given = cast("list[Any]", content) if isinstance(content, list) else [content] * wanted.count
        images = [(data, "image/png") if isinstance(data, bytes) else picture() for data in given]
        return DrawnImages(images, _usage(self._call))


class ScriptedSearch:
    """The provider of searches: an answer as a text, or with its sources."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call

    async def search(self, wanted: SearchAsk) -> SourcedAnswer:
        content = _plain(_answer(self._call, "search", wanted.request.query).content)
        if isinstance(content, Mapping):
            table = cast("Mapping[str, Json]", content)
            return SourcedAnswer(
                str(table.get("answer", "")), [dict(source) for source in as_objects(table.get("sources", []))]
            )
        return SourcedAnswer(str(content))


class ScriptedExtractor:
    """The provider of extractions: the text of each page. Extractors that are part of this package are not scripted."""

    reads_by_address = False

    def __init__(self, call: ModelCall) -> None:
        self._call = call

    async def extract(self, source: SourceFile, wanted: ExtractAsk, keeper: Keeper) -> list[ExtractedPage]:
        content = _answer(self._call, "extract", source.name, documents=1).content
        pages = [content] if isinstance(content, str) else cast("Sequence[Any]", content)
        return [ExtractedPage(str(page)) for page in pages]


class ScriptedJudge:
    """The provider of judgments: one verdict for each question, by name or in order. None is a refused question."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call

    async def judge(self, request: JudgeRequest) -> ContentListResult:
        content = _plain(_answer(self._call, "judgment", request.evidence.user).content)
        if isinstance(content, Mapping):
            verdicts = cast("Mapping[str, Json]", content)
            is_named = any(question.name in verdicts for question in request.questions)
            content = [verdicts.get(question.name or "") for question in request.questions] if is_named else [verdicts]
        return ContentListResult(contents=tuple(cast("list[Json]", content)), usage=_usage(self._call))


def _usage(call: ModelCall) -> ModelUsage:
    return ModelUsage(handle=call.entry.handle, backend=call.backend.id, calls=1, cost_usd=0.0)
