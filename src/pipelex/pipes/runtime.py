"""The runtime port: every effect a pipe may ask for, and the values that cross it.

A pipe's meaning is written once against `Runtime`; an orchestrator is an implementation of it. Requests are frozen
pydantic models of plain JSON, so that they may cross a process boundary as they are; none of them holds anything
executable.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from pipelex.content.stuff import Absence, Json, Stuff

T = TypeVar("T")


class Wire(BaseModel):
    """Base of everything that crosses the port. Only members that were set are written to a payload."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def sparse(cls, **members: Any) -> Self:
        """An instance with only those members set that say more than their defaults, so that no other is written."""
        fields = cls.model_fields
        return cls(
            **{
                name: value
                for name, value in members.items()
                if value is not None and value not in ((), {}) and value != fields[name].default
            }
        )


def _read_stuff(value: Any) -> Stuff:
    return value if isinstance(value, Stuff) else Stuff.from_json(value)


def _read_absence(value: Any) -> Absence:
    return value if isinstance(value, Absence) else Absence.from_json(value)


StuffWire = Annotated[
    Stuff, PlainValidator(_read_stuff), PlainSerializer(Stuff.to_json), WithJsonSchema({"type": "object"})
]
AbsenceWire = Annotated[
    Absence, PlainValidator(_read_absence), PlainSerializer(Absence.to_json), WithJsonSchema({"type": "object"})
]

MOST_REPORTED: Final = 100
"""Failed items of a batch that are told with their reports; the others are counted."""

Family = Literal["llm", "extract", "img_gen", "search", "judgment", "doc_gen"]
Purpose = Literal["text", "object"]
OnItemFailure = Literal["fail", "collect"]


# --- a run ------------------------------------------------------------------------------------------------------------


class RunOptions(Wire):
    """What shapes the sequence of a run's commands: fixed when the run starts, and travels with it."""

    mode: Literal["live", "dry"] = "live"
    """`dry`: every effect is mocked from the declared types; nothing leaves the process."""
    max_concurrency: int = Field(default=8, ge=1)
    """Children of one batch in flight at a time."""
    slice_size: int = Field(default=500, ge=1)
    """A batch of more items than this is cut into slices of this size, each a unit of work of its own, where an
    orchestrator keeps a history for each."""
    on_item_failure: OnItemFailure = "fail"
    """What a failing item of a batch does: fail the run, or be left out of the list and reported."""
    child_workflows: Literal["every_pipe", "controllers"] = "every_pipe"
    """Which child pipes are units of work of their own: all, or only those that run other pipes."""
    stored_above: int | None = 131_072
    """Payloads of more bytes than this are kept in a store by whatever carries them; None: they travel whole. The default
    is that of a store, so that the jobs of a run with one need not say it."""
    full_memory: bool = False
    """Bring every name that a nested pipe leaves behind back to its caller, not only those that later steps read."""
    large_template_chars: int = Field(default=100_000, ge=0)
    """A template whose values are longer than this is rendered as an effect, not in the pipe's own code."""


class RunIdentity(Wire):
    """Who a run belongs to; the same in every child."""

    run_id: str
    session_id: str | None = None
    user_id: str | None = None


class ModelUsage(Wire):
    """What calls of one model used, summed up."""

    handle: str
    backend: str
    calls: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_usd: float | None = None
    """None when no price is known."""


class SlotOverride(Wire):
    """A step's say on how many values its pipe gives."""

    is_list: bool
    count: int | None = None


class PipeCall(Wire):
    """One pipe to run on the values it declares, nothing else."""

    pipe: str
    """Domain-qualified reference."""
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    """The present ones of the pipe's declared inputs."""
    path: tuple[str, ...] = ()
    """The steps from the entry pipe down to this one, for example `("2-analyze[17]", "1-summarize")`; empty at the root."""
    override: SlotOverride | None = None
    exports: tuple[str, ...] = ()
    """Names of a sequence's inner results that the caller's later steps read."""
    dynamic_output: str | None = None
    """The concept that stands for `Dynamic`."""


