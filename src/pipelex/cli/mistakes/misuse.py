"""Command lines that make no sense: what is wrong with them, and what was probably meant."""

import io
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from typer.exceptions import TyperException

from pipelex.cli._shared.console import json_text, say, say_whole
from pipelex.cli._shared.keys import ARGS_KEY, JSON_KEY
from pipelex.cli.mistakes.retyped import advised
from pipelex.cli.mistakes.surplus import surplus_told
from pipelex.errors import ErrorReport, near_names
from pipelex.errors.terminal import clean
from pipelex.exits import ExitCode


def report_misuse(wrong: TyperException, meta: Mapping[str, Any]) -> int:
    """Print what is wrong with the command line on standard error, as a JSON problem if asked; return the exit code."""
    wrong.message = clean(_with_known_names(wrong, _with_near_names(_with_meant(wrong, meta))))
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
    proposed = getattr(wrong, "possibilities", None)
    if proposed:
        setattr(wrong, "possibilities", [each for each in proposed if _is_near(option, each)])  # noqa: B010 of no public type
    is_unknown = wrong.message.startswith("No such option")
    if is_unknown and (command := _with_options_last(context, meta.get(ARGS_KEY, ()))) is not None:
        setattr(wrong, "possibilities", [])  # noqa: B010 of no public type
        return f"{option} comes after the command. {advised([command])}"
    if is_unknown and (elsewhere := _set_elsewhere(option.lower(), getattr(context, "command_path", ""))):
        return f"{wrong.message}. {elsewhere}"
    if context is not None and wrong.message.startswith("Got unexpected extra argument"):
        return surplus_told(context, meta) or wrong.message
    return wrong.message


_TIMES: Final = (
    "Settings limit times: `[inference] call_timeout` that of a request, and of durable runs "
    "`workflow_execution_timeout` of [temporal.worker_config]."
)


_MODELS: Final = (
    "A pipe's `model` names its model, and an alias of [llm.aliases] in a deck file changes it for every method; "
    "`pipelex models` lists the names."
)


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


def _set_elsewhere(option: str, command: str) -> str | None:
    """Where to set what an unknown option seems to be about; None if nothing is known of it."""
    if "timeout" in option:
        return _TIMES
    if option in ("-m", "--model", "--llm") and not command.endswith("init"):
        return _MODELS
    if option == "--pipe" and "validate" in command:
        return "Name the pipe itself: pipelex validate PIPE"
    return None


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


def _with_known_names(wrong: TyperException, message: str) -> str:
    """The message about an unknown command; if no similar one was suggested, it lists the known commands."""
    context = getattr(wrong, "ctx", None)
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
