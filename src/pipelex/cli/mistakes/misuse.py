"""Command lines that make no sense: what is wrong with them, and what was probably meant."""

import io
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from typer.exceptions import TyperException

from pipelex.cli._shared.console import json_text, say, say_whole
from pipelex.cli._shared.group import first_example
from pipelex.cli._shared.keys import ARGS_KEY, JSON_KEY
from pipelex.cli._shared.targets import BUNDLE_SUFFIXES
from pipelex.cli.mistakes.retyped import advised
from pipelex.cli.mistakes.surplus import surplus_told
from pipelex.errors import ErrorReport, near_names
from pipelex.errors.terminal import clean
from pipelex.exits import ExitCode


def report_misuse(wrong: TyperException, meta: Mapping[str, Any]) -> int:
    """Print what is wrong with the command line on standard error, as a JSON problem if asked; return the exit code."""
    wrong.message = clean(_with_known_names(wrong, meta, _with_near_names(_with_meant(wrong, meta))))
    if meta.get(JSON_KEY):
        report = ErrorReport("request.invalid", wrong.format_message(), params={"field": "command line"})
        say_whole(json_text(report.to_problem(), sys.stderr))
        return ExitCode.NOT_TRIED
    wrong.message = re.sub(r"\n(?=pipelex )", "\n  ", wrong.message)
    say(_usage(wrong).rstrip("\n"))
    return wrong.exit_code


def _with_meant(wrong: TyperException, meta: Mapping[str, Any]) -> str:
    """The message about an option or argument that the command does not have, with what the user may have meant."""
    context, option = getattr(wrong, "ctx", None), getattr(wrong, "option_name", "")
    if context is not None and wrong.message.startswith("No such option"):
        near = [each for each in getattr(wrong, "possibilities", None) or () if _is_near(option, each)]
        told = _unknown_option(context, option, near, meta.get(ARGS_KEY, ()))
        setattr(wrong, "possibilities", near if told is None else [])  # noqa: B010 of no public type
        return wrong.message if told is None else told
    is_missing = (
        context is not None and not wrong.message and re.fullmatch(r"Missing argument '\S+'\.", wrong.format_message())
    )
    if is_missing and (example := first_example(context)) is not None:
        return f"For example: {example}"
    if context is not None and wrong.message.startswith("Got unexpected extra argument"):
        return surplus_told(context, meta) or wrong.message
    return wrong.message


_TIMES: Final = (
    "Settings limit times: `[inference] call_timeout` that of a request, and of durable runs "
    "`workflow_execution_timeout` of [temporal.worker_config]."
)


_LOG: Final = "The setting `level` of [runtime.log] says how much is told; `pipelex --debug …` shows tracebacks."
_MODELS: Final = (
    "A pipe's `model` names its model, and an alias of [llm.aliases] in a deck file changes it for every method; "
    "`pipelex models` lists the names."
)


def _unknown_option(context: Any, option: str, near: Sequence[str], args: Sequence[str]) -> str | None:
    """What to tell about an option that the command does not have; None if nothing is known of it.

    Args:
        context: the context of the command.
        option: the option's name, as it was typed.
        near: the options of the command that may have been meant.
        args: all arguments as they were typed.
    """
    told = f"No such option: {option}. "
    if (command := _with_options_last(context, args)) is not None:
        return f"{option} comes after the command. {advised([command])}"
    if (elsewhere := _set_elsewhere(option.lower(), context.command_path, args)) is not None:
        return told + elsewhere
    meant = [each for each in near if each == option.lower()] or near
    if len(meant) != 1:
        return None
    spelt = [_renamed(word, option, meant[0]) for word in args]
    return None if spelt == [*args] else f"{told}{advised([spelt])}"


def _renamed(word: str, option: str, meant: str) -> str:
    name, equals, value = word.partition("=")
    return f"{meant}{equals}{value}" if name == option else word


