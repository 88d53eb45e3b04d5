"""Fills the fields of an object from values with concepts."""

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
    """Make an object of a concept from the values of its fields, and check it.

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
    """Fill like `fill_object`, without a check, for a part of an object that is checked as a whole."""
    filled: dict[str, Json] = {}
    for name, value in values.items():
        field = shape.field(name) if isinstance(shape, ObjectShape) else None
        filled[name] = (
            field_value(run, field.shape if field else AnyShape(), value) if isinstance(value, Stuff) else value
        )
    return filled


def field_value(run: PipeRun, shape: Shape, value: Stuff) -> Json:
    """What a value puts into a field of that shape: the bare value in a plain field, the content in a concept field."""
    if value.is_list:
        item_shape = shape.items if isinstance(shape, ListShape) else AnyShape()
        return [believable(run, item_shape, _bare(run, item_shape, value.concept, item)) for item in value.items]
    return believable(run, shape, _bare(run, shape, value.concept, value.content))


def believable(run: PipeRun, shape: Shape, value: Json) -> Json:
    """The value; in a dry run, an example of the shape if a made-up value does not fit it.

    A made-up text does not fit a date or a choice, and a dry run must not fail because of that.
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
        PipelexError: the content does not fit the concept; the message names every fault.
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
