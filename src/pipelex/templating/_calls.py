"""Checks the calls, attributes and loops of templates, and charges them to the budget."""

import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from types import BuiltinMethodType, MethodType
from typing import Any, Final, cast

from jinja2 import Environment, Undefined
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.utils import Cycler, Joiner, Namespace
from markupsafe import Markup

from pipelex.templating._budget import RenderState, exceed, fail, made, refuse
from pipelex.templating._missing import Null, reason
from pipelex.templating._values import IsoText, ListValue, Value, as_text, bare, in_words

_TEXT_METHODS: Final = frozenset(
    {
        "capitalize", "casefold", "center", "count", "endswith", "expandtabs", "find", "format", "format_map", "index",
        "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable",
        "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "partition", "removeprefix",
        "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines",
        "startswith", "strip", "swapcase", "title", "upper", "zfill",
    }
)  # fmt: skip

ATTRIBUTES: Final[tuple[tuple[type, frozenset[str]], ...]] = (
    (IsoText, frozenset({"isoformat", "isoweekday", "strftime", "weekday"})),
    (Markup, frozenset({"striptags", "unescape"})),
    (str, _TEXT_METHODS),
    (int, frozenset({"bit_length"})),
    (float, frozenset({"is_integer"})),
    (dict, frozenset({"get", "items", "keys", "values"})),
    (list, frozenset({"count", "index"})),
    (tuple, frozenset({"count", "grouper", "index", "list"})),
    (range, frozenset({"start", "step", "stop"})),
    (
        LoopContext,
        frozenset(
            {
                "changed", "cycle", "depth", "depth0", "first", "index", "index0", "last", "length", "nextitem",
                "previtem", "revindex", "revindex0",
            }
        ),
    ),
    (Cycler, frozenset({"current", "next", "reset"})),
    (Macro, frozenset({"arguments", "caller", "catch_kwargs", "catch_varargs", "name"})),
)  # fmt: skip
"""The attributes that a template may read from objects of other classes than `Value`; any other name is refused."""

MOMENT_PARTS: Final = frozenset({"year", "month", "day", "hour", "minute", "second"})

_DIRECTIVE: Final = re.compile(
    r"%(?:\((?P<key>[^)]*)\))?[#0\- +]*(?P<width>\*|\d*)(?:\.(?P<precision>\*|\d*))?[hlL]?(?P<kind>.)?"
)


def call_checked(env: Environment, context: Any, state: RenderState, called: Any, args: Any, kwargs: Any) -> Any:
    """Make a call of a template, if it is one of the few that templates may make.

    Raises:
        PipelexError: the call is not allowed, or would exceed the budget.
    """
    state.spend(1, "calls")
    if isinstance(called, Macro | BlockReference):
        with state.inside("the nesting of macros"):
            return context.call(called, *args, **kwargs)
    if isinstance(called, LoopContext):
        with state.inside("the nesting of recursive loops"):
            return context.call(called, *[Turns(item, state) for item in args], **kwargs)
    # Jinja passes the variables of the loop and block around the call, which only `context.call` understands.
    kwargs = {name: arg for name, arg in kwargs.items() if name not in ("_loop_vars", "_block_vars")}
    if isinstance(called, Joiner):
        return called()
    if isinstance(called, Null):
        owner, _, method = called.path.rpartition(".")
        fail(f"'{owner}' has no value, so '{method}' cannot be called", variable=owner)
    if isinstance(called, Undefined):
        if isinstance(called._undefined_obj, Value):
            refuse(str(called._undefined_name), "contents have fields, not methods")
        return called()
    if isinstance(called, type) and called in _CLASSES:
        return _make(called, state, args, kwargs)
    if isinstance(called, BuiltinMethodType | MethodType):
        owner = called.__self__
        if is_readable(owner, called.__name__):
            return _call_method(env, state, owner, called, list(args), kwargs)
    name = in_words(called) if isinstance(called, Value) else getattr(cast("object", called), "__name__", None)
    return refuse(str(name or type(called).__name__), "it is not something a template may call")


_CLASSES: Final = (range, dict, Namespace, Cycler, Joiner)


