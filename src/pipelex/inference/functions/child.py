"""A script that calls one function and writes its result. The runtime starts it, and never imports it.

It imports only the standard library, so that it starts quickly. It reads the task as JSON from standard input and
writes the answer as JSON to the original standard output. What the function prints goes to standard error instead, so
it cannot damage the answer.
"""

import ast
import asyncio
import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import os
import sys
import traceback
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, cast


class CannotBeCalled(Exception):
    """The function cannot be called, or what it returns is not content."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    with answers:
        json.dump(answer(task), answers)


def answer(task: dict[str, Any]) -> dict[str, Any]:
    sys.path.insert(0, task["root"])
    try:
        function = find(task["function"], task["file"], task["source"])
        arguments = bind(function, task["inputs"], task["absent"])
        given = function(**arguments)
        if inspect.isawaitable(given):
            given = asyncio.run(awaited(given))
        return {"content": plain(given)}
    except CannotBeCalled as wrong:
        return {"refused": str(wrong)}
    except BaseException as raised:
        return {"raised": type(raised).__name__, "message": str(raised), "place": place(raised, task["root"])}


async def awaited(given: Any) -> Any:
    return await given


def find(name: str, file: str, source: str) -> Callable[..., Any]:
    """Load the function from the source that was checked.

    Args:
        name: the function's import path.
        file: the path of its module, for tracebacks and relative imports; it is not read again.
        source: the text of the module.
    """
    module_name, _, function_name = name.rpartition(".")
    if function_name not in defined_functions(source, file):
        raise CannotBeCalled(f"'{module_name}' defines no function '{function_name}' at its top level")
    function = getattr(loaded(module_name, file, source), function_name, None)
    if not callable(function):
        raise CannotBeCalled(f"'{module_name}' has no function '{function_name}'")
    return cast("Callable[..., Any]", function)


def defined_functions(source: str, file: str) -> set[str]:
    """The names of the functions that a module's source defines with a `def` at its top level."""
    try:
        tree = ast.parse(source, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as wrong:
        raise CannotBeCalled(f"its module cannot be read: {type(wrong).__name__}: {wrong}") from None
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def loaded(module_name: str, file: str, source: str) -> types.ModuleType:
    """Build a module from its checked source, under a private name that no loaded module has."""
    module = types.ModuleType(f"_pipelex_method.{module_name}")
    module.__file__ = file
    is_package = os.path.basename(file) == "__init__.py"
    module.__package__ = module_name if is_package else module_name.rpartition(".")[0]
    if is_package:
        module.__path__ = [os.path.dirname(file)]
    sys.modules[module.__name__] = module  # dataclasses and pydantic look up their module
    try:
        exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 the method's own file, as the run names it
    except Exception as wrong:
        raise CannotBeCalled(
            f"the module '{module_name}' cannot be imported: {type(wrong).__name__}: {wrong}"
        ) from wrong
    return module


def bind(function: Callable[..., Any], inputs: dict[str, Any], absent: list[str]) -> dict[str, Any]:
    known = {**dict.fromkeys(absent), **inputs}
    parameters = inspect.signature(function).parameters
    if list(parameters) == ["inputs"] and "inputs" not in known:
        return {"inputs": known}
    arguments: dict[str, Any] = {}
    hints = hints_of(function)
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments = {**known, **arguments}
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise CannotBeCalled(f"its parameter '{name}' cannot be passed by name")
        elif name in inputs or (name in known and parameter.default is parameter.empty):
            arguments[name] = taken(name, known[name], hints.get(name, Any))
        elif name not in known and parameter.default is parameter.empty:
            names = ", ".join(known) or "none"
            raise CannotBeCalled(f"its parameter '{name}' is not an input of the pipe; the inputs are: {names}")
    return arguments


# --- inputs, converted to the types of parameters --------------------------------------------------------------------


class DoesNotFit(Exception):
    """The value does not fit the type."""


NATIVES: dict[str, set[str]] = {
    "text": set(),
    "number": set(),
    "yes_no": {"probability"},
    "date": {"time"},
    "time": set(),
    "choice": {"confidence", "probabilities"},
    "level": {"label", "confidence", "probabilities", "position"},
    "inner_html": {"css_class"},
    "url": {
        "public_url",
        "source_prompt",
        "source_negative_prompt",
        "mime_type",
        "filename",
        "title",
        "snippet",
        "caption",
        "width",
        "height",
    },
}
"""The member that holds the value of a native concept → the other members that its content may have."""


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The types of a function's parameters; empty when any of them cannot be resolved."""
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except Exception:  # a name that only a type checker sees
        return {}


def taken(name: str, value: Any, hint: Any) -> Any:
    """Convert an input to its parameter's type: a bare value for `str` or `float`, an object for a class."""
    try:
        return None if value is None else fitted(value, hint)
    except DoesNotFit as wrong:
        raise CannotBeCalled(f"its parameter '{name}' cannot take the input: {wrong}") from None


def fitted(value: Any, hint: Any) -> Any:
    """Convert a plain content to a type; a type without a rule here leaves it unchanged."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return first_fitting(value, arguments)
    if origin is typing.Literal:
        return one_of(value, arguments)
    if hint in SCALARS:
        return SCALARS[hint](bare(value))
    if origin in CONTAINERS and isinstance(value, list) and arguments[1:] in ((), (...,)):
        items = (fitted(item, arguments[0] if arguments else Any) for item in cast("list[Any]", value))
        return CONTAINERS[origin](items)
    if origin in (dict, abc.Mapping) and isinstance(value, dict) and len(arguments) == 2:
        return {key: fitted(member, arguments[1]) for key, member in cast("dict[str, Any]", value).items()}
    if isinstance(hint, type):
        return of_class(value, cast("type[Any]", hint))
    return cast("Any", value)


def first_fitting(value: Any, hints: tuple[Any, ...]) -> Any:
    if value is None and type(None) in hints:
        return None
    wrong: DoesNotFit | None = None
    for hint in hints:
        try:
            return fitted(value, hint)
        except DoesNotFit as refused:
            wrong = wrong or refused
    raise wrong or DoesNotFit(said(value))


def one_of(value: Any, words: tuple[Any, ...]) -> Any:
    found = bare(value)
    if found not in words:
        raise DoesNotFit(f"{said(found)} is not one of {', '.join(map(repr, words))}")
    return found


def of_class(value: Any, hint: type[Any]) -> Any:
    if issubclass(hint, enum.Enum):
        try:
            return hint(bare(value))
        except ValueError:
            raise DoesNotFit(f"{said(bare(value))} is not a valid {hint.__name__}") from None
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    if dataclasses.is_dataclass(hint):
        names = [field.name for field in dataclasses.fields(hint) if field.init]
        return made(hint, by_field(members, hint, names), hint)
    if typing.is_typeddict(hint):
        return {**members, **by_field(members, hint, [*hint.__annotations__])}
    validate: Any = getattr(hint, "model_validate", None)
    fields: Any = getattr(hint, "model_fields", None)
    if validate is not None and isinstance(fields, dict):
        return made(validate, {**members, **by_field(members, hint, [*cast("dict[str, Any]", fields)])}, hint)
    return members


def by_field(members: dict[str, Any], hint: type[Any], names: list[str]) -> dict[str, Any]:
    """The members of a content that are fields of a class, each converted to the field's type."""
    try:
        hints = typing.get_type_hints(hint)
    except Exception:  # a name that only a type checker sees
        hints = {}
    found: dict[str, Any] = {}
    for name in names:
        member = members.get(name)
        try:
            if member is not None:
                found[name] = fitted(member, hints.get(name, Any))
            elif type(None) in typing.get_args(hints.get(name)) and not has_default(hint, name):
                found[name] = None
        except DoesNotFit as wrong:
            raise DoesNotFit(f"'{name}': {wrong}") from None
    return found


def has_default(hint: type[Any], name: str) -> bool:
    """Whether a class needs no value for a field."""
    if not dataclasses.is_dataclass(hint):
        return True  # pydantic itself reports a field that is missing
    field = next(one for one in dataclasses.fields(hint) if one.name == name)
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def made(maker: Callable[..., Any], members: dict[str, Any], hint: type[Any]) -> Any:
    try:
        return maker(**members) if maker is hint else maker(members)
    except (TypeError, ValueError) as wrong:
        raise DoesNotFit(f"it is not a valid {hint.__name__}: {wrong}") from None


def bare(value: Any) -> Any:
    """The single value that a native concept's content holds; any other value is returned unchanged."""
    if not isinstance(value, dict):
        return value
    members = cast("dict[str, Any]", value)
    for name, beside in NATIVES.items():
        if name in members and members.keys() <= beside | {name}:
            at = members.get("time") if name == "date" else None
            return members[name] if at is None else f"{members[name]}T{at}"
    return members


def as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise DoesNotFit(f"{said(value)} is not a text")
    return value


def as_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DoesNotFit(f"{said(value)} is not a number")
    return float(value)


def as_int(value: Any) -> int:
    number = as_float(value)
    if not number.is_integer():
        raise DoesNotFit(f"{said(value)} is not a whole number")
    return int(value)


def as_decimal(value: Any) -> decimal.Decimal:
    as_float(value)
    return decimal.Decimal(str(value))


def as_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise DoesNotFit(f"{said(value)} is neither true nor false")
    return value


def moment(read: Callable[[str], Any], what: str) -> Callable[[Any], Any]:
    def as_moment(value: Any) -> Any:
        try:
            return read(as_text(value))
        except ValueError:
            raise DoesNotFit(f"{said(value)} is not a valid {what}") from None

    return as_moment


def said(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:80]}…"


