"""The one check of answers, and what a model is told about one that does not fit.

Where the job tells the shape of the concept, the check is that of the run's own values, so whatever would make the
answer unfit later makes it unfit here, where the model can be asked again. JSON Schema alone, with which pydantic-ai
would check, knows neither the kinds of a dict's keys nor dates without an offset nor infinite numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Protocol

from pipelex.content.structure import ContentError, Shape, plain_json, validate
from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.schema import Schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError

_MOST_FAULTS = 10


class AnswerCheck(Protocol):
    """A check of answers."""

    def faults(self, value: Json) -> list[str]:
        """The faults of a value, at most ten sentences; none when it fits."""
        ...


@dataclass(frozen=True)
class ShapeCheck:
    """The check of answers against the shape of a concept."""

    shape: Shape

    def faults(self, value: Json) -> list[str]:
        """See `AnswerCheck.faults`."""
        try:
            validate(self.shape, value)
        except ContentError as wrong:
            found = [f"{path}: {message}" if path else message for path, message in wrong.faults]
            return [_short(sentence) for sentence in found[:_MOST_FAULTS]]
        return []


class SchemaCheck:
    """The check of answers against a schema, for jobs that tell no shape.

    Args:
        schema: JSON Schema, 2020-12; `date`, `date-time` and `time` formats are checked too, and so are numbers that
            are infinite or none.
    """

    def __init__(self, schema: Schema) -> None:
        self._validator: Draft202012Validator = _validator(schema)

    def faults(self, value: Json) -> list[str]:
        """See `AnswerCheck.faults`."""
        found: Iterable[ValidationError] = self._validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType]
        errors = sorted(found, key=lambda error: [str(part) for part in error.path])
        sentences = [f"{error.json_path}: {_short(error.message)}" for error in errors[:_MOST_FAULTS]]
        return sentences or _not_json(value)


def _not_json(value: Json) -> list[str]:
    try:
        plain_json(value)
    except ContentError as wrong:
        return [f"$.{path}: {message}" for path, message in wrong.faults[:_MOST_FAULTS]]
    return []


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:299] + "…"


def _validator(schema: Schema) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema, format_checker=_formats())


def _formats() -> "FormatChecker":
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    checker.checks("date", raises=ValueError)(_is_date)
    checker.checks("date-time", raises=ValueError)(_is_datetime)
    checker.checks("time", raises=ValueError)(_is_time)
    return checker


def _is_date(value: object) -> bool:
    return not isinstance(value, str) or (len(value) == 10 and bool(date.fromisoformat(value)))


def _is_datetime(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return len(value) > 10 and value[10] in "Tt " and bool(datetime.fromisoformat(value))


def _is_time(value: object) -> bool:
    if isinstance(value, str):
        time.fromisoformat(value)
    return True


def faults_message(faults: list[str]) -> str:
    """The message to a model about an answer that does not fit."""
    listed = "\n".join(f"- {fault}" for fault in faults)
    return (
        f"The answer does not fit the required structure:\n{listed}\nAnswer again with the complete, corrected object."
    )
