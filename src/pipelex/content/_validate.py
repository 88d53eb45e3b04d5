"""Checks values against shapes and normalises them; reports all faults of a value at once."""

import copy
import datetime
import math
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from pipelex.content._shapes import (
    ChoiceShape,
    DictShape,
    FieldShape,
    ListShape,
    ObjectShape,
    ScalarKind,
    ScalarShape,
    Shape,
)
from pipelex.content.stuff import Json
from pipelex.errors import near_names
from pipelex.errors.bounds import clipped

_DEEPEST: Final = 200
"""The maximum depth of nested JSON values. Beyond it, JSON readers and writers may fail."""

_DATE = r"\d{4}-\d{2}-\d{2}"
_TIME = r"\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?"
_DATE_PATTERN: Final = re.compile(_DATE, re.ASCII)
_TIME_PATTERN: Final = re.compile(_TIME, re.ASCII)
_DATETIME_PATTERN: Final = re.compile(rf"({_DATE})[Tt ]({_TIME})", re.ASCII)
_MIDNIGHT: Final = re.compile(rf"({_DATE})[Tt ]00:00(?::00(?:\.0+)?)?[Zz]?", re.ASCII)

_OFFSET: Final = re.compile(r"(?<=\d)([+-]\d{2})(?::?(\d{2}))?$", re.ASCII)

_MOST_TOLD: Final = 3
"""The maximum number of faults of a value that a message names."""
_MISSING: Final = cast("Json", object())