SCALARS: dict[Any, Callable[[Any], Any]] = {
    str: as_text,
    float: as_float,
    int: as_int,
    bool: as_bool,
    decimal.Decimal: as_decimal,
    datetime.date: moment(lambda text: datetime.date.fromisoformat(text.partition("T")[0]), "date"),
    datetime.datetime: moment(datetime.datetime.fromisoformat, "date with a time"),
    datetime.time: moment(datetime.time.fromisoformat, "time"),
}
"""Type that takes a bare value → its converter."""


CONTAINERS: dict[Any, Callable[[abc.Iterable[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    abc.Sequence: list,
    abc.Iterable: list,
    abc.Collection: list,
}
"""Type of a parameter that takes a list → the constructor of the value that it receives."""


# --- the result -----------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """Convert a result to plain JSON; members of models and dataclasses that are None are left out."""
    if value is None or isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, enum.Enum) else value
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", exclude_none=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(member) for name, member in members.items() if member is not None}
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in cast("list[Any]", value)]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, PurePath):
        return str(value)
    raise CannotBeCalled(
        f"it returned a value of type {type(value).__name__}, which is not content: return JSON, a pydantic model or a dataclass"
    )


def place(raised: BaseException, root: str) -> str:
    """The innermost line of the traceback in the method's own files, for example `funcs/totals.py, line 12`."""
    frames = traceback.extract_tb(raised.__traceback__)
    own = [frame for frame in frames if os.path.abspath(frame.filename).startswith(os.path.abspath(root) + os.sep)]
    if not own:
        return ""
    return f"{os.path.relpath(own[-1].filename, root)}, line {own[-1].lineno}"


if __name__ == "__main__":
    main()
