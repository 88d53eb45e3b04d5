"""PipeCompose: a text from a template, or an object built field by field (section 6.7 of the language reference)."""

from collections.abc import Mapping
from typing import Any

from pipelex.content.structure import AnyShape, ObjectShape, Shape
from pipelex.content.stuff import Absence, Json, Stuff, WorkingMemory
from pipelex.language.blueprints import (
    ConstructFrom,
    ConstructTable,
    ConstructTemplate,
    PipeComposeBlueprint,
    TemplateBlueprint,
)
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.semantics._fields import believable, checked_output, field_value
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.semantics._templates import render_text, style_of
from pipelex.pipes.semantics.sequence import bind


async def run_compose(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeComposeBlueprint)
    concept = run.output.concept
    if blueprint.template_text is not None:
        content = await _from_template(run, blueprint, blueprint.template_text)
    else:
        shape = run.library.shape(concept)
        content = await _from_construct(run, shape, blueprint.construct_fields)
    value = Stuff(concept, checked_output(run, concept, content))
    return PipeOutcome.of(value), run.memory.with_result(None, value)


async def _from_template(run: PipeRun, blueprint: PipeComposeBlueprint, template: str) -> Json:
    table = blueprint.template if isinstance(blueprint.template, TemplateBlueprint) else None
    rendered = await render_text(
        run,
        template,
        category=blueprint.category,
        style=style_of(table.templating_style if table else None, run.runtime.options),
        extra_context=(table.extra_context if table else None) or {},
    )
    if run.library.native_base(run.output.concept) == "Html":
        return {"inner_html": rendered.text}
    return {"text": rendered.text}


async def _from_construct(run: PipeRun, shape: Shape, entries: Mapping[str, Any]) -> dict[str, Json]:
    built: dict[str, Json] = {}
    for name, entry in entries.items():
        field = shape.field(name) if isinstance(shape, ObjectShape) else None
        inner = field.shape if field is not None else AnyShape()
        match entry:
            case ConstructFrom():
                value = bind(run, run.memory, entry.from_path)
                if isinstance(value, Absence):
                    continue
                if entry.list_to_dict_keyed_by is not None:
                    built[name] = _keyed(run, value, entry.from_path, entry.list_to_dict_keyed_by)
                else:
                    built[name] = field_value(run, inner, value)
            case ConstructTemplate():
                text = (await render_text(run, entry.template, category="basic")).text
                built[name] = believable(run, inner, text)
            case ConstructTable():
                built[name] = await _from_construct(run, inner, entry.fields)
            case literal:
                built[name] = literal
    return built


def _keyed(run: PipeRun, value: Stuff, path: str, attribute: str) -> dict[str, Json]:
    """A list turned into an object, each item under the text of one of its attributes."""
    if not value.is_list:
        raise run.failure("pipe.binding_failed", f"'{path}' is not a list", binding=path, segment=path)
    keyed: dict[str, Json] = {}
    for item in value.items:
        key = item.get(attribute) if isinstance(item, dict) else None
        if key is None:
            raise run.failure(
                "pipe.binding_failed", f"an item of '{path}' has no '{attribute}'", binding=path, segment=attribute
            )
        keyed[str(key)] = item
    return keyed
