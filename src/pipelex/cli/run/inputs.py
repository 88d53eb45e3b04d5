"""The sources of a run's inputs, in this order: `--inputs`, standard input, a file in the method's folder."""

import os
import re
import select
import shlex
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pipelex.cli._shared.console import say
from pipelex.cli._shared.streams import is_terminal, some_stdin_text, stdin_text
from pipelex.cli._shared.targets import BUNDLE_SUFFIXES
from pipelex.errors import Fault, InputError, near_names
from pipelex.errors.json import Json, as_object

if TYPE_CHECKING:
    from pipelex.content.inputs import PlacedInputs
    from pipelex.content.typed import TypedInputs
    from pipelex.library import Library, Pipe

FILES: Final = ("inputs.json", "inputs.toml", "inputs.yaml", "inputs.yml")

GIVEN: Final = "given"
"""The name of the fact, in a fault, that is the value of `--inputs` as it was typed."""
_MOST_PROPOSED: Final = 3
"""The most inputs that are proposed for a value without a name."""
_GLANCE: Final = 0.1
"""The seconds within which the previous program of a shell pipeline has usually written something."""
_PATIENCE: Final = 2.0
"""The seconds to wait for a silent shell pipe if inputs are needed and have no other source."""

RawInputs = Mapping[str, Json] | Path | None


def gather_inputs(given: Sequence[str], folder: Path | None, pipe: "Pipe", library: "Library") -> RawInputs:
    """The raw inputs of a run: a mapping, a file, or None.

    Args:
        given: the values of `--inputs`, each `name=value`, `name=@file`, JSON when it begins with `{`, `-` for standard
            input, else a file. A later value overrides an earlier one.
        folder: the method's folder, if a folder was named.
        pipe: the pipe to run.
        library: knows the concepts.

    Raises:
        PipelexError: an input cannot be read, or does not fit the pipe.
    """
    if given:
        return _given(given, pipe, library)
    beside = next((folder / name for name in FILES if (folder / name).is_file()), None) if folder is not None else None
    needs_some = any(slot.presence != "optional" for slot in pipe.inputs.values())
    if pipe.inputs and _has_data(is_needed=needs_some and beside is None):
        text = stdin_text()
        if text.strip():
            return _from_stdin(text, pipe, library)
    return beside


def read_once(raw: RawInputs, pipe: "Pipe", library: "Library") -> RawInputs:
    """The raw inputs with the content of their JSON, TOML or YAML file, so that what is checked is what is run.

    Raises:
        PipelexError: the file cannot be read, or the pipe has no input that it could be.
    """
    if not isinstance(raw, Path):
        return raw
    from pipelex.content.inputs import PlacedInputs
    from pipelex.content.typed import file_inputs
    from pipelex.runner import input_slots

    found, folder = file_inputs(raw, input_slots(pipe), library)
    if isinstance(found, PlacedInputs):
        return found
    placed = PlacedInputs()
    for name, value in found.items():
        placed.put(name, value, folder)
    return placed


def constant_inputs(given: Sequence[str], pipe: "Pipe", library: "Library") -> "PlacedInputs":
    """The inputs that are the same for every row.

    Raises:
        PipelexError: see `gather_inputs`.
    """
    return _typed(given, pipe, library).found


_NEARLY_NAMED: Final = re.compile(r"\s*-*([A-Za-z_]\w*)?\s*([=:]\s*(.*))?", re.DOTALL)
"""A text that was probably meant as `name=value`: with blanks, with a colon, or without the value or the name."""


def _check_is_something(text: str, pipe: "Pipe") -> None:
    """Refuse a text that is not a file and was probably meant as `name=value`.

    Raises:
        InputError: the text seems to name an input; the advice says what to type.
    """
    if Path(text).exists():
        return
    if text.startswith(("@", "[")):
        raise _not_named(text, [f"{each}={text}" for each in _one_like(text, pipe)])
    found = _NEARLY_NAMED.fullmatch(text)
    if found is None:
        return
    name, has_value = found[1] or "", found[2]
    value = (found[3] or "").removeprefix("=" if (has_value or "").startswith(":") else "")
    near = (name,) if name in pipe.inputs else near_names(name, pipe.inputs) if name else tuple(pipe.inputs)
    if not near or (not name and not has_value):
        return
    raise _not_named(text, [f"{each}={value or 'VALUE'}" for each in near])


def _one_like(text: str, pipe: "Pipe") -> list[str]:
    """The inputs that a value without a name may be for: a list for a JSON array, else any."""
    lists = [name for name, slot in pipe.inputs.items() if slot.is_list and text.startswith("[")]
    return (lists or [*pipe.inputs])[:_MOST_PROPOSED] or ["NAME"]


def _not_named(text: str, meant: Sequence[str]) -> InputError:
    """The refusal of a text that names no input, with what may be typed instead."""
    detail = f"{text!r} is neither a file nor NAME=VALUE"
    fault = Fault("input.invalid", detail, params={"field": "", GIVEN: text}, suggestions=tuple(meant))
    wrong = InputError("input.invalid", detail, field="")
    typed = " or ".join(f"-i {shlex.quote(each)}" for each in meant)
    return wrong.with_report(faults=(fault,), advice=f"Type: {typed}")


