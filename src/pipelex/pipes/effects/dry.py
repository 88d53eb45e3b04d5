"""Dry runs: every effect mocked from the declared types, whatever the orchestrator."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from pipelex.content.structure import example
from pipelex.content.stuff import Json, Stuff
from pipelex.library import Library
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunOptions
from pipelex.pipes.effects.jobs import TemplateResult
from pipelex.pipes.effects.requests import (
    DocumentRequest,
    ExtractRequest,
    FunctionRequest,
    ImageRequest,
    JudgeRequest,
    LLMPrompt,
    ObjectSpec,
    SearchRequest,
    TemplateRequest,
    ViewsRequest,
)
from pipelex.pipes.models import ModelChoice
from pipelex.pipes.runtime import Runtime

T = TypeVar("T")

MOCK_LIST_ITEMS: Final = 3
MOCK_PAGES: Final = 4
MOCK_TEXT_LENGTH: Final = 256

_MIME_TYPES: Final = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


class DryRuntime:
    """A runtime whose effects are made up; child pipes and renderings go to the real one."""

    def __init__(self, library: Library, runtime: Runtime) -> None:
        self._library = library
        self._runtime = runtime

    @property
    def options(self) -> RunOptions:
        return self._runtime.options

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        return await self._runtime.run_pipe(call)

    async def run_batch(self, batch: BatchCall) -> BatchOutcome:
        return await self._runtime.run_batch(batch)

    async def load(self, value: Stuff) -> Stuff:
        return await self._runtime.load(value)

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        return await self._runtime.together(efforts)

    async def render_template(self, request: TemplateRequest) -> TemplateResult:
        return await self._runtime.render_template(request)

    async def generate_text(self, model: ModelChoice, prompt: LLMPrompt) -> str:
        del model
        return f"DRY RUN: {prompt.user.strip()[:MOCK_TEXT_LENGTH]}"

    async def generate_object(self, model: ModelChoice, prompt: LLMPrompt, spec: ObjectSpec) -> dict[str, Json]:
        del model, prompt
        return example(self._library.shape(spec.concept))

    async def generate_object_list(
        self, model: ModelChoice, prompt: LLMPrompt, spec: ObjectSpec, count: int | None
    ) -> list[dict[str, Json]]:
        del model, prompt
        shape = self._library.shape(spec.concept)
        return [example(shape) for _ in range(MOCK_LIST_ITEMS if count is None else count)]

    async def generate_images(self, model: ModelChoice, request: ImageRequest) -> list[dict[str, Json]]:
        del model
        image = self._example("Image")
        return [{**image, "source_prompt": request.prompt[:MOCK_TEXT_LENGTH]} for _ in range(request.count)]

    async def extract_pages(self, model: ModelChoice, request: ExtractRequest) -> list[dict[str, Json]]:
        del model
        page = self._example("Page")
        return [page] * (1 if request.source_kind == "image" else MOCK_PAGES)

    async def render_page_views(self, request: ViewsRequest) -> list[dict[str, Json]]:
        del request
        return []

    async def search(self, model: ModelChoice, request: SearchRequest) -> dict[str, Json]:
        del model, request
        return self._example("SearchResult")

    async def judge(self, model: ModelChoice, request: JudgeRequest) -> list[dict[str, Json] | None]:
        del model
        verdicts: list[dict[str, Json] | None] = []
        for question in request.questions:
            if question.options is not None:
                verdicts.append({"choice": next(iter(question.options))})
            elif question.levels is not None:
                label = question.levels[0].get("label")
                verdicts.append({"level": 0, **({"label": label} if label is not None else {})})
            else:
                verdicts.append({"yes_no": True})
        return verdicts

    async def call_function(self, request: FunctionRequest) -> Json:
        content = example(self._library.shape(request.output_concept))
        return {"items": [content] * MOCK_LIST_ITEMS} if request.is_list else content

    async def generate_document(self, model: ModelChoice, request: DocumentRequest) -> dict[str, Json]:
        del model
        return {
            "url": f"https://mock.invalid/{request.filename}.{request.format}",
            "mime_type": _MIME_TYPES[request.format],
            "filename": f"{request.filename}.{request.format}",
        }

    def _example(self, native: str) -> dict[str, Json]:
        return example(self._library.shape(f"native.{native}"))