class ContentError(ValueError):
    """A value does not have the shape of its concept. `faults` lists everything that is wrong with it."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        self.faults = faults
        """The dotted path and the message of each fault, in the order of the value."""
        super().__init__(self.told(": "))

    def told(self, separator: str = " ") -> str:
        """The first faults as one text, and the number of the others: a file may have millions of them.

        Args:
            separator: the text between the path and the message of a fault.
        """
        shown = "; ".join(
            f"{path}{separator}{message}" if path else message for path, message in self.faults[:_MOST_TOLD]
        )
        more = len(self.faults) - _MOST_TOLD
        return f"{shown} (and {more:,} more)" if more > 0 else shown


def validate(shape: Shape, value: Json, *, where: str = "") -> Json:
    """Check a plain-JSON value against a shape, and normalise it.

    In the normal form, fields are in declared order, defaults are filled in, optional fields without a value are left
    out, dates and times are ISO strings that keep the stated offset, and a whole number for an `integer` is an integer.
    Dates and times are also accepted as Python objects, which the TOML parser returns, or as the tagged objects of
    older result files.

    Args:
        shape: the expected shape.
        value: the value; it is never changed.
        where: the value's name, with which the paths of the faults begin.

    Returns:
        The normalised value. It shares no objects with the shape, and may share some with the value.

    Raises:
        ContentError: the value does not fit; has all faults.
    """
    checker = _ContentChecker()
    checked = checker.check(shape, value, where)
    if checker.faults:
        raise ContentError(checker.faults)
    return checked


def plain_json(value: object, *, where: str = "") -> Json:
    """Any value as plain JSON, dates and times as ISO strings.

    Raises:
        ContentError: the value holds something that JSON cannot, such as an infinite number.
    """
    checker = _ContentChecker()
    checked = checker.open_value(value, where, 0)
    if checker.faults:
        raise ContentError(checker.faults)
    return checked


def _join(where: str, name: str) -> str:
    return f"{where}.{clipped(name)}" if where else clipped(name)


class _ContentChecker:
    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []

    def refuse(self, where: str, message: str) -> None:
        self.faults.append((where, message))

    def check(self, shape: Shape, value: Json, where: str) -> Json:
        if isinstance(shape, ScalarShape):
            return self._scalar(shape, value, where)
        if isinstance(shape, ObjectShape):
            return self._object(shape, value, where)
        if isinstance(shape, ListShape):
            if not isinstance(value, list | tuple):
                return self.refuse(where, f"must be a list, not {describe(value)}")
            items = cast("list[Json]", value)
            return [self.check(shape.items, item, f"{where}[{rank}]") for rank, item in enumerate(items)]
        if isinstance(shape, DictShape):
            return self._dict(shape, value, where)
        if isinstance(shape, ChoiceShape):
            return self._choice(shape, value, where)
        return self.open_value(value, where, 0)

    def _object(self, shape: ObjectShape, value: Json, where: str) -> Json:
        if not isinstance(value, Mapping):
            return self.refuse(where, f"must be an object with the fields of {shape.title}, not {describe(value)}")
        given = cast("Mapping[Json, Json]", value)
        names = [field.name for field in shape.fields]
        checked: dict[str, Json] = {}
        for field in shape.fields:
            found = self._field(field, given.get(field.name, _MISSING), where)
            if found is not _MISSING:
                checked[field.name] = found
        for key in given:
            if key not in names:
                self._unknown_field(shape, str(key), where)
        for group in shape.together:
            present = [name for name in group if name in checked]
            if present and len(present) < len(group):
                self.refuse(where, f"{' and '.join(group)} go together: give both or neither")
        return checked

    def _unknown_field(self, shape: ObjectShape, key: str, where: str) -> None:
        near = near_names(key, [field.name for field in shape.fields])
        hint = f"did you mean '{near[0]}'?" if near else f"its fields are {', '.join(f.name for f in shape.fields)}"
        self.refuse(_join(where, key), f"is not a field of {shape.title}; {hint}")

    def _field(self, field: FieldShape, value: Json, where: str) -> Json:
        if value is _MISSING or value is None:
            if field.required:
                self.refuse(_join(where, field.name), "is required" + ("" if value is _MISSING else ", not null"))
            return _MISSING if field.default is None else copy.deepcopy(field.default)
        return self.check(field.shape, value, _join(where, field.name))

    def _dict(self, shape: DictShape, value: Json, where: str) -> Json:
        if not isinstance(value, Mapping):
            return self.refuse(where, f"must be an object, not {describe(value)}")
        checked: dict[str, Json] = {}
        for key, item in cast("Mapping[Json, Json]", value).items():
            inner = _join(where, str(key))
            if not isinstance(key, str) or not _is_key(shape.keys, key):
                self.refuse(inner, f"the key must be {_WORDS[shape.keys]}")
            checked[str(key)] = self.check(shape.values, item, inner)
        return checked

    def _choice(self, shape: ChoiceShape, value: Json, where: str) -> Json:
        if isinstance(value, str) and value in shape.choices:
            return value
        listed = ", ".join(f"'{choice}'" for choice in shape.choices)
        near = near_names(value, shape.choices, most=1) if isinstance(value, str) else ()
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        return self.refuse(where, f"must be one of {listed}, not {describe(value)}{hint}")

    def _scalar(self, shape: ScalarShape, value: Json, where: str) -> Json:
        read = _READERS[shape.kind](value)
        if read is None:
            return self.refuse(where, f"must be {_WORDS[shape.kind]}, not {describe(value)}")
        if isinstance(read, int | float):
            if shape.minimum is not None and read < shape.minimum:
                return self.refuse(where, f"must be {shape.minimum:g} or more, not {describe(value)}")
            if shape.maximum is not None and read > shape.maximum:
                return self.refuse(where, f"must be {shape.maximum:g} or less, not {describe(value)}")
        return read

    def open_value(self, value: object, where: str, depth: int) -> Json:
        if value is None or isinstance(value, str | bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else self.refuse(where, "must be a finite number")
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        if depth >= _DEEPEST:
            return self.refuse(where, f"is nested more than {_DEEPEST} levels deep")
        if isinstance(value, list | tuple):
            items = cast("list[object]", value)
            return [self.open_value(item, f"{where}[{rank}]", depth + 1) for rank, item in enumerate(items)]
        if isinstance(value, Mapping):
            given = cast("Mapping[object, object]", value)
            for key in given:
                if not isinstance(key, str):
                    self.refuse(where, f"the key {key!r} must be a text")
            return {str(key): self.open_value(item, _join(where, str(key)), depth + 1) for key, item in given.items()}
        return self.refuse(where, f"a {type(value).__name__} is not a JSON value")


# --- simple values ----------------------------------------------------------------------------------------------------

_WORDS: Final[dict[ScalarKind, str]] = {
    "text": "a text",
    "url": "a text with a URL",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date written YYYY-MM-DD",
    "datetime": "a date and time written YYYY-MM-DDTHH:MM:SS",
    "time": "a time written HH:MM:SS",
}


def describe(value: object) -> str:
    """A value in an error message: what it is, and the value itself when it is short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        # Very long integers cannot even be printed.
        return f"the number {value}" if isinstance(value, float) or abs(value) < 10**40 else "a very large number"
    if isinstance(value, str):
        return f"the text '{value}'" if len(value) <= 40 else f"the text '{value[:40]}…'"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, datetime.datetime):
        return f"the date and time {value.isoformat()}"
    if isinstance(value, datetime.date):
        return f"the date {value.isoformat()}"
    return f"the time {value.isoformat()}" if isinstance(value, datetime.time) else f"a {type(value).__name__}"


