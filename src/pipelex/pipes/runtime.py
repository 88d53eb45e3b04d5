"""The runtime port: every effect a pipe may ask for.

A pipe's meaning is written once against `Runtime`; an orchestrator is an implementation of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from pipelex.content.stuff import Json, Stuff
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

T = TypeVar("T")


class Runtime(Protocol):
    """What an orchestrator offers to the one pipe run it was made for.

    Every method raises `PipelexError` when the effect fails for good; a pipe never repeats one by itself.
    """

    @property
    def options(self) -> RunOptions: ...

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        """Run one child pipe to its end."""
        ...

    async def run_batch(self, batch: BatchCall) -> BatchOutcome:
        """Run a child pipe on every item, at most `options.max_concurrency` in flight.

        The first failure cancels the others and is raised, unless `options.on_item_failure` says otherwise.
        """
        ...

    async def load(self, value: Stuff) -> Stuff:
        """A value with its content, wherever it was."""
        ...

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Await several efforts side by side; results in order; the first failure cancels the others and is raised."""
        ...

    async def generate_text(self, model: ModelChoice, prompt: LLMPrompt) -> str: ...

    async def generate_object(self, model: ModelChoice, prompt: LLMPrompt, spec: ObjectSpec) -> dict[str, Json]:
        """One object that satisfies the schema."""
        ...

    async def generate_object_list(
        self, model: ModelChoice, prompt: LLMPrompt, spec: ObjectSpec, count: int | None
    ) -> list[dict[str, Json]]:
        """Objects that satisfy the schema: exactly `count`, or as many as the model gives."""
        ...

    async def generate_images(self, model: ModelChoice, request: ImageRequest) -> list[dict[str, Json]]:
        """Image contents, each with the URL of a stored image."""
        ...

    async def extract_pages(self, model: ModelChoice, request: ExtractRequest) -> list[dict[str, Json]]:
        """Page contents, in order."""
        ...

    async def render_page_views(self, request: ViewsRequest) -> list[dict[str, Json]]:
        """An Image content of each page, in order."""
        ...

    async def search(self, model: ModelChoice, request: SearchRequest) -> dict[str, Json]:
        """A SearchResult content."""
        ...

    async def judge(self, model: ModelChoice, request: JudgeRequest) -> list[dict[str, Json] | None]:
        """One verdict content per question, None where the model refused to answer."""
        ...

    async def call_function(self, request: FunctionRequest) -> Json:
        """The function's result as content; for a list, `{"items": [...]}`."""
        ...

    async def generate_document(self, model: ModelChoice, request: DocumentRequest) -> dict[str, Json]:
        """A Document content with the URL of a stored file."""
        ...

    async def render_template(self, request: TemplateRequest) -> TemplateResult: ...
