"""Operators that call a model, a function or a document engine.

Source: MTHDS 8.0.0, sections 6.1 to 6.5, 6.8 and 6.9 of the language reference.
"""

import datetime
import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pipelex.language.blueprints._answers import AskedModel, NamedFile
from pipelex.language.blueprints._base import Blueprint, TagStyle, refuse
from pipelex.language.blueprints._pipe import PipeBlueprint
from pipelex.language.blueprints._settings import (
    ExtractSettings,
    ImageSettings,
    LLMSettings,
    PlainSettings,
    SearchSettings,
    TemplatingStyle,
)


class PipeLLMBlueprint(PipeBlueprint):
    """One call of a language model."""

    reads_every_input = True
    prompts = (("system_prompt", "llm_prompt"), ("prompt", "llm_prompt"))

    type: Literal["PipeLLM"]
    prompt: str | None = None
    """The message to the model, as a template: `$name` in a line, `@name` alone on its line."""
    system_prompt: str | None = None
    """The system prompt, as a template; the bundle's by default."""
    model: str | LLMSettings | None = None
    """The language model: a preset (`$…`), an alias (`@…`), a waterfall (`~…`), a handle, or a table."""
    model_to_structure: str | LLMSettings | None = None
    """The language model for objects; `model` by default."""
    structuring_method: Literal["direct", "preliminary_text"] | None = None
    """The way to an object: at once, or first as a text."""
    templating_style: TagStyle | TemplatingStyle | None = None
    """The tags and formats of values in the prompts."""

    @model_validator(mode="after")
    def _check_prompt(self) -> Self:
        if self.prompt is None and self.inputs:
            raise refuse("prompt_missing", "a PipeLLM with inputs needs a 'prompt' that reads them")
        return self

    @property
    def structuring_model(self) -> str | LLMSettings | None:
        """The model that is asked for objects."""
        return self.model if self.model_to_structure is None else self.model_to_structure

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        if is_text:
            yield AskedModel("llm", "model", self.model, handed="templates")
            return
        is_told_first = self.structuring_method == "preliminary_text"
        if is_told_first or (self.model_to_structure and self.model):
            yield AskedModel("llm", "model", self.model, handed="templates" if is_told_first else "text")
        key = "model" if self.model_to_structure is None else "model_to_structure"
        handed = "text" if is_told_first else "templates"
        yield AskedModel("llm", key, self.structuring_model, "object", handed=handed)

    def with_system_prompt(self, text: str | None) -> Self:
        return self if self.system_prompt is not None else self.model_copy(update={"system_prompt": text})


class PipeStructureBlueprint(PipeBlueprint):
    """Turns a text into an object."""

    has_fixed_input = True

    type: Literal["PipeStructure"]
    model: str | LLMSettings | None = None
    """The language model: a preset, an alias, a waterfall, a handle, or a table."""

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if len(self.inputs) != 1:
            raise refuse(
                "one_input", f"a PipeStructure has exactly one input, a Text; this one has {len(self.inputs)}", "inputs"
            )
        return self

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        del is_text
        yield AskedModel("llm", "model", self.model, "object")


class PipeExtractBlueprint(PipeBlueprint):
    """Pages out of a document or an image."""

    has_fixed_input = True
    has_fixed_output = True

    type: Literal["PipeExtract"]
    model: str | ExtractSettings | None = None
    """The extraction model: a preset, an alias, a handle, or a table."""
    max_page_images: int | None = Field(default=None, ge=0)
    """The maximum number of images taken out of a page; 0 for none."""
    page_image_captions: bool | None = None
    """Whether images that are taken out get captions."""
    page_views: bool | None = None
    """Whether each page is rendered to an image as well, in `page_view`."""
    page_views_dpi: int | None = Field(default=None, gt=0)
    """The resolution of those images, in dots per inch."""
    render_js: bool | None = None
    """Whether the scripts of a web page run before it is read. False by default."""
    include_raw_html: bool | None = None
    """Whether the HTML of a web page is kept as well. False by default."""

    @model_validator(mode="after")
    def _check_slots(self) -> Self:
        if len(self.inputs) != 1:
            raise refuse(
                "one_input",
                f"a PipeExtract has exactly one input, a Document or an Image; this one has {len(self.inputs)}",
                "inputs",
            )
        output = self.output_slot
        if output.concept not in ("Page", "native.Page") or not output.is_list or output.count is not None:
            raise refuse("extract_output", f"a PipeExtract returns 'Page[]', not '{self.output}'", "output")
        return self

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        del is_text
        yield AskedModel("extract", "model", self.model, handed="input")


AspectRatio = Literal[
    "square",
    "landscape_4_3",
    "landscape_3_2",
    "landscape_16_9",
    "landscape_21_9",
    "landscape_4_1",
    "landscape_8_1",
    "portrait_3_4",
    "portrait_2_3",
    "portrait_9_16",
    "portrait_9_21",
    "portrait_1_4",
    "portrait_1_8",
]


class ImageSize(Blueprint):
    """An image's size in pixels."""

    width: int = Field(gt=0)
    """The width, in pixels."""
    height: int = Field(gt=0)
    """The height, in pixels."""


def _check_size(text: str) -> str:
    if text not in ("0.5k", "1k", "2k", "4k") and re.fullmatch(r"[1-9][0-9]*x[1-9][0-9]*", text) is None:
        raise refuse("image_size", f"'{text}' is not a size: write '0.5k', '1k', '2k', '4k' or 'WIDTHxHEIGHT'")
    return text