def _read_text(value: Json) -> Json:
    return value if isinstance(value, str) else None


def _read_integer(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return value
    return int(value) if value.is_integer() else None


def _read_number(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _read_boolean(value: Json) -> Json:
    return value if isinstance(value, bool) else None


def _untagged(value: Json, kind: str) -> Json:
    """The text in a tagged object of an older result file. The tag is only compared: it never names a class to load."""
    if isinstance(value, Mapping):
        tagged = cast("Mapping[str, Json]", value)
        is_tag = tagged.get("__class__") == kind and tagged.get("__module__") == "datetime"
        return tagged.get(kind) if is_tag else None
    return value


def _read_date(value: Json) -> Json:
    value = _untagged(value, "date")
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if not isinstance(value, str):
        return None
    midnight = _MIDNIGHT.fullmatch(value)
    text = midnight[1] if midnight is not None else value
    return text if _DATE_PATTERN.fullmatch(text) and _parses(datetime.date.fromisoformat, text) else None


def _read_datetime(value: Json) -> Json:
    value = _untagged(value, "datetime")
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    match = _DATETIME_PATTERN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    text = f"{match[1]}T{_with_colon(match[2].upper())}"
    return text if _parses(datetime.datetime.fromisoformat, text) else None


def _read_time(value: Json) -> Json:
    value = _untagged(value, "time")
    if isinstance(value, datetime.time):
        return value.isoformat()
    if not isinstance(value, str) or not _TIME_PATTERN.fullmatch(value):
        return None
    text = _with_colon(value.upper())
    return text if _parses(datetime.time.fromisoformat, text) else None


def _with_colon(time: str) -> str:
    """The time with a colon in its offset, if it has one: `+0100` and `+01` become `+01:00`."""
    return _OFFSET.sub(lambda match: f"{match[1]}:{match[2] or '00'}", time)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_READERS: Final[dict[ScalarKind, Callable[[Json], Json]]] = {
    "text": _read_text,
    "url": _read_text,
    "integer": _read_integer,
    "number": _read_number,
    "boolean": _read_boolean,
    "date": _read_date,
    "datetime": _read_datetime,
    "time": _read_time,
}


def parse_scalar(kind: ScalarKind, text: str) -> Json:
    """The simple value that a text, such as a table cell, stands for; None if it stands for none."""
    if kind == "boolean":
        return {"true": True, "false": False, "yes": True, "no": False}.get(text.strip().casefold())
    if kind in ("integer", "number"):
        stripped = text.strip()
        if not re.fullmatch(r"[+-]?\d{1,400}(\.\d*)?([eE][+-]?\d{1,3})?", stripped, re.ASCII):
            return None
        number = int(stripped) if re.fullmatch(r"[+-]?\d+", stripped) else float(stripped)
        return _READERS[kind](number)
    return _READERS[kind](text if kind in ("text", "url") else text.strip())


def _is_key(kind: ScalarKind, text: str) -> bool:
    return parse_scalar(kind, text) is not None
