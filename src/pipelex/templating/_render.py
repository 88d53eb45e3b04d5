"""Renders a template with values to a text and its attachments; the result is always the same."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.templating._budget import STATE, Attachments, Budget, Limits, RenderState, Style, exceed
from pipelex.templating._environment import compiled
from pipelex.templating._failures import place_of, plain_words
from pipelex.templating._values import ShapeView, wrap_stuff


@dataclass(frozen=True, slots=True)
class Rendered:
    """The result of rendering a template."""

    text: str
    images: tuple[dict[str, Json], ...] = ()
    """Image contents, in the order of their tokens."""
    documents: tuple[dict[str, Json], ...] = ()
    """Document contents, in the order of their tokens."""


def render(
    template: str,
    values: Mapping[str, Stuff],
    *,
    concepts: ShapeView,
    category: str = "basic",
    sigils: bool = True,
    style: Style | None = None,
    extra_context: Mapping[str, Json] | None = None,
    attachments: Attachments | None = None,
    strict: bool = False,
    limits: Limits | None = None,
    budget: Budget | None = None,
) -> Rendered:
    """Render a template. Deterministic: the same arguments lead to the same text, or the same error, everywhere.

    Args:
        template: Jinja2, with `$path`, `@path` and `@?path` when `sigils` is set.
        values: the present inputs by name. Any other name is undefined, and false in conditions.
        concepts: returns the shape of each value's concept.
        category: the category, which decides the available filters, whether HTML is escaped and whether files are
            attached.
        sigils: whether sigils are expanded first.
        style: the tags and formats of values; by default `xml` and `plain`.
        extra_context: further variables, plain JSON.
        attachments: the collector of files, which several renderings may share for one numbering; a new one when None.
        strict: whether reading a name or field that does not exist is an error.
        limits: the limits of the rendering; the usual ones when None.
        budget: a budget that it shares with other renderings, instead of the turns and characters of its limits.

    Returns:
        The text, and, if the category is that of a prompt, the files that were attached so far.

    Raises:
        PipelexError: `method.template_invalid`, `security.template_refused`, `pipe.template_budget_exceeded` or
            `pipe.template_render_failed`.
    """
    ready = compiled(template, category=category, sigils=sigils, strict=strict)
    limits = limits or Limits()
    collected = attachments if attachments is not None else Attachments()
    state = RenderState(limits, category, style or Style(), collected, budget)
    variables = dict(extra_context or {})
    token = STATE.set(state)
    try:
        variables |= {name: wrap_stuff(name, stuff, concepts) for name, stuff in values.items()}
        chunks: list[str] = []
        for chunk in ready.root_render_func(ready.new_context(variables)):
            state.write(len(chunk), "writing text")
            chunks.append(chunk)
        text = "".join(chunks)
    except PipelexError as refused:
        place = place_of(refused, ready, template)
        raise refused.with_report(detail=refused.report.detail + place) from refused.__cause__
    except RecursionError:
        exceed("nesting", limits.depth)
    except Exception as error:  # whatever an expression of the template raises
        raise PipelexError(
            "pipe.template_render_failed",
            f"the template cannot be rendered: {plain_words(error)}{place_of(error, ready, template)}",
            category=ErrorCategory.CONTENT,
        ) from error
    finally:
        STATE.reset(token)
    return Rendered(text, collected.images, collected.documents)