class PipeImgGenBlueprint(PipeBlueprint):
    """Images out of a prompt."""

    reads_every_input = True
    prompts = (("prompt", "img_gen_prompt"), ("negative_prompt", "img_gen_prompt"))

    type: Literal["PipeImgGen"]
    prompt: str
    """The content of the image, as a template; images that it reads are references."""
    negative_prompt: str | None = None
    """The things that the image does not show, as a template."""
    model: str | ImageSettings | None = None
    """The image model: a preset, an alias, a handle, or a table."""
    aspect_ratio: AspectRatio | None = None
    """The aspect ratio of the image."""
    size: Annotated[str, AfterValidator(_check_size)] | ImageSize | None = None
    """The size: a tier (`1k`), `WIDTHxHEIGHT`, or a table with `width` and `height`."""
    is_raw: bool | None = None
    """Whether the provider leaves the image unprocessed."""
    seed: int | Literal["auto"] | None = None
    """The seed of chance; `auto` for another one each time."""
    background: Literal["transparent", "opaque", "auto"] | None = None
    """The background of the image."""
    output_format: Literal["png", "jpeg", "webp"] | None = None
    """The format of the image file."""

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        del is_text
        yield AskedModel("img_gen", "model", self.model, handed="templates")


def _check_date(text: str) -> str:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        raise refuse("iso_date", f"'{text}' is not a date: write YYYY-MM-DD") from None
    if len(text) != len("YYYY-MM-DD"):
        raise refuse("iso_date", f"'{text}' is not a date: write YYYY-MM-DD")
    return text


IsoDate = Annotated[str, AfterValidator(_check_date)]


class PipeSearchBlueprint(PipeBlueprint):
    """An answer with sources from a search service."""

    reads_every_input = True
    has_fixed_output = True
    prompts = (("prompt", "basic"),)

    type: Literal["PipeSearch"]
    prompt: str
    """The query, as a template."""
    model: str | SearchSettings | None = None
    """The search model: a preset, an alias, a handle, or a table."""
    include_images: bool | None = None
    """Whether images are searched for, too; as the setting says by default."""
    max_results: int | None = Field(default=None, ge=1)
    """The maximum number of results; as the setting says by default."""
    from_date: IsoDate | None = None
    """The earliest date of a source, YYYY-MM-DD."""
    to_date: IsoDate | None = None
    """The latest date of a source, YYYY-MM-DD."""
    include_domains: tuple[str, ...] | None = Field(default=None, strict=False)
    """The only domains that are searched."""
    exclude_domains: tuple[str, ...] | None = Field(default=None, strict=False)
    """Domains that are not searched."""

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        del is_text
        yield AskedModel("search", "model", self.model)


class PipeFuncBlueprint(PipeBlueprint):
    """A call of a Python function of the method tree."""

    type: Literal["PipeFunc"]
    function_name: Annotated[str, StringConstraints(pattern=r"^[^.]+(\.[^.]+)+$")]
    """The import path of the function from the root of the method: `module.function`."""

    def named_file(self) -> NamedFile:
        return NamedFile("function", self.function_name)


class PipeDocGenBlueprint(PipeBlueprint):
    """Prints a file from values; calls no model."""

    has_fixed_output = True
    prompts = (("template", "html"), ("filename", "basic"))

    type: Literal["PipeDocGen"]
    format: Literal["pdf", "xlsx", "docx", "pptx"]
    """The format of the file."""
    template: str | None = None
    """The document as HTML with Jinja2; for `pdf` only. Instead of `template_file`."""
    template_file: str | None = None
    """The path of a template file, from the folder of the bundle. Instead of `template`."""
    filename: str | None = None
    """The name of the file without its suffix, as a template; the pipe's code by default."""
    model: str | PlainSettings | None = None
    """The document engine: a handle, or a table."""

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        if self.template is not None and self.template_file is not None:
            raise refuse(
                "docgen_template",
                "'template' and 'template_file' cannot be used together",
                "template_file",
                "template",
                "format",
            )
        if self.template is not None and self.format != "pdf":
            raise refuse(
                "docgen_template",
                f"an inline 'template' can only print pdf; for {self.format} use 'template_file'",
                "template_file",
                "template",
                "format",
            )
        if self.format == "pptx" and self.template_file is None:
            raise refuse(
                "docgen_template", "format 'pptx' needs a 'template_file'", "template_file", "template", "format"
            )
        suffix = ".html" if self.format == "pdf" else f".{self.format}"
        if self.template_file is not None and not self.template_file.endswith(suffix):
            raise refuse(
                "docgen_template",
                f"the 'template_file' of format '{self.format}' must end in '{suffix}'",
                "template_file",
                "template",
                "format",
            )
        if self.output_slot.is_list:
            raise refuse(
                "docgen_output", "a PipeDocGen returns one document: remove the brackets from its output", "output"
            )
        return self

    @property
    def source(self) -> Literal["layout", "html", "template_file"]:
        """The source that the file is printed from."""
        if self.template is not None:
            return "html"
        return "layout" if self.template_file is None else "template_file"

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        del is_text
        yield AskedModel("doc_gen", "model", self.model, document=f"{self.format}.{self.source}")

    def named_file(self) -> NamedFile | None:
        return None if self.template_file is None else NamedFile("path", self.template_file)
