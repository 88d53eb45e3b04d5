"""Options that several commands share, declared once as the fields of a dataclass."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar, get_type_hints

T = TypeVar("T")

_APART: Final = (
    *(
        ("--detach", other)
        for other in (
            "--output-dir", "--save-csv", "--working-memory-path", "--with-memory", "--save-main-stuff",
            "--save-working-memory", "--graph", "--costs", "--cancel-on-interrupt",
        )
    ),
    *(("--local", other) for other in ("--server", "--wait", "--no-wait", "--cancel-on-interrupt")),
    ("--list", "--revoke"),
)  # fmt: skip
"""Pairs of options that contradict each other wherever a command has both."""


def contradiction(parameters: Sequence[Any], args: Sequence[str]) -> str | None:
    """A sentence about two typed options that contradict each other; None if no two do.

    Args:
        parameters: the options and arguments of the command.
        args: what was typed after the command.
    """
    typed = dict.fromkeys(_typed(parameters, args))
    switches = [(yes, no) for each in parameters for yes in each.opts for no in each.secondary_opts]
    for one, other in (*switches, *_APART):
        if one in typed and other in typed:
            return f"{one} contradicts {other}: give one of them"
    return None


def _typed(parameters: Sequence[Any], args: Sequence[str]) -> Iterator[str]:
    """The long name of each option that was typed."""
    names = {
        name: next((long for long in each.opts if long.startswith("--")), name)
        for each in parameters
        if each.param_type_name == "option"
        for name in each.opts
    }
    names |= {name: name for each in parameters for name in each.secondary_opts}
    takes_value = {
        name for each in parameters if each.param_type_name == "option" and not each.is_flag for name in each.opts
    }
    is_value = False
    for arg in args:
        name = arg.partition("=")[0] if arg.startswith("--") else arg if arg in names else arg[:2]
        if is_value:
            is_value = False
        elif arg == "--":
            return
        elif name in names:
            yield names[name]
            is_value = arg in takes_value


def with_flags(flags: type[T]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that a dataclass declares.

    The command's last parameter, `flags`, receives an instance. In the signature that typer reads, the fields replace
    that parameter.

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
