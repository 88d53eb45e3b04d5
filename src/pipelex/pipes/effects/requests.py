"""The requests of pipes, one type for each kind of effect, before a model is resolved."""

from typing import Literal

from pydantic import Field

from pipelex.content.stuff import Json
from pipelex.pipes.calls import Reuse
from pipelex.pipes.wire import StuffWire, Wire


class LLMPrompt(Wire):
    """A prompt with its attachments, in the order of their tokens `[Image 1]`, `[Document 1]`."""

    user: str
    system: str | None = None
    images: tuple[dict[str, Json], ...] = ()
    """The images, as contents."""
    documents: tuple[dict[str, Json], ...] = ()
    """The documents, as contents."""


class ObjectSpec(Wire):
    """The object that a model is asked for."""

    concept: str
    """The concept's domain-qualified name, for messages and summaries."""
    shape: dict[str, Json] | None = None
    """The concept's shape, as `shape_to_json` writes it, against which answers are checked."""
    json_schema: dict[str, Json] | None = None
    """The JSON Schema (2020-12) of one object; if None, it is made from the shape. Without a shape, as in jobs of
    earlier releases, answers are checked against the schema."""


class LLMTextRequest(Wire):
    """One completion."""

    prompt: LLMPrompt


class LLMObjectRequest(Wire):
    """One object that satisfies a schema."""

    prompt: LLMPrompt
    spec: ObjectSpec


class LLMObjectListRequest(LLMObjectRequest):
    """Several objects that each satisfy a schema, in one call."""

    count: int | None = Field(default=None, ge=0)
    """The exact number of items; None leaves it to the model."""


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
    """Whether the extractor returns views of the pages, too. Pipes ask for them separately, see `ViewsRequest`."""
    page_views_dpi: int | None = None
    render_js: bool | None = None
    include_raw_html: bool | None = None


class PerformedJob(Wire):
    """Base of the jobs that a performer performs, unlike those that are computed."""

    reuse: Reuse | None = None
    """The run whose result is reused if it had the same request; not part of the request itself."""


class ViewsRequest(PerformedJob):
    """Views of all pages of a document; an image counts as one page."""

    source: dict[str, Json]
    """A Document or Image content."""
    dpi: int | None = None
    """The resolution in dots per inch; None for the one that the performer's configuration sets."""


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
    """A reference to a file of the method tree. The file itself is not sent, because the performer has the tree."""

    tree: str
    """The digest of the tree."""
    path: str
    """Tree path."""
    sha256: str
    """The SHA-256 of the file itself."""


class FunctionRequest(PerformedJob):
    """A call of a function of the method tree."""

    function: str
    """The import path from the root of the method tree."""
    file: TreeFile | None = None
    """The function's module; None in a method that was loaded without its tree."""
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    absent: tuple[str, ...] = ()
    """The declared inputs without a value."""
    output_concept: str
    is_list: bool


class DocumentRequest(Wire):
    """A file printed from values."""

    format: Literal["pdf", "xlsx", "docx", "pptx"]
    filename: str
    source: Literal["layout", "html", "template_file"]
    html: str | None = None
    """The rendered page, if the source is `html`."""
    blocks: tuple[dict[str, Json], ...] = ()
    """The blocks to lay out, if the source is `layout`; see `pipelex.pipes.effects.layout`."""
    file: TreeFile | None = None
    """The template, if the source is `template_file`; None in a method that was loaded without its tree."""
    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])
    """The values that the template may read."""
    shapes: dict[str, Json] = Field(default_factory=dict[str, Json])
    """The shapes of the inputs' concepts, as `shape_to_json` writes them."""


class ComputedRequest(Wire):
    """Base of the requests that are computed from the library and their own values."""

    inputs: dict[str, StuffWire] = Field(default_factory=dict[str, StuffWire])


class TemplateRequest(ComputedRequest):
    """A template to render as an effect, because its values are large."""

    template: str
    """The template, with sigils."""
    category: str
    sigils: bool = True
    tag_style: str | None = None
    text_format: str | None = None
    is_strict: bool = False
    extra_context: dict[str, Json] = Field(default_factory=dict[str, Json])
    images: tuple[dict[str, Json], ...] = ()
    """Attachments that already have a number in the same prompt."""
    documents: tuple[dict[str, Json], ...] = ()
