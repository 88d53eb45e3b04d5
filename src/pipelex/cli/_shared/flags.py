"""Options that several commands share, declared once as the fields of a dataclass."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def with_flags(flags: type[T]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that a dataclass declares.

    The command's last parameter, `flags`, receives an instance; the fields take its place in the signature that
    typer reads.

    Args:
        flags: a dataclass whose fields are annotated with `typer.Option`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(flags, include_extras=True)
        names = [field.name for field in dataclasses.fields(flags)]  # pyright: ignore[reportArgumentType]
        defaults = {field.name: field.default for field in dataclasses.fields(flags)}  # pyright: ignore[reportArgumentType]
        own = {
            name: parameter.replace(annotation=annotation)
            for (name, parameter), annotation in zip(
                inspect.signature(command).parameters.items(),
                get_type_hints(command, include_extras=True).values(),
                strict=False,
            )
            if name != "flags"
        }
        added = {
            name: inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=hints[name]
            )
            for name in names
        }

        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            given = {name: values.pop(name) for name in names}
            command(**values, flags=flags(**given))

        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own.values()]
        wrapper.__signature__ = inspect.Signature([*parameters, *added.values()])  # pyright: ignore[reportAttributeAccessIssue]
        wrapper.__annotations__ = {name: parameter.annotation for name, parameter in {**own, **added}.items()}
        return wrapper

    return decorate
