"""Checks the Python functions that pipes name, without importing them (section 6.8 of the language reference)."""

import ast
from typing import Final, TypeAlias

from pipelex.errors import near_names
from pipelex.language.blueprints import PipeFuncBlueprint
from pipelex.library._library import Pipe
from pipelex.library._trees.named_files import module_files
from pipelex.library._trees.tree import MethodTree
from pipelex.library._validate._context import Checks
from pipelex.library.python_source import parse_module

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_OLD_DECORATOR: Final = "pipe_func"
_OLD_PARAMETER: Final = "working_memory"


def check_function(checks: Checks, pipe: Pipe) -> None:
    """Check that a PipeFunc's function is in the method's folder, and that its parameters fit the pipe's inputs."""
    blueprint = pipe.blueprint
    assert isinstance(blueprint, PipeFuncBlueprint)
    tree = checks.tree(pipe)
    if tree is not None and (wrong := _fault(tree, pipe, blueprint.function_name)) is not None:
        checks.report(
            pipe,
            "method.function_invalid",
            f"'{checks.label(pipe)}' cannot call '{blueprint.function_name}': {wrong}",
            "function_name",
            category="pipe_func_function_refused",
            function=blueprint.function_name,
            finding=wrong,
        )


def _fault(tree: MethodTree, pipe: Pipe, name: str) -> str | None:
    """The reason why a function cannot be called; None if it can."""
    *modules, function = name.split(".")
    path = "/".join(modules)
    candidates = module_files(tree, name)
    if not candidates:
        return f"there is no file '{path}.py' in the method's folder"
    if len(candidates) > 1:
        return f"both {' and '.join(candidates)} are there; keep one"
    try:
        module = parse_module(tree.read(candidates[0]) or b"")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as wrong:
        line = getattr(wrong, "lineno", None)
        return f"'{candidates[0]}' is not Python" + (f" (line {line})" if line else "")
    found = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    if function in found:
        return _old_convention(module, found[function], pipe) or _wrong_parameter(found[function], pipe)
    near = near_names(function, found)
    return f"'{candidates[0]}' has no function '{function}' at its top level" + (
        f"; did you mean '{near[0]}'?" if near else ""
    )


def _old_convention(module: ast.Module, function: _Function, pipe: Pipe) -> str | None:
    """The advice for a function that uses the calling convention of an earlier release; None for any other."""
    is_decorated = _imports_decorator(module)
    takes_memory = _OLD_PARAMETER not in pipe.inputs and _OLD_PARAMETER in _parameters(function)
    if not is_decorated and not takes_memory:
        return None
    signature = f"def {function.name}({', '.join(pipe.inputs)})"
    if isinstance(function, ast.AsyncFunctionDef):
        signature = f"async {signature}"
    what = f"it takes '{_OLD_PARAMETER}'" if takes_memory else f"its module imports '{_OLD_DECORATOR}'"
    plain = f" without '@{_OLD_DECORATOR}' and its import" if is_decorated else ""
    return (
        f"{what}, as functions of earlier releases do; write '{signature}'{plain}: inputs are passed by name, and the"
        " function returns the content of the output"
    )


def _imports_decorator(module: ast.Module) -> bool:
    imports = (node for node in module.body if isinstance(node, ast.ImportFrom))
    ours = (node for node in imports if (node.module or "").partition(".")[0] == "pipelex")
    return any(alias.name == _OLD_DECORATOR for node in ours for alias in node.names)


def _parameters(function: _Function) -> dict[str, bool]:
    """Parameter name → whether it is required; `*` and `**` parameters are left out."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    found = {argument.arg: rank < required for rank, argument in enumerate(positional)}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[argument.arg] = default is None
    return found


def _wrong_parameter(function: _Function, pipe: Pipe) -> str | None:
    """The message about a parameter that the pipe cannot pass; None if there is none.

    A decorator may change the parameters, so only the run shows whether a decorated function fits.
    """
    if function.decorator_list:
        return None
    arguments, parameters = function.args, _parameters(function)
    unnamed = next((one.arg for one in (*arguments.posonlyargs, arguments.vararg) if one is not None), None)
    if unnamed is not None:
        return f"its parameter '{unnamed}' cannot be passed by name"
    takes_all = [*parameters] == ["inputs"] and arguments.kwarg is None
    unknown = [name for name, is_required in parameters.items() if is_required and name not in pipe.inputs]
    if not unknown or takes_all:
        return None
    near = near_names(unknown[0], pipe.inputs)
    hint = f"; did you mean '{near[0]}'?" if near else f"; the inputs are: {', '.join(pipe.inputs) or 'none'}"
    return f"its parameter '{unknown[0]}' is not an input of the pipe{hint}"
