"""The check of answers, and what a model is told about one that does not fit."""

import json
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from pipelex.content.stuff import Json
from pipelex.inference.chat.structured.schema import Schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError


class SchemaCheck:
    """The check of answers against one schema.

    Args:
        schema: JSON Schema, 2020-12; `date`, `date-time` and `time` formats are checked too.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._validator: Draft202012Validator = _validator(schema)

    def findings(self, value: Json) -> list[str]:
        """What is wrong with a value, at most ten sentences; none when it satisfies the schema."""
        found: Iterable[ValidationError] = self._validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType]
        errors = sorted(found, key=lambda error: [str(part) for part in error.path])
        return [f"{error.json_path}: {_short(error.message)}" for error in errors[:10]]


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


def findings_message(findings: list[str]) -> str:
    """What a model is told about an answer that does not fit."""
    listed = "\n".join(f"- {finding}" for finding in findings)
    return (
        f"The answer does not fit the required structure:\n{listed}\nAnswer again with the complete, corrected object."
    )


def prompt_with_schema(schema: Schema) -> str:
    """What is added to the prompt where the provider takes no schema."""
    return (
        "Answer with one JSON object that satisfies this JSON Schema, and with nothing else:\n"
        f"{json.dumps(schema, ensure_ascii=False)}"
    )
