"""Groups of commands whose code is imported only when one of them runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from pipelex.cli._shared.flags import contradiction
from pipelex.cli._shared.keys import OWN_ARGS_KEY, PIPE_OPTION_KEY


@dataclass(frozen=True, slots=True)
class Entry:
    """The module of a command's code, and the command's line in the list of commands."""

    module: str
    help: str
    section: str = "Commands"
    """The heading under which the command is listed."""


class PlainCommand(TyperCommand):
    """A command whose help shows only its own examples out of its module's, and only the names of its arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See base class; empty arguments and options that contradict each other are refused."""
        ctx.meta[OWN_ARGS_KEY] = [*args]
        ctx.meta[PIPE_OPTION_KEY] = any("--pipe" in each.opts for each in self.get_params(ctx))
        if not ctx.resilient_parsing:
            _refuse_empty(args)
            if (wrong := contradiction(self.get_params(ctx), args)) is not None:
                raise Misuse(wrong)
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """See base class."""
        named = [each for each in self.get_params(ctx) if each.param_type_name == "argument"]
        return ["[OPTIONS]", *(argument_name(each) if each.required else f"[{argument_name(each)}]" for each in named)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """See base class."""
        shown = [each for each in self.get_params(ctx) if not getattr(each, "hidden", False)]
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            records = [help_record(each, ctx) for each in shown if each.param_type_name == kind]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """See base class."""
        siblings = ctx.parent.command.list_commands(ctx.parent) if ctx.parent is not None else ()
        _write_examples(self.epilog, ctx.command_path, siblings, formatter)


def _refuse_empty(args: Sequence[str]) -> None:
    """Refuse an empty argument or an empty value of an option.

    Raises:
        Misuse: an argument or a value is empty.
    """
    for before, arg in zip(["", *args], args, strict=False):
        option, _, value = arg.partition("=")
        if arg == "":
            option = before if before.startswith("-") and before != "--" else ""
        elif value or not arg.startswith("--") or arg == option:
            continue
        what = f"the value of {option}" if option else "an argument"
        raise Misuse(f"{what} is empty; perhaps a shell variable is not set")


def argument_name(argument: Any) -> str:
    """The name of an argument in the help: `PATH`, or `PATH...` if there may be several."""
    name = (argument.metavar or argument.name.upper()).removesuffix("...").strip("[]")
    return name if argument.nargs == 1 else f"{name}..."


def help_record(parameter: Any, ctx: Any) -> tuple[str, str]:
    """The names of an argument or an option, and its help text."""
    names, text = parameter.get_help_record(ctx) or (parameter.name.upper(), parameter.help or "")
    return (argument_name(parameter) if parameter.param_type_name == "argument" else names), text


def _write_examples(epilog: str | None, path: str, others: Sequence[str], formatter: Any) -> None:
    own = _own_examples(epilog, path, others)
    if own:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n".join(["\b", "Examples:", *own]))


def _own_examples(epilog: str | None, path: str, others: Sequence[str]) -> list[str]:
    return [line for line in (epilog or "").splitlines() if is_example(line, path, others)]


def first_example(ctx: Any) -> str | None:
    """The first command line of a command's help; None if the help has none."""
    siblings = ctx.parent.command.list_commands(ctx.parent) if ctx.parent is not None else ()
    own = _own_examples(ctx.command.epilog, ctx.command_path, siblings)
    return own[0].strip() if own else None


def is_example(line: str, path: str, siblings: Sequence[str]) -> bool:
    """Whether a line is an example of the command at `path`, and not of one of its named subcommands (`siblings`)."""
    _, found, rest = f" {line.strip()} ".partition(f" {path} ")
    return bool(found) and rest.partition(" ")[0] not in siblings


class PlainGroup(TyperGroup):
    """A group whose list of commands is never cut: a summary that is too long continues on the next line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """See base class."""
        for section, names in self.sections(ctx).items():
            with formatter.section(section):
                formatter.write_dl([(name, _summary(self.commands[name])) for name in names], col_spacing=2)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """See base class."""
        _write_examples(self.epilog, ctx.command_path, (), formatter)

    def sections(self, ctx: Any) -> dict[str, list[str]]:
        """The commands that are shown, under their headings."""
        return {"Commands": [name for name in self.list_commands(ctx) if not self.commands[name].hidden]}


def _summary(command: Any) -> str:
    """The first sentence of the help's first paragraph, or the whole paragraph if it has no full stop."""
    text = " ".join((command.help or "").partition("\n\n")[0].split())
    first, dot, _ = text.partition(". ")
    return f"{first}." if dot else text


class LazyGroup(PlainGroup):
    """A group that imports a command's module only when the command runs; the module's `Typer` is called `app`."""

    table: ClassVar[Mapping[str, Entry]] = {}

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, entry in self.table.items():
            self.add_command(TyperCommand(name, help=entry.help, rich_markup_mode=None), name)

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in the order of the table."""
        del ctx
        return list(self.table)

    def sections(self, ctx: Any) -> dict[str, list[str]]:
        """See base class."""
        del ctx
        found: dict[str, list[str]] = {}
        for name, entry in self.table.items():
            found.setdefault(entry.section, []).append(name)
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See base class; the command's module is imported, and the command in it is returned."""
        name, command, rest = super().resolve_command(ctx, args)
        entry = self.table.get(name or "")
        if entry is not None:
            command = typer.main.get_command(import_module(entry.module).app)
            command.name = name
        return name, command, rest


class _UnnamedContext(typer.Context):
    """The context of a command that is not named on the command line."""

    @property
    def command_path(self) -> str:
        """See base class."""
        return super().command_path.rstrip()


class TargetGroup(PlainGroup):
    """A group with a short form: a first argument that is not the name of a command is taken as a target."""

    short_form: ClassVar[str] = "auto"
    """The hidden command that takes a target without a name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See base class."""
        is_named = bool(args) and (args[0] in self.commands or args[0] in ("--help", "-h"))
        if args and not is_named:
            args = [self.short_form, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See base class; the short form is resolved without a name, so the help shows none."""
        name, command, rest = super().resolve_command(ctx, args)
        if name == self.short_form and command is not None:
            command.context_class = _UnnamedContext
            name = ""
        return name, command, rest

    def list_commands(self, ctx: Any) -> list[str]:
        """Every command but the short form."""
        return [name for name in super().list_commands(ctx) if name != self.short_form]


class Misuse(typer.BadParameter):
    """Options or arguments that make no sense; nothing is printed but the message."""

    def format_message(self) -> str:
        """See base class."""
        return self.message


class _App(typer.Typer):
    def command(self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **options: Any) -> Any:
        """See base class."""
        return super().command(name, cls=cls or PlainCommand, **options)


def command_app(cls: type[PlainGroup] = PlainGroup, **options: Any) -> typer.Typer:
    """A `Typer` with the settings that all our commands share: plain help, no completion commands, no tracebacks."""
    return _App(
        cls=cls,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        **options,
    )