_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def _check_may_hold_inputs(text: str, pipe: "Pipe") -> None:
    """Refuse an address or a method that was given instead of a file of inputs.

    Raises:
        InputError: the text is an address or a method; the advice says what to type.
    """
    name = next(iter(pipe.inputs), "NAME") if len(pipe.inputs) <= 1 else "NAME"
    if _ADDRESS.fullmatch(text):
        wrong = InputError(
            "input.invalid", f"'{text}' is an address; inputs are read from files of this machine", field=""
        )
        file = shlex.quote(text.rstrip("/").rpartition("/")[2] or "inputs.json")
        advice = f"For an image or a document: -i {name}={shlex.quote(text)}. For a file of inputs, fetch it first: -i {file}"
    elif text.endswith(BUNDLE_SUFFIXES):
        wrong = InputError("input.invalid", f"'{text}' is a method, not a file of inputs", field="")
        advice = f"To give its text to an input: -i {name}=@{shlex.quote(text)}"
    else:
        return
    raise wrong.with_report(advice=advice)


def _given(given: Sequence[str], pipe: "Pipe", library: "Library") -> RawInputs:
    for text in given:
        if _is_a_file(text, pipe):
            _check_is_something(text, pipe)
            _check_may_hold_inputs(text, pipe)
    if len(given) == 1 and _is_a_file(given[0], pipe):
        return Path(given[0])
    return _typed(given, pipe, library).found


def _is_a_file(text: str, pipe: "Pipe") -> bool:
    from pipelex.content.typed import STDIN, named_value

    if text == STDIN or text.lstrip().startswith("{"):
        return False
    named = named_value(text)
    return named is None or (named[0] not in pipe.inputs and Path(text).is_file())


def _typed(given: Sequence[str], pipe: "Pipe", library: "Library") -> "TypedInputs":
    from pipelex.content.typed import STDIN, TypedInputs, named_value
    from pipelex.runner import input_slots

    typed = TypedInputs(input_slots(pipe), library, Path.cwd(), some_stdin_text)
    for text in given:
        if _is_a_file(text, pipe):
            typed.add_file(Path(text))
        elif text == STDIN:
            typed.add_mapping(_from_stdin(some_stdin_text(), pipe, library))
        elif (named := named_value(text)) is not None:
            typed.add_value(*named)
        else:
            typed.add_mapping(_object(text, "--inputs"))
    return typed


def _has_data(*, is_needed: bool) -> bool:
    """Whether standard input has something to read; an open shell pipe that stays silent does not count."""
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


def _from_stdin(text: str, pipe: "Pipe", library: "Library") -> Mapping[str, Json]:
    from pipelex.content.typed import text_inputs
    from pipelex.runner import input_slots

    try:
        found = _object(text, "standard input")
    except InputError:
        plain = text_inputs(text, input_slots(pipe), library)
        if plain is None:
            raise
        return plain
    memory = found.get("working_memory")
    if not isinstance(memory, Mapping) or "working_memory" in pipe.inputs:
        return found
    return _from_envelope(cast("Mapping[str, Json]", memory), pipe)


def _from_envelope(memory: Mapping[str, Json], pipe: "Pipe") -> dict[str, Json]:
    """The inputs in the output of an earlier run, by name; a single input of another name takes its main result."""
    root, aliases = as_object(memory.get("root") or {}), as_object(memory.get("aliases") or {})
    found = {name: _envelope(root[name]) for name in pipe.inputs if name in root}
    if not found and len(pipe.inputs) == 1:
        main = root.get("main_stuff", root.get(str(aliases.get("main_stuff", ""))))
        if main is not None:
            found = {next(iter(pipe.inputs)): _envelope(main)}
    return found


def _envelope(entry: Json) -> Json:
    members: Mapping[str, Json] = as_object(entry) if isinstance(entry, dict) else {}
    if "concept" not in members or "content" not in members:
        wrong = InputError("input.invalid", "standard input has a 'working_memory' that no run has written", field="")
        raise wrong.with_report(
            advice="Pipe what `pipelex run … --json --with-memory` prints, or name each input: -i name=value"
        )
    return {"concept": members["concept"], "content": members["content"]}


def _object(text: str, where: str) -> Mapping[str, Json]:
    from pipelex.content.files.inputs_file import parse
    from pipelex.content.files.not_readable import NotReadable

    try:
        found = parse(text, "json")
    except NotReadable as error:
        place = f" (line {error.line}, column {error.column})" if error.line else ""
        detail = str(error).replace("is not valid JSON", "is not JSON", 1)
        wrong = InputError("input.invalid", f"{where} {detail}{place}", field="")
        raise wrong.with_report(
            advice="Name each input, as in -i name=value, or put them into a file: -i inputs.toml"
        ) from None
    if not isinstance(found, dict):
        raise InputError("input.invalid", f"{where} must be a JSON object: input name → value", field="")
    return found
