"""From what a pipe asks for to the job somebody performs: written once, so that orchestrators differ only in where.

`EffectRuntime` implements every effect of the runtime port over two questions an orchestrator answers: which model a
choice means, and how a job is performed.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipelex.content.stuff import Json, Stuff
from pipelex.language.references import Reference
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunOptions
from pipelex.pipes.effects.jobs import (
    ContentListResult,
    ContentResult,
    DocumentJob,
    ExtractJob,
    ImageJob,
    JudgeJob,
    LLMObjectJob,
    LLMObjectListJob,
    LLMObjectListResult,
    LLMObjectResult,
    LLMTextJob,
    LLMTextResult,
    SearchJob,
    TemplateResult,
)
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
from pipelex.pipes.models import ModelChoice, ModelUsage, ResolvedModel
from pipelex.pipes.usage import Meter
from pipelex.pipes.wire import Wire

R = TypeVar("R", bound=Wire)
T = TypeVar("T")


@dataclass(frozen=True)
class Effect(Generic[R]):
    """A job to perform outside the pipe's own code."""

    activity: str
    """The activity's documented name."""
    summary: str
    """One line for people: what, for which pipe, with which model; never any prompt text."""
    job: Wire
    result: type[R]
    model: ResolvedModel | None = None
    key: str | None = None
    """The routing key of an effect without a model: a function's name."""


class EffectRuntime(ABC):
    """The runtime port for one pipe run, short of how children run and jobs are performed.

    Args:
        pipe: reference of the pipe that runs.
        options: what shapes the run.
    """

    def __init__(self, pipe: str, options: RunOptions) -> None:
        self._pipe = pipe
        self._options = options
        self.meter = Meter()

    @property
    def options(self) -> RunOptions:
        return self._options

    # --- what an orchestrator answers ---------------------------------------------------------------------------------

    @abstractmethod
    def resolve(self, model: ModelChoice) -> ResolvedModel:
        """The model behind a choice, as configured here.

        Raises:
            PipelexError: no such model, or none that is served.
        """

    @abstractmethod
    async def perform(self, effect: Effect[R]) -> R:
        """Have a job done; transient failures are repeated on the way.

        Raises:
            PipelexError: it failed for good.
        """

    @abstractmethod
    async def run_pipe(self, call: PipeCall) -> PipeOutcome: ...

    @abstractmethod
    async def run_batch(self, batch: BatchCall) -> BatchOutcome: ...

    @abstractmethod
    async def load(self, value: Stuff) -> Stuff: ...

    @abstractmethod
    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]: ...

    # --- effects ------------------------------------------------------------------------------------------------------

    async def generate_text(self, model: ModelChoice, prompt: LLMPrompt) -> str:
        resolved = self.resolve(model)
        job = LLMTextJob(model=resolved, prompt=prompt)
        effect = Effect("act_llm_gen_text", self._summary("LLM text", resolved), job, LLMTextResult, resolved)
        result = await self.perform(effect)
        self._used(result.usage)
        return result.text

    async def generate_object(self, model: ModelChoice, prompt: LLMPrompt, spec: ObjectSpec) -> dict[str, Json]:
        resolved = self.resolve(model)
        job = LLMObjectJob(model=resolved, prompt=prompt, spec=spec)
        summary = self._summary("LLM object", resolved, spec.concept)
        result = await self.perform(Effect("act_llm_gen_object", summary, job, LLMObjectResult, resolved))
        self._used(result.usage)
        return result.content

    async def generate_object_list(
        self, model: ModelChoice, prompt: LLMPrompt, spec: ObjectSpec, count: int | None
    ) -> list[dict[str, Json]]:
        resolved = self.resolve(model)
        job = LLMObjectListJob.sparse(model=resolved, prompt=prompt, spec=spec, count=count)
        summary = self._summary("LLM object list", resolved, spec.concept)
        result = await self.perform(Effect("act_llm_gen_object_list", summary, job, LLMObjectListResult, resolved))
        self._used(result.usage)
        return list(result.items)

    async def generate_images(self, model: ModelChoice, request: ImageRequest) -> list[dict[str, Json]]:
        resolved = self.resolve(model)
        summary = self._summary(f"Image gen {request.count}×", resolved)
        return await self._contents("act_img_gen_images", summary, ImageJob(model=resolved, request=request), resolved)

    async def extract_pages(self, model: ModelChoice, request: ExtractRequest) -> list[dict[str, Json]]:
        resolved = self.resolve(model)
        summary = f"Extract pages · pipe={Reference.parse(self._pipe).code} · handle={resolved.handle}"
        job = ExtractJob(model=resolved, request=request)
        return await self._contents("act_extract_gen_extract_pages", summary, job, resolved)

    async def render_page_views(self, request: ViewsRequest) -> list[dict[str, Json]]:
        return await self._contents("act_render_page_views", self._summary("Render page views"), request, None)

    async def judge(self, model: ModelChoice, request: JudgeRequest) -> list[dict[str, Json] | None]:
        resolved = self.resolve(model)
        job = JudgeJob(model=resolved, request=request)
        return await self._contents("act_judge_gen", self._summary("Judge", resolved), job, resolved)

    async def search(self, model: ModelChoice, request: SearchRequest) -> dict[str, Json]:
        resolved = self.resolve(model)
        job = SearchJob(model=resolved, request=request)
        return await self._content("act_search_gen_sourced_answer", self._summary("Search", resolved), job, resolved)

    async def generate_document(self, model: ModelChoice, request: DocumentRequest) -> dict[str, Json]:
        resolved = self.resolve(model)
        job = DocumentJob(model=resolved, request=request)
        return await self._content("act_doc_gen", self._summary(f"Document {request.format}", resolved), job, resolved)

    async def call_function(self, request: FunctionRequest) -> Json:
        summary = f"{self._summary('Function')} · function={request.function}"
        return await self._content("act_func_call", summary, request, None, key=request.function)

    async def render_template(self, request: TemplateRequest) -> TemplateResult:
        return await self.perform(
            Effect("act_jinja2_gen_text", self._summary("Templated text"), request, TemplateResult)
        )

    async def _contents(self, activity: str, summary: str, job: Wire, model: ResolvedModel | None) -> list[Json]:
        result = await self.perform(Effect(activity, summary, job, ContentListResult, model))
        self._used(result.usage)
        return list(result.contents)

    async def _content(
        self, activity: str, summary: str, job: Wire, model: ResolvedModel | None, *, key: str | None = None
    ) -> Json:
        result = await self.perform(Effect(activity, summary, job, ContentResult, model, key))
        self._used(result.usage)
        return result.content

    def _used(self, usage: ModelUsage | None) -> None:
        if usage is not None:
            self.meter.add((usage,))

    def _summary(self, what: str, model: ResolvedModel | None = None, concept: str | None = None) -> str:
        """`LLM object · pipe=read_invoice · class=Invoice · model=gpt-4o-mini`."""
        parts = [what, f"pipe={Reference.parse(self._pipe).code}"]
        if concept is not None:
            parts.append(f"class={Reference.parse(concept).code}")
        if model is not None:
            parts.append(f"model={model.handle}")
        return " · ".join(parts)