def _with_options_last(context: Any, args: Sequence[str]) -> list[str] | None:
    """The command line with all that precedes a command's name put behind it; None if no command is named so late."""
    start = len(context.command_path.split()) - 1
    before, behind = args[:start], args[start:]
    known = {name for each in context.command.get_params(context) for name in each.opts}
    commands = getattr(context.command, "commands", ())
    place = next((place for place, word in enumerate(behind) if word in commands), 0)
    if not place or [*before] != context.command_path.split()[1:]:
        return None
    own = [word for word in behind[:place] if word in known]
    moved = [word for word in behind[:place] if word not in known]
    return [*before, *own, *behind[place:], *moved]


def _set_elsewhere(option: str, command: str, args: Sequence[str]) -> str | None:
    """Where to set what an unknown option seems to be about; None if nothing is known of it."""
    if "timeout" in option:
        return _TIMES
    if option in ("-m", "--model", "--llm") and not command.endswith("init"):
        return _MODELS
    if option in ("-v", "--verbose", "-q", "--quiet", "--log-level"):
        return _LOG
    if option == "--pipe" and "validate" in command:
        return f"Name the pipe itself: {_validation_of_pipe(args)}"
    return None


def _validation_of_pipe(args: Sequence[str]) -> str:
    """The command that validates the pipe that `--pipe` names, in the folder of the bundle beside it."""
    named = [after for before, after in pairwise([*args, ""]) if before == "--pipe"]
    pipe = next((word[7:] for word in args if word.startswith("--pipe=")), named[0] if named else "PIPE")
    folder = next((Path(word).parent for word in args if word.endswith(BUNDLE_SUFFIXES)), None)
    return shlex.join(["pipelex", "validate", "pipe", pipe, *(() if folder is None else ("-L", str(folder)))])


def _is_near(typed: str, option: str) -> bool:
    """Whether the typed text may mean an option: few letters differ, or the option contains all of its words."""
    name, known = typed.lstrip("-"), option.lstrip("-")
    return bool(near_names(name, [known], cutoff=0.7)) or set(name.split("-")) <= set(known.split("-"))


def _usage(wrong: TyperException) -> str:
    """The usage of the command, if it is known, followed by what is wrong."""
    show = getattr(wrong, "show", None)  # the base class has none
    if show is None:
        return f"Error: {wrong.format_message()}"
    said = io.StringIO()
    show(said)
    return said.getvalue()


def _with_known_names(wrong: TyperException, meta: Mapping[str, Any], message: str) -> str:
    """The message about an unknown command, with the line that has the only similar one, else all known commands."""
    context = getattr(wrong, "ctx", None)
    near = re.fullmatch(r"No such command '([^']*)'\. Did you mean '([^' ]*)'\?", message)
    args: Sequence[str] = meta.get(ARGS_KEY, ())
    if near is not None and near[1] in args:
        place = args.index(near[1])
        return f"{message} {advised([[*args[:place], near[2], *args[place + 1 :]]])}"
    if context is None or not re.fullmatch(r"No such command '[^']*'\.", message):
        return message
    known = [name for name in context.command.list_commands(context) if not context.command.commands[name].hidden]
    return f"{message} Known: {', '.join(known)}."


def _with_near_names(message: str) -> str:
    """The message about a value that is not one of the allowed names, with the nearest of them added."""
    if message.startswith("Input should be a valid integer"):
        return "it must be a whole number."
    if message.startswith("Input should be a valid number"):
        return "it must be a number."
    if (bound := re.fullmatch(r"Input should be (greater|less) than or equal to (\S+)", message)) is not None:
        return f"it is {'at least' if bound[1] == 'greater' else 'at most'} {bound[2]}."
    found = re.fullmatch(r"Value error, '(.*)' is not one of ('.*')\.", message)
    if found is None:
        return message.removeprefix("Value error, ")
    near = near_names(found[1], re.findall(r"'([^']*)'", found[2]))
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"'{found[1]}' is not one of {found[2]}.{hint}"