class ItemFailure(Wire):
    """An item of a batch that failed and was left out of the list."""

    index: int
    """Rank in the list, from 0."""
    path: tuple[str, ...]
    """Of the item's pipe run; see `PipeCall.path`."""
    error: dict[str, Json]
    """The report, as `ErrorReport.to_json` writes it."""


class ItemFailures(Wire):
    """The items that batches left out."""

    count: int
    first: tuple[ItemFailure, ...]
    """In the order of the items; at most `MOST_REPORTED` of them, for a report must not grow with the list."""


class PipeOutcome(Wire):
    """What a pipe gave: a value or a recorded absence, exactly one of the two."""

    stuff: StuffWire | None = None
    absence: AbsenceWire | None = None
    exports: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    usage: tuple[ModelUsage, ...] = ()
    """What the pipe and everything below it used, one entry per model."""
    failures: ItemFailures | None = None
    """Items that batches in the pipe or below it left out."""

    @property
    def value(self) -> Stuff | Absence:
        if self.stuff is not None:
            return self.stuff
        assert self.absence is not None
        return self.absence

    @classmethod
    def of(cls, value: Stuff | Absence) -> "PipeOutcome":
        return cls(stuff=value) if isinstance(value, Stuff) else cls(absence=value)


class BatchCall(Wire):
    """One pipe to run on every item of a list."""

    call: PipeCall
    """The call without the item; its last path segment is the stem of each item's own: `analyze` → `analyze[17]`."""
    item_name: str
    items: StuffWire
    """The list, possibly held by reference."""
    offset: int = 0
    """Rank of the first item in the whole list, for a slice of it."""

    @property
    def last(self) -> int:
        """Rank of the last item in the whole list."""
        return self.offset + self.items.count - 1

    def of_items(self, items: Stuff, offset: int) -> "BatchCall":
        """The same batch over other items of the whole list."""
        return self.model_copy(update={"items": items, "offset": offset})

    def item_call(self, index: int) -> PipeCall:
        """The call for one item of this slice."""
        *above, stem = self.call.path
        return self.call.model_copy(
            update={
                "inputs": {**self.call.inputs, self.item_name: Stuff(self.items.concept, self.items.items[index])},
                "path": (*above, f"{stem}[{self.offset + index}]"),
            }
        )


class BatchOutcome(Wire):
    """What a pipe gave on the items of a list."""

    values: StuffWire
    """In the order of the items, without those that are absent or failed; possibly held by reference."""
    usage: tuple[ModelUsage, ...] = ()
    failures: ItemFailures | None = None


# --- models -----------------------------------------------------------------------------------------------------------


class ModelChoice(Wire):
    """Which model a pipe asks for, before anything is looked up."""

    family: Family
    purpose: Purpose = "text"
    """Which of the family's defaults applies when the pipe names no model."""
    document: str | None = None
    """`<format>.<source>` of a document, which picks the default of the family `doc_gen`."""
    choice: str | dict[str, Json] | None = None
    """A reference (`$preset`, `@alias`, `~waterfall`, a handle), an inline settings table, or nothing."""


class ModelTarget(Wire):
    """One model of one backend."""

    handle: str
    backend: str


class ResolvedModel(Wire):
    """A model choice after presets, aliases, waterfalls and routing: what an effect is dispatched by."""

    handle: str
    backend: str
    settings: dict[str, Json] = Field(default_factory=dict[str, Json])
    """The family's settings (`temperature`, `max_tokens`, …), without `model` and `description`."""
    fallbacks: tuple[ModelTarget, ...] = ()
    """Asked in turn, with the same settings, when the provider fails; only where the settings allow it."""


# --- effects ----------------------------------------------------------------------------------------------------------


class LLMPrompt(Wire):
    """A prompt with its attachments, in the order of their tokens `[Image 1]`, `[Document 1]`."""

    user: str
    system: str | None = None
    images: tuple[dict[str, Json], ...] = ()
    """Image contents."""
    documents: tuple[dict[str, Json], ...] = ()
    """Document contents."""


