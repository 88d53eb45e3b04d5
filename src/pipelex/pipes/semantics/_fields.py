"""Filling the fields of an object from values with concepts."""

from collections.abc import Mapping

from pipelex.content.structure import (
    AnyShape,
    ChoiceShape,
    ContentError,
    DictShape,
    ListShape,
    ObjectShape,
    ScalarShape,
    Shape,
    example,
    validate,
)
from pipelex.content.stuff import Stuff
from pipelex.errors.json import Json, as_object
from pipelex.pipes.semantics._paths import VALUE_FIELDS
from pipelex.pipes.semantics._run import PipeRun


def fill_object(run: PipeRun, concept: str, values: Mapping[str, Stuff | Json]) -> dict[str, Json]:
    """An object of a concept from its fields' values, checked.

    Args:
        run: the pipe whose output it is.
        concept: the object's concept.
        values: field name → a stuff, whose bare value goes into a plain field and whose content goes into a concept
            field, or plain JSON that is taken as it is.

    Raises:
        PipelexError: the object does not fit the concept (`pipe.output_invalid`).
    """
    return dict(as_object(checked_output(run, concept, fill_fields(run, run.library.shape(concept), values))))


def fill_fields(run: PipeRun, shape: Shape, values: Mapping[str, Stuff | Json]) -> dict[str, Json]:
    """Fill like `fill_object`, for a part of the object that is checked with the whole."""
    filled: dict[str, Json] = {}
    for name, value in values.items():
        field = shape.field(name) if isinstance(shape, ObjectShape) else None
        filled[name] = (
            field_value(run, field.shape if field else AnyShape(), value) if isinstance(value, Stuff) else value
        )
    return filled


def field_value(run: PipeRun, shape: Shape, value: Stuff) -> Json:
    """The content of a field of that shape for a value: bare for a plain field, the content for a concept field."""
    if value.is_list:
        item_shape = shape.items if isinstance(shape, ListShape) else AnyShape()
        return [believable(run, item_shape, _bare(run, item_shape, value.concept, item)) for item in value.items]
    return believable(run, shape, _bare(run, shape, value.concept, value.content))


def believable(run: PipeRun, shape: Shape, value: Json) -> Json:
    """The value; in a dry run, something that fits where a made-up text meets a date or one of a few words.

    Only real values can tell whether those fit, so a dry run must not fail for them.
    """
    if run.runtime.options.mode != "dry" or not isinstance(shape, ChoiceShape | ScalarShape):
        return value
    try:
        return validate(shape, value)
    except ContentError:
        return example(shape)


def _bare(run: PipeRun, shape: Shape, concept: str, content: Json) -> Json:
    if isinstance(shape, ObjectShape | AnyShape) or not isinstance(content, dict):
        return content
    native = run.library.native_base(concept)
    if native == "Date":
        time = content.get("time")
        whole = isinstance(shape, ScalarShape) and shape.kind == "datetime" and time
        return f"{content['date']}T{time}" if whole else content["date"]
    if isinstance(shape, DictShape) and native != "JSON":
        return content
    return content[VALUE_FIELDS[native]] if native in VALUE_FIELDS else content


def checked_output(run: PipeRun, concept: str, content: Json, *, code: str = "pipe.output_invalid") -> Json:
    """The content in its concept's normal form.

    Raises:
        PipelexError: it does not fit; every fault is named.
    """
    try:
        return validate(run.library.shape(concept), content)
    except ContentError as wrong:
        raise run.failure(
            code,
            f"pipe '{run.pipe.code}' gave a value that is not a valid {concept}: {wrong}",
            output_concept=concept,
            fields=[path for path, _ in wrong.faults],
        ) from None
