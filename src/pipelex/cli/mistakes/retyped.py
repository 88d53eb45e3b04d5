"""The command as it was typed, with the method or the pipe that it names corrected: whole commands to copy."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipelex.cli._shared.keys import ARGS_KEY, PIPE_OPTION_KEY
from pipelex.errors import ErrorReport
from pipelex.errors.json import as_texts

_MOST: Final = 5
"""The most commands that one message proposes."""
_VALUED: Final = ("-i", "--inputs")
"""Options whose values may look like a method's or a pipe's name, and are none."""
_MEANT: Final = {
    "method.not_found": ("method_ref", "suggestions"),
    "request.pipe_not_found": ("pipe", "suggestions"),
    "request.pipe_ambiguous": ("pipe", "candidates"),
}
"""Codes of failures to find something → the facts that hold the name that was typed, and the names that exist."""


def retyped(report: ErrorReport, meta: Mapping[str, Any]) -> str | None:
    """Advice for a failure to find what a command names: the commands that name something that exists.

    Args:
        report: the failure.
        meta: the `meta` of the command's context.

    Returns:
        The advice; None if nothing is known that could be typed instead.
    """
    args: Sequence[str] = meta.get(ARGS_KEY, ())
    has_option = bool(meta.get(PIPE_OPTION_KEY))
    if report.code == "request.pipe_unspecified" and has_option:
        return advised([*args, "--pipe", each] for each in as_texts(report.params.get("candidates") or ()))
    if report.code not in _MEANT:
        return None
    typed, known = (report.params.get(fact) for fact in _MEANT[report.code])
    place = _place(args, str(typed))
    if place is None:
        return None
    if place > 1 and args[0] != "show" and args[1] in ("pipe", "method") and Path(str(typed)).exists():
        return advised([[args[0], *args[2:]]])
    corrected = (_corrected(args, place, str(typed), each, has_option=has_option) for each in as_texts(known or ()))
    return advised(command for commands in corrected for command in commands)


def advised(commands: Iterable[Sequence[str]]) -> str | None:
    """Advice to type a command, or one of several; None if there is none.

    Args:
        commands: the arguments of each command, without `pipelex`.
    """
    lines = [*dict.fromkeys(shlex.join(["pipelex", *args]) for args in commands)]
    if not lines:
        return None
    if len(lines) == 1:
        return f"Type: {lines[0]}"
    return "\n".join(["Type one of these:", *lines[:_MOST], *(["…"] if len(lines) > _MOST else [])])


def _corrected(args: Sequence[str], place: int, typed: str, meant: str, *, has_option: bool) -> Iterator[Sequence[str]]:
    """The commands with one argument replaced; a pipe that is joined to its file is named apart."""
    prefix = "--pipe=" if args[place].startswith("--pipe=") else ""
    whole = [*args[:place], f"{prefix}{meant}", *args[place + 1 :]]
    joined = re.fullmatch(r"(?:::?|[/# ]+)([\w.]+)", typed.removeprefix(meant))
    pipe = "" if joined is None else joined[1]
    if pipe and has_option:
        yield [*whole, "--pipe", pipe]
        return
    if pipe and args[0] == "validate":
        yield ["validate", "pipe", pipe, "-L", str(Path(meant).parent)]
    yield whole


def _place(args: Sequence[str], text: str) -> int | None:
    """The place of the argument that names a method or a pipe; the value of an input does not count."""
    for place, (before, arg) in enumerate(zip(["", *args], args, strict=False)):
        if place and before not in _VALUED and arg.removeprefix("--pipe=") in (text, f"./{text}", f"{text}/"):
            return place
    return None
