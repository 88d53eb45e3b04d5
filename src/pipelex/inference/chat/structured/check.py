"""Checking answers, and the message to a model whose answer does not fit.

If the job contains the shape of the concept, an answer gets the same check as the values of a run. So whatever would
fail later fails here, where the model can be asked again. JSON Schema, with which pydantic-ai would check, cannot
express the types of a dict's keys, dates without an offset, or infinite numbers.
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
    """The interface of a check of answers."""

    def faults(self, value: Json) -> list[str]:
        """The faults of a value, in at most ten sentences; empty when it fits."""
        ...


@dataclass(frozen=True)
class ShapeCheck:
    """Checks answers against the shape of a concept."""

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
    """Checks answers against a schema, for jobs without a shape.

    Args:
        schema: the JSON Schema (2020-12). The formats `date`, `date-time` and `time` are also checked, and infinite
            numbers and NaN are refused.
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
    """The message to a model whose answer does not fit."""
    listed = "\n".join(f"- {fault}" for fault in faults)
    return (
        f"The answer does not fit the required structure:\n{listed}\nAnswer again with the complete, corrected object."
    )
