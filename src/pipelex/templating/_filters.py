"""The filters of templates: Jinja2's own, made safe, and the filters of the language."""

import functools
import json
import re
from collections.abc import Callable
from typing import Any, Final, cast

from jinja2 import Undefined, pass_environment
from jinja2.filters import FILTERS as DEFAULT_FILTERS
from jinja2.filters import make_attrgetter
from markupsafe import Markup, escape

from pipelex.content.render import markdown_to_html
from pipelex.content.structure import ObjectShape
from pipelex.language.templates import FILTERS_BY_CATEGORY
from pipelex.templating._budget import (
    STATE,
    MadeDict,
    MadeList,
    MadeTuple,
    RenderState,
    TextFormat,
    exceed,
    fail,
    made,
    weigh,
)
from pipelex.templating._calls import Turns, check_replace, check_width, percent
from pipelex.templating._missing import Null, is_nothing, reason
from pipelex.templating._values import (
    ListValue,
    ObjectValue,
    Value,
    as_text,
    bare,
    drain,
    in_words,
    present,
    unwrapped,
)

_FORMATS: Final = ("plain", "markdown", "html", "json")

_OF_TEXT: Final = frozenset(
    {
        "capitalize", "center", "e", "escape", "forceescape", "indent", "lower", "replace", "safe", "string",
        "striptags", "title", "trim", "truncate", "upper", "urlize", "wordcount", "wordwrap",
    }
)  # fmt: skip

_OF_ITEMS: Final = frozenset(
    {
        "batch", "dictsort", "groupby", "join", "list", "map", "max", "min", "reject", "rejectattr", "reverse",
        "select", "selectattr", "slice", "sort", "unique",
    }
)  # fmt: skip

_UNTOUCHED: Final = frozenset({"first", "last", "length", "count", "attr"})
"""Filters that need the value itself, or its length, and so get it unchanged."""

_OF_NONE: Final = frozenset({"float", "int"})
"""Filters that accept none."""

_LONGEST_WORD: Final = 4_096


def _guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """One of Jinja's own filters, which gets plain values and is charged to the budget."""
    skipped = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        state = STATE.get()
        state.spend(1, f"'{name}'")
        passed, value, rest = args[:skipped], args[skipped], [bare(arg) for arg in args[skipped + 1 :]]
        value = _prepared(state, name, value)
        named = {key: bare(arg) for key, arg in kwargs.items()}
        check = _CHECKS.get(name)
        if check is not None:
            check(state, value, rest, named)
        try:
            found = function(*passed, value, *rest, **named)
        except TypeError:
            refuse_kind(name, value)
            raise
        if isinstance(found, str):
            state.write(len(found), f"'{name}'")
        return found

    return guarded


def refuse_kind(name: str, value: object) -> None:
    """Fail with a clear message if a filter or a test was given a missing or structured value."""
    if isinstance(value, Undefined):
        fail(f"{reason(value)}, so '{name}' cannot be used on it", variable=str(value._undefined_name))
    if isinstance(value, Value):
        fail(f"'{name}' cannot be used on {in_words(value)}")


