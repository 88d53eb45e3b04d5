"""Calls one function and writes what it gave: runs as a script of its own, never imported by the runtime.

Only the standard library is imported, so that the process starts quickly. The task comes as JSON on the standard
input; the answer, JSON too, goes to what was the standard output, which from then on means the standard error: a
function may print as it likes.
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
    """The function, from the very source that was checked.

    Args:
        name: the function's import path.
        file: where its module is, for tracebacks and relative imports; it is not read again.
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
    """The names that a module's source binds by a `def` of its own, not inside anything."""
    try:
        tree = ast.parse(source, file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as wrong:
        raise CannotBeCalled(f"its module cannot be read: {type(wrong).__name__}: {wrong}") from None
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def loaded(module_name: str, file: str, source: str) -> types.ModuleType:
    """A module made from its checked source, under a private name: none that is already loaded can stand in for it."""
    module = types.ModuleType(f"_pipelex_method.{module_name}")
    module.__file__ = file
    is_package = os.path.basename(file) == "__init__.py"
    module.__package__ = module_name if is_package else module_name.rpartition(".")[0]
    if is_package:
        module.__path__ = [os.path.dirname(file)]
    sys.modules[module.__name__] = module  # dataclasses and pydantic look their module up
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