def _make(kind: type, state: RenderState, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    plain = [bare(arg) for arg in args]
    if kind is range:
        numbers = range(*plain)
        if len(numbers) > state.limits.turns:
            exceed("range", state.limits.turns)
        return numbers
    if kind is dict:
        return made(dict(*plain, **kwargs), state)
    return kind(*args, **kwargs)


def is_readable(owner: object, name: str) -> bool:
    """Whether a template may read an attribute of an object that is not a `Value`."""
    return any(isinstance(owner, kind) and name in names for kind, names in ATTRIBUTES)


class Turns:
    """The items of a loop; each turn is charged to the budget."""

    def __init__(self, iterable: Any, state: RenderState) -> None:
        self._iterable = iterable
        self._state = state

    def __len__(self) -> int:
        return len(self._iterable)

    def __iter__(self) -> Any:
        state = self._state
        for item in self._iterable:
            state.spend(1, "loop turns")
            yield item


# --- methods of texts -------------------------------------------------------------------------------------------------


def _call_method(
    env: Environment, state: RenderState, owner: Any, method: Any, args: list[Any], kwargs: Mapping[str, Any]
) -> Any:
    name = method.__name__
    if not isinstance(owner, str):
        return method(*args, **kwargs)
    state.spend(len(owner) // 256, "work on strings")
    if name == "format":
        return format_text(env, state, owner, args, kwargs)
    if name == "format_map":
        return format_text(env, state, owner, (), args[0])
    args = [bare(arg) for arg in args]
    _check_growth(state, owner, name, args)
    found = method(*args, **{key: bare(arg) for key, arg in kwargs.items()})
    state.write(len(cast("str", found)) if isinstance(found, str | list) else 1, f"'{name}'")
    return cast("Any", found)


def _check_growth(state: RenderState, owner: str, name: str, args: list[Any]) -> None:
    """Refuse a call whose result would be too large, before it is made."""
    if name in ("center", "ljust", "rjust", "zfill", "expandtabs") and args:
        check_width(state, args[0])
    if name == "expandtabs" and args:
        state.write(owner.count("\t") * max(int(args[0]), 0), "'expandtabs'")
    if name == "strftime" and args:
        check_width(state, len(str(args[0])))
        if re.search(r"%[^A-Za-z%]*s", str(args[0])):
            fail("'%s' in 'strftime' depends on the machine's time zone")
    if name == "replace" and len(args) >= 2:
        check_replace(state, owner, str(args[0]), str(args[1]))
    if name == "join" and args:
        parts = [as_text(part) for part in Turns(args[0], state)]
        state.write(sum(map(len, parts)) + len(owner) * len(parts), "'join'")
        args[0] = parts


def check_replace(state: RenderState, text: str, old: str, new: str) -> None:
    """Charge the result of `replace` to the budget, before it is made."""
    state.write(len(text) + text.count(old) * len(new), "'replace'")


def check_width(state: RenderState, width: object) -> None:
    """Refuse padding beyond the limit."""
    if isinstance(width, int) and abs(width) > state.limits.width:
        exceed("padding", state.limits.width)


def percent(state: RenderState, pattern: str, values: Any) -> str:
    """`pattern % values`, after a check of the result's size."""
    plain: Any
    parts: list[Any]
    if isinstance(values, tuple):
        parts = [_formattable(value) for value in cast("tuple[Any, ...]", values)]
        plain = tuple(parts)
    elif isinstance(values, dict):
        members = {key: _formattable(value) for key, value in cast("dict[Any, Any]", values).items()}
        parts, plain = list(members.values()), members
    else:
        plain = _formattable(values)
        parts = [plain]
    longest = max((len(part) if isinstance(part, str) else 400 for part in parts), default=0)
    size = len(pattern)
    for match in _DIRECTIVE.finditer(pattern):
        state.spend(1, "'%'")
        for width in (match["width"], match["precision"]):
            if width == "*":
                for part in parts:
                    check_width(state, part)
                size += state.limits.width
            elif width:
                if len(width) > 9:
                    exceed("padding", state.limits.width)
                check_width(state, int(width))
                size += int(width)
        size += longest
    state.write(size, "'%'")
    return _written(values, lambda: pattern % plain)


def _written(values: Any, write: Callable[[], str]) -> str:
    """A formatted text; if a missing value is formatted as a number, the error says why it is missing."""
    try:
        return write()
    except (TypeError, ValueError):
        if isinstance(values, dict):
            values = tuple(cast("dict[str, Any]", values).values())
        for value in cast("tuple[Any, ...]", values) if isinstance(values, tuple) else (values,):
            if isinstance(value, Undefined):
                fail(f"{reason(value)}, so it cannot be written as a number", variable=str(value._undefined_name))
        raise


def _formattable(value: Any) -> Any:
    plain = bare(value)
    if isinstance(plain, str) or (isinstance(plain, int | float) and not isinstance(plain, bool)):
        return plain
    return as_text(plain)


def format_text(
    env: Environment, state: RenderState, pattern: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """`pattern.format(*args, **kwargs)` inside the sandbox: attributes are read through the environment."""
    text = _BoundedFormatter(env, state).vformat(str(pattern), args, kwargs)
    return Markup(text) if isinstance(pattern, Markup) else text


class _BoundedFormatter(Formatter):
    def __init__(self, env: Environment, state: RenderState) -> None:
        self._env = env
        self._state = state

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        first, *rest = re.split(r"(?=[.\[])", field_name)
        key: Any = int(first) if first.isdecimal() else first
        found: Any = self.get_value(key, args, kwargs)
        for step in rest:
            name = step[1:].rstrip("]")
            if step.startswith("."):
                found = self._env.getattr(found, name)
            else:
                found = self._env.getitem(found, int(name) if name.isdecimal() else name)
        return found, key

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion in ("r", "a"):
            fail(f"'!{conversion}' is not available in templates")
        return as_text(value) if conversion == "s" else value

    def format_field(self, value: Any, format_spec: str) -> str:
        state = self._state
        state.spend(1, "'format'")
        for number in re.findall(r"\d+", format_spec):
            if len(number) > 9 or int(number) > state.limits.width:
                exceed("padding", state.limits.width)
        plain = bare(value)
        if isinstance(plain, Value) or not isinstance(plain, str | int | float):
            plain = as_text(plain)
        text = _written(value, lambda: format(plain, format_spec))
        state.write(len(text), "'format'")
        return text


# --- operators --------------------------------------------------------------------------------------------------------


def operate(state: RenderState, operator: str, left: Any, right: Any, plain_operator: Any) -> Any:
    """A binary operation, after a check of the result's size."""
    if isinstance(left, str) and operator == "%":
        return percent(state, left, right)
    left, right = _operand(left), _operand(right)
    if isinstance(left, str) and operator == "%":
        return percent(state, left, right)
    check = {"+": _check_sum, "*": _check_product, "**": _check_power}.get(operator)
    if check is not None:
        check(state, left, right)
    found = plain_operator(left, right)
    if not isinstance(found, list | tuple):
        return found
    return made(cast("Any", found), state, *((left, right) if operator == "+" else ()))


def _operand(value: Any) -> Any:
    return list(value) if isinstance(value, ListValue) else bare(value)


def _check_sum(state: RenderState, left: Any, right: Any) -> None:
    if isinstance(left, str) and isinstance(right, str):
        state.write(len(left) + len(right), "joining strings")
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        state.spend((len(cast("list[Any]", left)) + len(cast("list[Any]", right))) // 256, "joining lists")


def _check_product(state: RenderState, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > state.limits.digits:
            exceed("multiplication", state.limits.digits)
        return
    for repeated, times in ((left, right), (right, left)):
        if isinstance(repeated, str) and isinstance(times, int):
            state.write(len(repeated) * max(times, 0), "repetition")
        elif isinstance(repeated, list | tuple) and isinstance(times, int):
            state.spend(len(cast("list[Any]", repeated)) * max(times, 0), "repetition")


def _check_power(state: RenderState, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > state.limits.digits:
        exceed("a power", state.limits.digits)


def join_texts(state: RenderState, parts: Sequence[Any], *, autoescape: bool) -> str:
    """`a ~ b`."""
    texts = [as_text(part) for part in parts]
    state.write(sum(map(len, texts)), "joining strings")
    if autoescape and any(isinstance(text, Markup) for text in texts):
        return Markup("").join(texts)
    return "".join(texts)