def _prepared(state: RenderState, name: str, value: Any) -> Any:
    if name in _UNTOUCHED:
        return value
    if name in _OF_TEXT:
        text = as_text(value)
        state.spend(len(text) // 256, "work on strings")
        return text
    plain = None if name in _OF_NONE and is_nothing(value) else bare(value)
    if name in _OF_ITEMS and not isinstance(plain, Undefined):
        plain = _items(state, plain, name)
    return plain


def _items(state: RenderState, value: Any, name: str) -> Any:
    if isinstance(value, str):
        state.spend(len(value) // (1 if name == "list" else 16), "work on strings")
        return value
    if isinstance(value, ObjectValue) and isinstance(value.template_shape, ObjectShape):
        return as_members(value)
    if isinstance(value, dict):
        state.spend(len(cast("dict[Any, Any]", value)), "loop turns")
        return cast("dict[Any, Any]", value)
    return drain(iter(value), state)


def as_members(value: ObjectValue) -> dict[str, Any]:
    """The present fields of a structured value by name."""
    shape = value.template_shape
    names = [field.name for field in shape.fields] if isinstance(shape, ObjectShape) else list(value.template_content)
    fields = {name: value.template_field(name) for name in names}
    return {name: field for name, field in fields.items() if not is_nothing(field)}


def _argument(rest: list[Any], named: dict[str, Any], position: int, name: str, default: Any) -> Any:
    return rest[position] if len(rest) > position else named.get(name, default)


def _check_width_argument(state: RenderState, value: Any, rest: list[Any], named: dict[str, Any]) -> None:
    check_width(state, _argument(rest, named, 0, "width", 0))


def _check_indent(state: RenderState, value: str, rest: list[Any], named: dict[str, Any]) -> None:
    width = _argument(rest, named, 0, "width", 4)
    check_width(state, width)
    size = len(width) if isinstance(width, str) else int(width)
    state.write((value.count("\n") + 1) * size, "'indent'")


def _check_wordwrap(state: RenderState, value: str, rest: list[Any], named: dict[str, Any]) -> None:
    wrapped_by = _argument(rest, named, 2, "wrapstring", None) or "\n"
    width = max(int(_argument(rest, named, 0, "width", 79)), 1)
    state.spend(len(value) // 4, "'wordwrap'")
    state.write((len(value) // width + value.count("\n") + value.count(" ") + 1) * len(wrapped_by), "'wordwrap'")


def _check_replace(state: RenderState, value: str, rest: list[Any], named: dict[str, Any]) -> None:
    old, new = _argument(rest, named, 0, "old", ""), _argument(rest, named, 1, "new", "")
    check_replace(state, value, as_text(old), as_text(new))


def _check_fill(state: RenderState, value: Any, rest: list[Any], named: dict[str, Any]) -> None:
    count = _argument(rest, named, 0, "linecount", named.get("slices", 1))
    check_width(state, count)
    fill = _argument(rest, named, 1, "fill_with", None)
    if fill is not None:
        state.write(weigh(fill, state) * max(int(count), 0), "filling up lists")


def _check_round(state: RenderState, value: Any, rest: list[Any], named: dict[str, Any]) -> None:
    if abs(int(_argument(rest, named, 0, "precision", 0))) > 100:
        exceed("the precision of 'round'", 100)


def _check_join(state: RenderState, value: Any, rest: list[Any], named: dict[str, Any]) -> None:
    separator = as_text(_argument(rest, named, 0, "d", ""))
    if _argument(rest, named, 1, "attribute", None) is not None or isinstance(value, Undefined | str):
        state.write((len(cast("str", value)) if isinstance(value, str | list) else 1) * (len(separator) + 1), "'join'")
        return
    texts = [text if isinstance(text := as_text(item), Markup) else str(text) for item in value]
    state.write(sum(map(len, texts)) + len(separator) * len(texts), "'join'")
    if isinstance(value, list):
        value[:] = texts


def _check_urlize(state: RenderState, value: str, rest: list[Any], named: dict[str, Any]) -> None:
    if any(len(word) > _LONGEST_WORD for word in re.split(r"\s", value)):
        exceed("the length of a word for 'urlize'", _LONGEST_WORD)
    state.spend(len(value) // 8, "'urlize'")


def _check_striptags(state: RenderState, value: str, rest: list[Any], named: dict[str, Any]) -> None:
    state.spend(value.count("<") * (len(value) // 512 + 1), "'striptags'")


_CHECKS: Final[dict[str, Callable[[RenderState, Any, list[Any], dict[str, Any]], None]]] = {
    "batch": _check_fill,
    "center": _check_width_argument,
    "indent": _check_indent,
    "join": _check_join,
    "replace": _check_replace,
    "round": _check_round,
    "slice": _check_fill,
    "striptags": _check_striptags,
    "truncate": lambda state, value, rest, named: state.write(len(value), "'truncate'"),
    "urlize": _check_urlize,
    "wordwrap": _check_wordwrap,
}


# --- filters of the language, and replacements
# -----------------------------------------------------------------------------------------------


def _format(value: Any, style: str | None = None) -> str:
    state = STATE.get()
    state.spend(1, "'format'")
    return present(value, _text_format(state, style), is_explicit=style is not None)


def _text_format(state: RenderState, style: str | None) -> TextFormat:
    if style is None:
        return state.style.text_format
    if style not in _FORMATS:
        fail(f"'format' takes one of {', '.join(_FORMATS)}, not '{style}'; for numbers write {{{{ '%.2f' % x }}}}")
    return style


def _tag(value: Any, name: str | None = None, *, default_name: str | None = None) -> str:
    state = STATE.get()
    state.spend(1, "'tag'")
    if isinstance(value, Undefined) and not isinstance(value, Null):
        fail(f"{reason(value)}, so it cannot be tagged", variable=name or default_name)
    if name is None:
        name = value.template_name if isinstance(value, Value) else default_name
    text = present(value, "plain")
    if state.is_html:
        return Markup(_TAGS[state.style.tag_style].format(name=escape(name or "value"), text=escape(text)))
    return _TAGS[state.style.tag_style].format(name=name or "value", text=text)


_TAGS: Final = {
    "no_tag": "{text}",
    "ticks": "{name}: ```\n{text}\n```",
    "xml": "<{name}>\n{text}\n</{name}>",
    "square_brackets": "[{name}]\n{text}\n[/{name}]",
}


def _with_images(value: Any) -> str:
    state = STATE.get()
    state.spend(1, "'with_images'")
    return str(value) if isinstance(value, Undefined) else present(value, "plain", with_images=True)


def _escape_script_tag(value: Any) -> Markup:
    text = as_text(value)
    STATE.get().write(2 * len(text), "'escape_script_tag'")
    return Markup(re.sub(r"<(?=[/!]?(?:script|--))", r"\\u003C", text, flags=re.IGNORECASE))


def _markdown(value: Any) -> Markup:
    text = as_text(value)
    STATE.get().spend(len(text) // 4, "'markdown'")
    STATE.get().write(4 * len(text), "'markdown'")
    return Markup(markdown_to_html(text))


def _tojson(value: Any, indent: int | None = None) -> Markup:
    state = STATE.get()
    state.write(weigh(value, state), "'tojson'")
    check_width(state, indent)
    text = json.dumps(unwrapped(value), indent=None if indent is None else min(indent, 16), sort_keys=True)
    for character, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("'", "\\u0027")):
        text = text.replace(character, escaped)
    state.write(len(text), "'tojson'")
    return Markup(text)


def _percent_format(value: Any, *args: Any, **kwargs: Any) -> str:
    return percent(STATE.get(), as_text(value), kwargs or args)


def _list(value: Any) -> Any:
    state = STATE.get()
    if isinstance(value, Undefined):
        return []
    found = _items(state, bare(value), "list")
    return list(found)


@pass_environment
def _attr(environment: Any, value: Any, name: Any) -> Any:
    return environment.getattr(value, as_text(name))


@pass_environment
def _sum(environment: Any, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    total = _addend(start)
    find = None if attribute is None else make_attrgetter(environment, bare(attribute))
    for item in Turns(() if is_nothing(value) else _items(STATE.get(), bare(value), "sum"), STATE.get()):
        total += _addend(item if find is None else find(item))
    return total


def _addend(item: Any) -> Any:
    plain = bare(item)
    if isinstance(plain, Undefined):
        fail(f"{reason(plain)}, so 'sum' cannot add it; 'select' leaves such values out")
    if not isinstance(plain, int | float):
        fail(f"'sum' adds numbers, not {in_words(plain)}; use 'join' for strings")
    return plain


def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    return default_value if is_nothing(value) or (boolean and not value) else value


def _pairs(value: Any) -> Any:
    if isinstance(value, Undefined):
        return []
    found = as_members(value) if isinstance(value, ObjectValue) else bare(value)
    if not isinstance(found, dict):
        fail("'items' takes a mapping")
    return list(Turns(cast("dict[Any, Any]", found).items(), STATE.get()))


_REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "attr": _attr,
    "d": _default,
    "default": _default,
    "format": _percent_format,
    "items": _pairs,
    "list": _list,
    "pprint": as_text,
    "sum": _sum,
    "tojson": _tojson,
}
"""Replacements for filters of Jinja that would access the internals of our values."""

_LANGUAGE_FILTERS: Final[dict[str, dict[str, Callable[..., Any]]]] = {
    "basic": {"format": _format, "tag": _tag},
    "expression": {},
    "html": {"format": _format, "tag": _tag, "escape_script_tag": _escape_script_tag, "markdown": _markdown},
    "markdown": {"format": _format, "tag": _tag, "escape_script_tag": _escape_script_tag},
    "mermaid": {},
    "llm_prompt": {"format": _format, "tag": _tag, "with_images": _with_images},
    "img_gen_prompt": {"format": _format, "tag": _tag, "with_images": _with_images},
}

CATEGORIES: Final = frozenset(_LANGUAGE_FILTERS)


# --- functions that compiled templates call
# --------------------------------------------------------------------------------- No template can write these names,
# so only the environment can call them.


def _turns(value: Any) -> Any:
    if isinstance(value, Undefined):
        return value
    state = STATE.get()
    state.spend(1, "loop turns")
    return Turns(value, state)


def seen(value: Any) -> Any:
    """Charge a look through a value to the budget, as comparing, searching and slicing need one."""
    if isinstance(value, str | list | tuple | dict | ListValue):
        size = len(cast("str", value))
        weight = value.weight if isinstance(value, MadeList | MadeTuple | MadeDict) else 0
        STATE.get().spend(max(size, weight) // 256, "looking through values")
    return cast("Any", value)


def _made(value: Any) -> Any:
    return made(value, STATE.get())


def filters_of(category: str) -> dict[str, Callable[..., Any]]:
    """Every filter that a template of the category may use."""
    names = FILTERS_BY_CATEGORY[category]
    guarded = {name: _guarded(name, function) for name, function in DEFAULT_FILTERS.items()}
    offered = guarded | _REPLACED | _LANGUAGE_FILTERS[category]
    internal = {"turns!": _turns, "seen!": seen, "made!": _made}
    return {name: function for name, function in offered.items() if name in names} | internal
