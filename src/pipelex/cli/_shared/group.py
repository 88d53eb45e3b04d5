"""Groups of commands whose code is imported only when one of them runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command's code is, and what the list of commands says of it."""

    module: str
    help: str


class LazyGroup(TyperGroup):
    """A group that knows its commands by name; a command's module has a `Typer` called `app`."""

    table: ClassVar[Mapping[str, Entry]] = {}

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, entry in self.table.items():
            self.add_command(TyperCommand(name, help=entry.help, rich_markup_mode=None), name)

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in the order of the table."""
        del ctx
        return list(self.table)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See base class; the command that comes back is the real one."""
        name, command, rest = super().resolve_command(ctx, args)
        entry = self.table.get(name or "")
        if entry is not None:
            command = typer.main.get_command(import_module(entry.module).app)
            command.name = name
        return name, command, rest


class TargetGroup(TyperGroup):
    """A group with a short form: what follows it is a target when it is not the name of one of its commands."""

    short_form: ClassVar[str] = "auto"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See base class."""
        is_named = bool(args) and (args[0] in self.commands or args[0] in ("--help", "-h"))
        if args and not is_named:
            args = [self.short_form, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command but the short form."""
        return [name for name in super().list_commands(ctx) if name != self.short_form]


def command_app(**options: Any) -> typer.Typer:
    """A `Typer` with the house's settings: plain help, no completion commands, no tracebacks of its own."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        **options,
    )
