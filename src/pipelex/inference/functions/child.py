"""Calls one function and writes what it gave: runs as a script of its own, never imported by the runtime.

Only the standard library is imported, so that the process starts quickly. The task comes as JSON on the standard
input; the answer, JSON too, goes to what was the standard output, which from then on means the standard error: a
function may print as it likes.
"""

import asyncio
import dataclasses
import datetime
import decimal
import enum
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, cast


class CannotBeCalled(Exception):
    """The function cannot be called as it is."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    with answers:
        json.dump(answer(task), answers)


def answer(task: dict[str, Any]) -> dict[str, Any]:
    sys.path.insert(0, task["root"])
    try:
        function = find(task["function"])
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


def find(name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as wrong:
        raise CannotBeCalled(
            f"the module '{module_name}' cannot be imported: {type(wrong).__name__}: {wrong}"
        ) from wrong
    function = getattr(module, function_name, None)
    if not callable(function):
        raise CannotBeCalled(f"'{module_name}' has no function '{function_name}'")
    return cast("Callable[..., Any]", function)


def bind(function: Callable[..., Any], inputs: dict[str, Any], absent: list[str]) -> dict[str, Any]:
    known = {**dict.fromkeys(absent), **inputs}
    parameters = inspect.signature(function).parameters
    if list(parameters) == ["inputs"] and "inputs" not in known:
        return {"inputs": known}
    arguments: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments = {**known, **arguments}
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise CannotBeCalled(f"its parameter '{name}' cannot be given by name")
        elif name in inputs or (name in known and parameter.default is parameter.empty):
            arguments[name] = known[name]
        elif name not in known and parameter.default is parameter.empty:
            names = ", ".join(known) or "none"
            raise CannotBeCalled(f"its parameter '{name}' is no input of the pipe; the inputs are: {names}")
    return arguments


def plain(value: Any) -> Any:
    """A result as plain JSON; members of models and dataclasses without a value are left out."""
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
        f"it gave a {type(value).__name__}, which is no content: give JSON, a pydantic model or a dataclass"
    )


def place(raised: BaseException, root: str) -> str:
    """The innermost line of the method's own files, for example `funcs/totals.py, line 12`."""
    frames = traceback.extract_tb(raised.__traceback__)
    own = [frame for frame in frames if os.path.abspath(frame.filename).startswith(os.path.abspath(root) + os.sep)]
    if not own:
        return ""
    return f"{os.path.relpath(own[-1].filename, root)}, line {own[-1].lineno}"


if __name__ == "__main__":
    main()
