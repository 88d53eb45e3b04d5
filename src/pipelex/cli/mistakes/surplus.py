"""Arguments that a command does not take: what they were probably meant as, and the command to type."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from pipelex.cli._shared.group import TargetGroup, argument_name
from pipelex.cli._shared.keys import ARGS_KEY, OWN_ARGS_KEY
from pipelex.cli._shared.targets import BUNDLE_SUFFIXES
from pipelex.cli.mistakes.retyped import advised

_OTHERS: Final = {
    "doctor": "doctor checks the configuration. Check a method with: pipelex validate {}",
    "worker": "a worker runs any method. Give it the functions of a method's folder with: pipelex worker --library {}",
    "runs list": "this lists all runs. Show one with: pipelex runs show {}",
    "schedule list": "this lists all schedules. Show one with: pipelex schedule show {}",
    "temporal routes": "this shows the routes of all models. Show those of one with: pipelex temporal routes --handle {}",
    "trust": "trust is given to the project of the working directory. Type: pipelex trust",
}
"""Commands that take no argument → what to type if they are given one."""
_READ_BY: Final = {".json": "-i", ".toml": "-i", ".yaml": "-i", ".yml": "-i", ".csv": "--inputs-csv"}
"""The kinds of files that hold inputs → the option that reads them."""
_NAMED: Final = re.compile(r"^([A-Za-z_]\w*)\s*(?:=|:(?!//))\s*")
"""The beginning of a text that gives an input its value, however it is spaced."""
_MOST_READ: Final = 1_000_000
"""The characters of a file that are searched for a pipe."""


@dataclass(frozen=True)
class _TooLong:
    """A command line with too many arguments."""

    context: Any
    """The context of the command."""
    path: Sequence[str]
    """The words up to the command's name."""
    own: Sequence[str]
    """All that follows them."""
    kept: Sequence[str]
    """What follows them, without the arguments that are too many."""
    extra: Sequence[str]
    """The arguments that are too many."""
    values: Mapping[str, Any]
    """The values of the command's parameters, by their names."""

    @property
    def options(self) -> list[Any]:
        """The options of the command."""
        return [each for each in self._parameters if each.param_type_name == "option"]

    @property
    def arguments(self) -> list[Any]:
        """The arguments of the command."""
        return [each for each in self._parameters if each.param_type_name == "argument"]

    @property
    def _parameters(self) -> list[Any]:
        return self.context.command.get_params(self.context)

    @property
    def first(self) -> str | None:
        """The value of the command's only argument; None if it takes none, or several."""
        return self.values.get(self.arguments[0].name) if len(self.arguments) == 1 else None

    def takes(self, option: str) -> bool:
        return any(option in each.opts for each in self.options)

    def typed(self, *more: str) -> list[str]:
        """The command with other arguments in place of those that are too many."""
        return [*self.path, *self.kept, *more]


def surplus_told(context: Any, meta: Mapping[str, Any]) -> str | None:
    """What is wrong with a command line that has too many arguments, and what to type instead.

    Args:
        context: the context of the command.
        meta: its `meta`, which has the arguments as they were typed.

    Returns:
        The message; None if it is not known what was typed.
    """
    whole, own = list[str](meta.get(ARGS_KEY, ())), list[str](meta.get(OWN_ARGS_KEY, ()))
    values, extra, _ = context.command.make_parser(context).parse_args(args=[*own])
    if not extra:
        return None
    line = _TooLong(context, whole[: len(whole) - len(own)], own, _without(own, extra), extra, values)
    named = ", ".join(f"'{each}'" for each in extra)
    told = f"{named} is one argument too many" if len(extra) == 1 else f"{named} are too many arguments"
    advice = next((found for read in _READINGS if (found := read(line)) is not None), None)
    names = " and ".join(argument_name(each) for each in line.arguments)
    takes = f"`{context.command_path}` takes {f'only {names}' if names else 'none'}"
    return f"{told}: {advice}" if advice is not None else f"{told}: {takes}. {advised([line.typed()])}"


def _without(own: Sequence[str], extra: Sequence[str]) -> list[str]:
    kept, left = list[str](), [*extra]
    for word in reversed(own):
        if left and word == left[-1]:
            left.pop()
        else:
            kept.insert(0, word)
    return kept


# --- what the arguments may have been meant as: each returns advice, or None if they are something else ---------------


def _as_command(line: _TooLong) -> str | None:
    """The name of a command, behind options that belong to it."""
    parent, is_short = line.context.parent, line.context.command.name == TargetGroup.short_form
    if not is_short or line.first is None or line.first not in parent.command.commands:
        return None
    place = line.own.index(line.first)
    command = [*line.path, line.first, *line.own[place + 1 :], *line.own[:place]]
    return f"options come after the name of a command. {advised([command])}"


