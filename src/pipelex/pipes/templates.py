"""Renders template requests: the work of the effect `act_jinja2_gen_text`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from pipelex.content.measure import text_size
from pipelex.content.stuff import Stuff
from pipelex.library import Library
from pipelex.pipes.effects.jobs import TemplateResult
from pipelex.pipes.effects.requests import TemplateRequest
from pipelex.templating import Attachments, Budget, Limits, Style, TagStyle, TextFormat, render

IN_PLACE_CHARS: Final = 100_000
"""The maximum size of values, in characters, for rendering a template in the pipe's own code; an orchestrator may set
another."""
WRITTEN: Final = 4
"""The number of times that a template may write its values, if they are larger than its usual limit allows."""


def render_request(
    library: Library, request: TemplateRequest, limits: Limits | None = None, budget: Budget | None = None
) -> TemplateResult:
    """Render a template request.

    Args:
        library: the library that has the concepts of the values.
        request: the template and its values.
        limits: the limits of the rendering; if None, the usual ones, extended for large values.
        budget: the turns and characters that it shares with other renderings; None for its own budget.

    Raises:
        PipelexError: see `pipelex.templating.render`.
    """
    attachments = Attachments()
    for image in request.images:
        attachments.token("Image", image)
    for document in request.documents:
        attachments.token("Document", document)
    limits = limits or limits_over(request.inputs)
    budget = budget or Budget.of(limits)
    turns, chars = budget.turns, budget.chars
    rendered = render(
        request.template,
        request.inputs,
        concepts=library,
        category=request.category,
        sigils=request.sigils,
        style=style_from(request.tag_style, request.text_format),
        extra_context=request.extra_context,
        attachments=attachments,
        strict=request.is_strict,
        limits=limits,
        budget=budget,
    )
    return TemplateResult(
        text=rendered.text,
        images=rendered.images,
        documents=rendered.documents,
        turns=turns - budget.turns,
        chars=chars - budget.chars,
    )


def limits_over(values: Mapping[str, Stuff]) -> Limits:
    """The usual limits of templates, extended so that large values can be written a few times."""
    usual = Limits()
    return replace(usual, chars=max(usual.chars, WRITTEN * text_size(stuff.content for stuff in values.values())))


def style_from(tag_style: str | None, text_format: str | None) -> Style | None:
    """A style from its two settings, each of which has a default; None if both are None."""
    if tag_style is None and text_format is None:
        return None
    default = Style()
    return Style(
        cast("TagStyle", tag_style or default.tag_style), cast("TextFormat", text_format or default.text_format)
    )
