"""Renders templates of a pipe: in the pipe's code, or as an effect if they are large or do much work."""

from collections.abc import Mapping

from pipelex.content.stuff import Json, Stuff
from pipelex.errors import PipelexError
from pipelex.language import COUNT_NAME
from pipelex.language.blueprints import TagStyle, TemplatingStyle
from pipelex.pipes.calls import RunOptions
from pipelex.pipes.effects.jobs import TemplateResult
from pipelex.pipes.effects.kinds import TEMPLATE
from pipelex.pipes.effects.requests import TemplateRequest
from pipelex.pipes.rendering import IN_PLACE, LONG_TEMPLATE, is_whole, pay_for_compiling
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.templates import render_request
from pipelex.templating import Attachments, Style

__all__ = ["Attachments", "render_text", "style_of"]


def style_of(declared: TagStyle | TemplatingStyle | None, options: RunOptions) -> Style:
    """A pipe's templating style: what the pipe declares, completed by the run's defaults."""
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
    """Render one of the pipe's templates with the values in its memory.

    Args:
        run: the pipe, with the values the template may read.
        template: the template, as written in the method.
        category: the template's category (section 9.3 of the language reference).
        sigils: whether `$name` and `@name` are expanded.
        style: the tags and formats of values; the run's default when None.
        attachments: collects and numbers the images and documents of several templates of one prompt.
        extra_context: further variables.
        is_strict: whether a missing name or field is an error.

    Raises:
        PipelexError: the template fails, or needs more than its budget.
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
        extra_context={**(extra_context or {}), **_count(run, template)},
        images=attachments.images,
        documents=attachments.documents,
    )
    try:
        result = await _render(run, request)
        run.templates.count(result, request.inputs)
    except PipelexError as failed:
        raise failed.with_report(params={"pipe": run.pipe.ref, **failed.report.params}) from failed.__cause__
    for image in result.images:
        attachments.token("Image", image)
    for document in result.documents:
        attachments.token("Document", document)
    return result


async def _render(run: PipeRun, request: TemplateRequest) -> TemplateResult:
    values = request.inputs.values()
    if len(request.template) > LONG_TEMPLATE or run.templates.are_values_large(values, run.runtime.in_place_chars):
        return await run.ask(TEMPLATE, request)
    has_whole_share = False
    while not has_whole_share:
        share = await run.runtime.rendering()
        has_whole_share = is_whole(share)
        pay_for_compiling(request.template, share)
        try:
            return render_request(run.library, request, IN_PLACE, share)
        except PipelexError as exceeded:
            if exceeded.code != "pipe.template_budget_exceeded":
                raise
            share.turns = 0
    return await run.ask(TEMPLATE, request)


def _count(run: PipeRun, template: str) -> dict[str, Json]:
    """The variable with the number of values that the output asks for, if the template uses it.

    It is null for a list of any length.
    """
    if COUNT_NAME not in template:
        return {}
    return {COUNT_NAME: run.output.count if run.output.is_list else 1}


def _values(run: PipeRun) -> dict[str, Stuff]:
    """The memory's values by their names and aliases."""
    values = dict(run.memory.root)
    for alias in run.memory.aliases:
        stuff = run.memory.get(alias)
        if stuff is not None:
            values.setdefault(alias, stuff)
    return values