def _as_option(line: _TooLong) -> str | None:
    """The value of an option, or an option's name without its dashes."""
    if len(line.extra) != 1:
        return None
    (word,) = line.extra
    for each in line.options:
        if each.is_flag and f"--{word}" in each.opts:
            return f"it is an option. {advised([line.typed(f'--{word}')])}"
        if word in _choices(each):
            return f"it is given with {each.opts[0]}. {advised([line.typed(each.opts[0], word)])}"
    return None


def _choices(parameter: Any) -> tuple[str, ...]:
    """The values that a parameter takes; none if it takes any."""
    return get_args(getattr(getattr(parameter, "type_descriptor", None), "annotation", None))


def _as_inputs(line: _TooLong) -> str | None:
    """Inputs without their option, a text of several words without quotes, or a file of inputs."""
    if not line.takes("--inputs"):
        return None
    if all(_NAMED.match(each) for each in line.extra):
        options = [part for each in line.extra for part in ("-i", _NAMED.sub(r"\1=", each))]
        return f"an input is given with -i. {advised([line.typed(*options)])}"
    end = len(line.own) - len(line.extra)
    if end > 1 and [*line.own[end:]] == [*line.extra] and line.own[end - 2] in ("-i", "--inputs"):
        text = _NAMED.sub(r"\1=", " ".join(line.own[end - 1 :]))
        if " " not in text:
            return f"no space belongs around the =. {advised([[*line.path, *line.own[: end - 1], text]])}"
        return f"a value with spaces needs quotes. {advised([[*line.path, *line.own[: end - 1], text]])}"
    option = _READ_BY.get(Path(line.extra[0]).suffix) if len(line.extra) == 1 else None
    if option is not None and line.takes(option):
        return f"a file of inputs is given with {option}. {advised([line.typed(option, line.extra[0])])}"
    return None


def _as_pipe(line: _TooLong) -> str | None:
    """The code of a pipe of the file that is named before it."""
    if not line.takes("--pipe") or len(line.extra) != 1 or line.first is None:
        return None
    if not declares(Path(line.first), line.extra[0]):
        return None
    return f"a pipe of a file is named with --pipe. {advised([line.typed('--pipe', line.extra[0])])}"


def declares(file: Path, pipe: str) -> bool:
    """Whether a bundle file has a table for a pipe, as far as that can be seen without reading it as TOML."""
    table = rf"^\s*\[pipe\.{re.escape(pipe.rpartition('.')[2])}\]"
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return re.search(table, opened.read(_MOST_READ), re.MULTILINE) is not None
    except OSError:
        return False


def _as_another_input(line: _TooLong) -> str | None:
    """The value of an input that is not named."""
    if not line.takes("--inputs") or any(_is_method(each) for each in line.extra):
        return None
    value = f"NAME={' '.join(line.extra)}"
    return f"an input is given as -i NAME=VALUE. {advised([line.typed('-i', value)])}"


def _as_others(line: _TooLong) -> str | None:
    """What another command takes."""
    other = _OTHERS.get(line.context.command_path.removeprefix("pipelex "))
    return None if other is None else other.format(shlex.quote(line.extra[0]))


def _as_one_name(line: _TooLong) -> str | None:
    """The words of a name for something new."""
    if line.context.command_path != "pipelex new" or line.first is None:
        return None
    return f"a name is one word. {advised([_instead(line, '_'.join([str(line.first), *line.extra]))])}"


def _as_others_of_its_kind(line: _TooLong) -> str | None:
    """Things of which the command takes one at a time."""
    if line.first is None or (_is_method(str(line.first)) and not all(_is_method(each) for each in line.extra)):
        return None
    allowed = _choices(line.arguments[0])
    commands = [line.typed(), *(_instead(line, word) for word in line.extra if not allowed or word in allowed)]
    return f"`{line.context.command_path}` takes one at a time. {advised(commands)}"


def _instead(line: _TooLong, word: str) -> list[str]:
    """The command with another value of its only argument."""
    place = line.kept.index(str(line.first))
    return [*line.path, *line.kept[:place], word, *line.kept[place + 1 :]]


def _is_method(word: str) -> bool:
    return word.endswith(BUNDLE_SUFFIXES) or Path(word).is_dir()


_READINGS: Final[tuple[Callable[[_TooLong], str | None], ...]] = (
    _as_command,
    _as_option,
    _as_inputs,
    _as_pipe,
    _as_another_input,
    _as_others,
    _as_one_name,
    _as_others_of_its_kind,
)
"""What surplus arguments may mean, the most probable first."""
