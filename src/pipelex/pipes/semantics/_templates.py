"""Templates inside a pipe: rendered on the spot, or as an effect when they are large or do much."""

from collections.abc import Mapping
from typing import Final

from pipelex.content.measure import text_size
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import PipelexError
from pipelex.language.blueprints import TagStyle, TemplatingStyle
from pipelex.pipes.calls import RunOptions
from pipelex.pipes.effects.jobs import TemplateResult
from pipelex.pipes.effects.kinds import TEMPLATE
from pipelex.pipes.effects.requests import TemplateRequest
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.templates import render_request
from pipelex.templating import Attachments, Limits, Style

__all__ = ["Attachments", "render_text", "style_of"]

IN_PLACE: Final = Limits(turns=20_000, chars=1_000_000)
"""What a render may do in the pipe's own code, where two seconds without a pause stop a workflow for ever. One that
wants more starts again as an effect; these are counts, so every replay decides alike."""

LONG_TEMPLATE: Final = 20_000
"""Characters; compiling a longer one takes too long for the pipe's own code."""


def style_of(declared: TagStyle | TemplatingStyle | None, options: RunOptions) -> Style:
    """A pipe's templating style: what the pipe declares, over the run's default."""
    if declared is None:
        return Style(options.tag_style, options.text_format)
    if isinstance(declared, str):
        return Style(declared, options.text_format)
    is_said = "text_format" in declared.model_fields_set
    return Style(declared.tag_style, declared.text_format if is_said else options.text_format)


async def render_text(
    run: PipeRun,
    template: str,
    *,
    category: str,
    sigils: bool = True,
    style: Style | None = None,
    attachments: Attachments | None = None,
    extra_context: Mapping[str, Json] | None = None,
    is_strict: bool = False,
) -> TemplateResult:
    """Render one of the pipe's templates over its memory.

    Args:
        run: the pipe, with the values the template may read.
        template: as written in the method.
        category: of section 9.3 of the language reference.
        sigils: whether `$name` and `@name` are expanded.
        style: how values are tagged and formatted; the run's default when None.
        attachments: numbers images and documents over several templates of one prompt.
        extra_context: further variables.
        is_strict: a missing name or field is an error.

    Raises:
        PipelexError: the template fails, or does more than its budget allows.
    """
    attachments = attachments if attachments is not None else Attachments()
    style = style or style_of(None, run.runtime.options)
    usual = Style()
    request = TemplateRequest.sparse(
        template=template,
        category=category,
        sigils=sigils,
        is_strict=is_strict,
        inputs=_values(run),
        tag_style=style.tag_style if style.tag_style != usual.tag_style else None,
        text_format=style.text_format if style.text_format != usual.text_format else None,
        extra_context=dict(extra_context or {}),
        images=attachments.images,
        documents=attachments.documents,
    )
    try:
        result = await _render(run, request)
    except PipelexError as failed:
        failed.report.params.setdefault("pipe", run.pipe.ref)
        raise
    for image in result.images:
        attachments.token("Image", image)
    for document in result.documents:
        attachments.token("Document", document)
    return result


async def _render(run: PipeRun, request: TemplateRequest) -> TemplateResult:
    most = run.runtime.in_place_chars
    size = text_size((stuff.content for stuff in request.inputs.values()), most=most)
    if len(request.template) > LONG_TEMPLATE or size > most:
        return await run.ask(TEMPLATE, request)
    try:
        return render_request(run.library, request, IN_PLACE)
    except PipelexError as exceeded:
        if exceeded.code != "pipe.template_budget_exceeded":
            raise
    return await run.ask(TEMPLATE, request)


def _values(run: PipeRun) -> dict[str, Stuff]:
    """The memory's values by every name they answer to."""
    values = dict(run.memory.root)
    for alias in run.memory.aliases:
        stuff = run.memory.get(alias)
        if stuff is not None:
            values.setdefault(alias, stuff)
    return values
