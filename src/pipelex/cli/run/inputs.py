"""Where a run's inputs come from: `--inputs`, standard input, or a file in the method's folder, in this order."""

import json
import os
import select
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pipelex.cli._shared.console import say
from pipelex.cli._shared.streams import is_terminal
from pipelex.errors import InputError, Json

if TYPE_CHECKING:
    from pipelex.library import Pipe

FILES: Final = ("inputs.json", "inputs.toml")

_GLANCE: Final = 0.1
"""Seconds in which a program before us in a pipeline has usually written something."""
_PATIENCE: Final = 2.0
"""Seconds to wait on a silent pipe when inputs are needed and nothing else gives them."""

RawInputs = Mapping[str, Json] | Path | None


def gather_inputs(given: str | None, folder: Path | None, pipe: "Pipe") -> RawInputs:
    """The raw inputs of a run: a mapping, a file, or None.

    Args:
        given: the value of `--inputs`: JSON when it begins with `{`, `-` for standard input, else a file.
        folder: the method's folder, when it was named as a folder.
        pipe: the pipe to run.

    Raises:
        InputError: what was given is not JSON, or not an object.
    """
    if given is not None:
        if given == "-":
            return _from_stdin(sys.stdin.read(), pipe)
        return _object(given, "--inputs") if given.lstrip().startswith("{") else Path(given)
    beside = next((folder / name for name in FILES if (folder / name).is_file()), None) if folder is not None else None
    needs_some = any(slot.presence != "optional" for slot in pipe.inputs.values())
    if pipe.inputs and _has_data(is_needed=needs_some and beside is None):
        text = sys.stdin.read()
        if text.strip():
            return _from_stdin(text, pipe)
    return beside


def _has_data(*, is_needed: bool) -> bool:
    """Whether standard input has something to read; an open pipe that stays silent has not."""
    try:
        if sys.stdin.closed or is_terminal(sys.stdin):
            return False
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    if stat.S_ISREG(mode):
        return True
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return False
    if select.select([descriptor], [], [], _GLANCE)[0]:
        return True
    if not is_needed:
        return False
    if select.select([descriptor], [], [], _PATIENCE)[0]:
        return True
    say("Nothing came on standard input; use `--inputs -` to wait for it.")
    return False


def _from_stdin(text: str, pipe: "Pipe") -> Mapping[str, Json]:
    found = _object(text, "standard input")
    memory = found.get("working_memory")
    if not isinstance(memory, Mapping) or "working_memory" in pipe.inputs:
        return found
    return _from_envelope(cast("Mapping[str, Json]", memory), pipe)


def _from_envelope(memory: Mapping[str, Json], pipe: "Pipe") -> dict[str, Json]:
    """What an upstream run left, by name; its main result, for a pipe with a single input."""
    root: Mapping[str, Json] = memory.get("root") or {}
    aliases: Mapping[str, str] = memory.get("aliases") or {}
    found = {name: _envelope(root[name]) for name in pipe.inputs if name in root}
    if not found and len(pipe.inputs) == 1:
        main = root.get("main_stuff", root.get(aliases.get("main_stuff", "")))
        if main is not None:
            found = {next(iter(pipe.inputs)): _envelope(main)}
    return found


def _envelope(entry: Json) -> Json:
    members = cast("Mapping[str, Json]", entry)
    return {"concept": members["concept"], "content": members["content"]}


def _object(text: str, where: str) -> Mapping[str, Json]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        wrong = InputError(
            "request.malformed",
            f"{where} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})",
            reason="not_json",
        )
        raise wrong.with_report(advice="Write it as JSON, or put it into a file: -i inputs.toml") from None
    if not isinstance(found, dict):
        raise InputError("request.invalid", f"{where} must be a JSON object: input name → value", field="inputs")
    return cast("dict[str, Json]", found)