class ObjectSpec(Wire):
    """The object a model is asked for."""

    concept: str
    """Domain-qualified, for messages and summaries."""
    json_schema: dict[str, Json]
    """JSON Schema (2020-12) of one content object."""


class ImageRequest(Wire):
    """Images from a prompt."""

    prompt: str
    negative_prompt: str | None = None
    count: int = 1
    reference_images: tuple[dict[str, Json], ...] = ()
    options: dict[str, Json] = Field(default_factory=dict[str, Json])
    """`aspect_ratio`, `size`, `is_raw`, `seed`, `background`, `output_format` as the pipe declares them."""


class ExtractRequest(Wire):
    """Pages from a document or an image."""

    source: dict[str, Json]
    """A Document or Image content."""
    source_kind: Literal["document", "image"]
    max_page_images: int | None = None
    page_image_captions: bool | None = None
    page_views: bool | None = None
    """Whether the extractor gives views of the pages, too; pipes ask for them apart, see `ViewsRequest`."""
    page_views_dpi: int | None = None
    render_js: bool | None = None
    include_raw_html: bool | None = None


class ViewsRequest(Wire):
    """Views of all pages of a document, or of an image, which is one page."""

    source: dict[str, Json]
    """A Document or Image content."""
    dpi: int | None = None
    """As configured where they are made when None."""


class SearchRequest(Wire):
    """A search."""

    query: str
    include_images: bool | None = None
    max_results: int | None = None
    from_date: str | None = None
    to_date: str | None = None
    include_domains: tuple[str, ...] | None = None
    exclude_domains: tuple[str, ...] | None = None


class JudgeQuestionRequest(Wire):
    """One closed question."""

    name: str | None = None
    question: str
    options: dict[str, str] | None = None
    levels: tuple[dict[str, str], ...] | None = None
    """Lowest first, each with `label`, `description` or both."""
    criteria: dict[str, str] | None = None
    threshold: float | None = None


class JudgeRequest(Wire):
    """Closed questions about one piece of evidence."""

    evidence: LLMPrompt
    questions: tuple[JudgeQuestionRequest, ...]


class TreeFile(Wire):
    """A file of the method tree; it does not travel, whoever performs the effect has the tree."""

    tree: str
    """Digest of the tree."""
    path: str
    """Tree path."""
    sha256: str
    """Of the file itself."""


class FunctionRequest(Wire):
    """A call of a function of the method tree."""

    function: str
    """Import path from the root of the method tree."""
    file: TreeFile | None = None
    """The function's module; None in a method that was loaded without its tree."""
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    absent: tuple[str, ...] = ()
    """Declared inputs without a value."""
    output_concept: str
    is_list: bool


class DocumentRequest(Wire):
    """A file printed from values."""

    format: Literal["pdf", "xlsx", "docx", "pptx"]
    filename: str
    source: Literal["layout", "html", "template_file"]
    html: str | None = None
    """The rendered page, when the source is `html`."""
    blocks: tuple[dict[str, Json], ...] = ()
    """What to lay out, when the source is `layout`: see `pipelex.pipes.layout`."""
    file: TreeFile | None = None
    """The template, when the source is `template_file`; None in a method that was loaded without its tree."""
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    """What the template may read."""
    shapes: dict[str, Json] = Field(default_factory=dict[str, Json])
    """The shapes of the inputs' concepts, as `shape_to_json` writes them."""


class TemplateRequest(Wire):
    """A template to render as an effect, because its values are large."""

    template: str
    """With sigils."""
    category: str
    sigils: bool = True
    tag_style: str | None = None
    text_format: str | None = None
    is_strict: bool = False
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    extra_context: dict[str, Json] = Field(default_factory=dict[str, Json])
    images: tuple[dict[str, Json], ...] = ()
    """Attachments that already have a number in the same prompt."""
    documents: tuple[dict[str, Json], ...] = ()


class TemplateResult(Wire):
    """A rendered template, with what its tokens stand for."""

    text: str
    images: tuple[dict[str, Json], ...] = ()
    documents: tuple[dict[str, Json], ...] = ()


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
