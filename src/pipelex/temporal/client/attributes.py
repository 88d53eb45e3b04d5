"""The user's own search attributes: their values for a run, and the conditions on them in visibility queries."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from pipelex.errors import ErrorCategory, Json, PipelexError, near_names
from pipelex.orchestration.jobs import Attributes
from pipelex.pipes.calls import PipeCall
from pipelex.temporal.config import CustomAttribute, TemporalConfig
from pipelex.temporal.config.catalog import SEARCH_ATTRIBUTES, TAGS
from pipelex.temporal.workflow.observability import ATTRIBUTE_BYTES, cut

KEYWORD: Final = "Keyword"

_INSTANT: Final = timedelta(microseconds=1)

_KEYS: Final[Mapping[str, Callable[[str], Any]]] = {
    "Keyword": SearchAttributeKey.for_keyword,
    "KeywordList": SearchAttributeKey.for_keyword_list,
    "Text": SearchAttributeKey.for_text,
    "Int": SearchAttributeKey.for_int,
    "Double": SearchAttributeKey.for_float,
    "Bool": SearchAttributeKey.for_bool,
    "Datetime": SearchAttributeKey.for_datetime,
}

INDEXED: Final[Mapping[str, IndexedValueType.ValueType]] = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
    "Text": IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    "Int": IndexedValueType.INDEXED_VALUE_TYPE_INT,
    "Double": IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}
"""Name of a type → the server's enum value."""


def wanted_types(config: TemporalConfig) -> dict[str, str]:
    """Name of every search attribute that workflows may carry → its type."""
    if not config.search_attributes.enabled:
        return {}
    own = {name: each.type for name, each in config.search_attributes.custom.items()}
    return dict.fromkeys(config.search_attributes.attributes, KEYWORD) | own


def own_pairs(config: TemporalConfig, call: PipeCall, given: Attributes) -> list[SearchAttributePair[Any]]:
    """The user's own search attributes of a run.

    Args:
        config: the configuration, which declares the attributes.
        call: the entry pipe's call; some attributes take their values from its inputs.
        given: the values that the caller sets; they override configured values and those from inputs.

    Raises:
        PipelexError: an attribute is not declared, or a value does not fit its type (`request.invalid`).
    """
    declared = config.search_attributes.custom
    for name in given:
        _require_declared(name, config)
    if not config.search_attributes.enabled:
        return []
    pairs: list[SearchAttributePair[Any]] = []
    for name, attribute in declared.items():
        value = given.get(name, attribute.value)
        if value is None and attribute.input is not None:
            value = _at(call, attribute.input)
        if value is not None:
            key: SearchAttributeKey[Any] = _KEYS[attribute.type](name)
            pairs.append(SearchAttributePair(key, _converted(name, attribute, value)))
    return pairs


def condition(config: TemporalConfig, name: str, value: str | Sequence[str]) -> str:
    """The condition of a visibility query that selects the workflows with a value of an attribute.

    Raises:
        PipelexError: the attribute is not declared, or the value does not fit its type.
    """
    if name in SEARCH_ATTRIBUTES:
        return f"{name} = {_literal(str(value))}"
    attribute = _require_declared(name, config)
    converted = _converted(name, attribute, value)
    values = cast("list[Any]", converted) if isinstance(converted, list) else [converted]
    return " AND ".join(_equals(name, each) for each in values)


def _equals(name: str, value: Any) -> str:
    # Names are quoted, because a name such as Share is also a word of the query language.
    if not isinstance(value, datetime):
        return f"`{name}` = {_literal(value)}"
    # SQLite compares times as text, so equality never holds. No store is more precise than a microsecond.
    after, before = value - _INSTANT, value + _INSTANT
    return f"`{name}` > {_literal(after)} AND `{name}` < {_literal(before)}"


def own_attributes(config: TemporalConfig, carried: TypedSearchAttributes) -> Mapping[str, str | Sequence[str]]:
    """The user's own search attributes that a workflow carries, as text.

    Args:
        config: the configuration, which declares the attributes.
        carried: the search attributes of the workflow.
    """
    declared = config.search_attributes.custom
    found: dict[str, str | Sequence[str]] = {}
    pairs: Sequence[SearchAttributePair[Any]] = carried.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    for pair in pairs:
        value: Any = pair.value
        if pair.key.name in declared:
            found[pair.key.name] = [str(each) for each in value] if isinstance(value, list) else _written(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return found


def _written(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _require_declared(name: str, config: TemporalConfig) -> CustomAttribute:
    declared = config.search_attributes.custom
    if name in declared:
        return declared[name]
    if name in SEARCH_ATTRIBUTES:
        known = ", ".join(declared) or "none so far"
        advice = f"Use an attribute of your own, from [temporal.search_attributes.custom]: {known}."
        raise _refused(name, f"the search attribute {name!r} is set by Pipelex itself", advice)
    near = near_names(name, [*declared, TAGS], most=1)
    hint = f"; did you mean {near[0]!r}?" if near and near[0] in declared else ""
    kind = "KeywordList" if name == TAGS else KEYWORD
    advice = (
        f'Declare it: [temporal.search_attributes.custom.{name}] with type = "{kind}"; then register it with '
        "`pipelex setup-temporal-namespace`."
    )
    raise _refused(name, f"the search attribute {name!r} is not declared{hint}", advice)


def _refused(name: str, detail: str, advice: str) -> PipelexError:
    return PipelexError(
        "request.invalid", detail, category=ErrorCategory.CONTENT, params={"field": name}, advice=advice
    )


def _at(call: PipeCall, path: str) -> Json:
    """The value at a dotted path (the input's name, then members or positions); None if there is no such value."""
    name, *rest = path.split(".")
    if name not in call.inputs:
        return None
    value: Json = call.inputs[name].content
    for step in rest:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return _bare(value)


def _bare(value: Json) -> Json:
    """The inner value of a native content such as `{"text": "…"}`; any other value unchanged."""
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("text", "number", "boolean", "date"):
        return next(iter(value.values()))
    return value


_CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "Keyword": lambda value: cut(_text(value), ATTRIBUTE_BYTES),
    "Text": lambda value: _text(value),
    "KeywordList": lambda value: [cut(_text(each), ATTRIBUTE_BYTES) for each in _list(value)],
    "Int": lambda value: int(value) if not isinstance(value, float) or value.is_integer() else _refuse(value),
    "Double": float,
    "Bool": lambda value: value if isinstance(value, bool) else _bool(str(value)),
    "Datetime": lambda value: value if isinstance(value, datetime) else _moment(str(value)),
}


def _converted(name: str, attribute: CustomAttribute, value: Any) -> Any:
    try:
        return _CONVERSIONS[attribute.type](value)
    except (ValueError, TypeError):
        shown = str(value)
        detail = f"the search attribute '{name}' is of type {attribute.type}, and {shown[:80]!r} is not"
        advice = f"Give a value of that type, or change `type` in [temporal.search_attributes.custom.{name}]."
        raise _refused(name, detail, advice) from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _refuse(cast("object", value)) if isinstance(value, dict | list) else str(value)


def _list(value: Any) -> list[Any]:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]


def _bool(text: str) -> bool:
    known = {"true": True, "false": False, "yes": True, "no": False}
    return known[text.lower()] if text.lower() in known else _refuse(text)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.astimezone()


def _refuse(value: object) -> Any:
    raise ValueError(value)


def _literal(value: Any) -> str:
    """A value as a literal of a visibility query."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
