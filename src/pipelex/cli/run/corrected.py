"""Advice if inputs are missing or misspelt: the command as it was typed, with the inputs corrected."""

import json
import re
import shlex
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import typer

from pipelex.cli._shared.keys import ARGS_KEY
from pipelex.cli.mistakes.retyped import advised
from pipelex.cli.run.inputs import GIVEN
from pipelex.errors import Fault, Json, PipelexError

if TYPE_CHECKING:
    from pipelex.language.references import Slot
    from pipelex.library import Library, Pipe

_PLACEHOLDERS: Final = {
    "Text": "TEXT", "Markdown": "TEXT", "Html": "HTML", "Number": "NUMBER", "YesNo": "yes", "Date": "YYYY-MM-DD",
    "Time": "HH:MM", "Image": "FILE", "Document": "FILE", "Anything": "VALUE", "Dynamic": "VALUE",
}  # fmt: skip
_EXAMPLES: Final = {"Number": "1234.5", "YesNo": "yes", "Date": "2026-01-31", "Time": "10:30"}
_OPTIONS: Final = ("-i", "--inputs")


@contextmanager
def corrected(ctx: typer.Context, pipe: "Pipe", library: "Library") -> Generator[None]:
    """Add to an error about inputs the command to type instead.

    Raises:
        PipelexError: the error of the block, with that advice if there is any.
    """
    try:
        yield
    except PipelexError as wrong:
        args: Sequence[str] = ctx.meta.get(ARGS_KEY, ())
        advice = _advice(args, wrong, pipe, library) or wrong.report.advice
        if advice is None:
            raise
        raise wrong.with_report(advice=advice.replace(" TARGET", f" {_target(args)}")) from None


def with_inputs_of(args: Sequence[str], file: Path) -> list[str]:
    """The arguments of a command with all of its inputs replaced by one file."""
    kept = [each.text for each in _typed(args) if each.text not in _OPTIONS and each.value is None]
    return [*kept, "-i", str(file)]


def _advice(args: Sequence[str], wrong: PipelexError, pipe: "Pipe", library: "Library") -> str | None:
    faults = wrong.report.faults
    # The same input may be wrong or missing in many rows.
    unexpected = {str(fault.params["input"]): fault.suggestions for fault in faults if fault.code == "input.unexpected"}
    missing = dict.fromkeys(str(fault.params["input"]) for fault in faults if fault.code == "input.missing")
    if not faults or not args:
        return None
    if GIVEN in faults[0].params:
        return advised(_regiven(args, str(faults[0].params[GIVEN]), each) for each in faults[0].suggestions)
    if faults[0].code in ("input.reference_not_found", "input.file_unreadable") and faults[0].suggestions:
        name = str(faults[0].params["input"])
        return advised(_with_values(args, {name: each}) for each in faults[0].suggestions)
    if not unexpected and not missing:
        return wrong.report.advice or _with_examples(args, faults, pipe, library)
    if missing and (parted := _parted(args, missing)) != [*args]:
        return advised([parted])
    renamed = {name: near[0] for name, near in unexpected.items() if near}
    unknown = [name for name in unexpected if name not in renamed]
    if len(unknown) == len(missing) == 1:  # whatever it is called, it is probably the one that is missing
        renamed[unknown.pop()] = next(iter(missing))
    lacking = [name for name in missing if name not in renamed.values()]
    shortened, kept = _without(args, unknown)
    given, left = _respelt(shortened, renamed)
    lines = [f"In the inputs, write '{meant}' instead of '{name}'." for name, meant in left.items()]
    lines += [f"In the inputs, leave out '{name}'." for name in kept]
    if given != [*args] or lacking:
        added = [
            part for name in lacking for part in ("-i", f"{name}={_placeholder(pipe.inputs[name], name, library)}")
        ]
        lines.append(f"Type: {shlex.join(['pipelex', *given, *added])}")
    if any(_is_large(pipe.inputs[name], library) for name in lacking):
        lines.append("`pipelex build inputs TARGET` writes a file with a made-up value for each input.")
    return "\n".join(lines)


def _target(args: Sequence[str]) -> str:
    """The method, and the pipe of it, as `pipelex build inputs` takes them; a placeholder if they are not known."""
    if args[:1] != ["run"] or len(args) < 2 or args[1].startswith("-"):
        return "TARGET"
    words = args[1:3] if args[1] in ("bundle", "pipe", "method") else args[1:2]
    pipe = next((after for before, after in pairwise(args) if before == "--pipe"), None)
    return shlex.join([*words, *(() if pipe is None else ("--pipe", pipe))])


def _parted(args: Sequence[str], names: Collection[str]) -> list[str]:
    """The arguments with several inputs that are joined by commas given one by one."""
    joint = re.compile(rf",\s*(?=(?:{'|'.join(map(re.escape, names))})=)")
    found = list[str]()
    for each in _typed(args):
        value = each.value or ""
        first, *others = [value] if value.lstrip().startswith("{") else joint.split(value)
        found.append(each.with_value(first) if others else each.text)
        found += [part for other in others for part in ("-i", other)]
    return found


def _with_examples(args: Sequence[str], faults: Sequence[Fault], pipe: "Pipe", library: "Library") -> str | None:
    """Advice with values that would fit the inputs; None if there are no simple ones."""
    wrong = dict.fromkeys(
        str(fault.params.get("input", ""))
        for fault in faults
        if fault.code in ("input.invalid", "input.wrong_multiplicity")
    )
    natives = {
        name: library.native_base(slot.concept) or ""
        for name in wrong
        if (slot := pipe.inputs.get(name)) is not None and not slot.is_list
    }
    examples = {name: _EXAMPLES[native] for name, native in natives.items() if native in _EXAMPLES}
    if examples and any(arg.partition("=")[0] == "--inputs-csv" for arg in args):
        return f"In the table, write a value such as {' and '.join(examples.values())}."
    if examples:
        return f"For example: {shlex.join(['pipelex', *_with_values(args, examples)])}"
    text = next((name for name, native in natives.items() if native in ("Text", "Markdown", "Html")), None)
    return None if text is None else f"Where the inputs are written, put the value of '{text}' into quotes."


def _with_values(args: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The arguments with other values of some inputs: in place of those that are typed, else behind all others."""
    typed = [*_typed(args)]
    left = [name for name in values if all(each.name != name for each in typed)]
    found = [
        each.text
        if each.name is None or each.name not in values
        else each.with_value(f"{each.name}={values[each.name]}")
        for each in typed
    ]
    return found + [part for name in left for part in ("-i", f"{name}={values[name]}")]


def _regiven(args: Sequence[str], given: str, meant: str) -> list[str]:
    """The arguments with one value of `--inputs` replaced."""
    return [each.with_value(meant) if each.value == given else each.text for each in _typed(args)]


def _without(args: Sequence[str], names: Collection[str]) -> tuple[list[str], list[str]]:
    """The arguments without some inputs, and the names of those that no argument gives by itself."""
    found, gone = list[str](), set[str]()
    for each in _typed(args):
        if each.name is None or each.name not in names:
            found.append(each.text)
            continue
        gone.add(each.name)
        if not each.prefix:  # its option is an argument of its own
            found.pop()
    return found, [name for name in names if name not in gone]


def _respelt(args: Sequence[str], renamed: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The arguments with misspelt inputs renamed, and the renamings for names that no argument contains."""
    left = dict(renamed)
    found: list[str] = []
    for each in _typed(args):
        new = each.value if each.value is None else _with_names(each.value, renamed)
        if new is not None and new != each.value:
            left = {name: meant for name, meant in left.items() if meant not in new}
        found.append(each.text if new is None else each.with_value(new))
    return found, left


@dataclass(frozen=True)
class _Typed:
    """One argument as it was typed."""

    text: str
    prefix: str = ""
    """The part of the argument before the value."""
    value: str | None = None
    """The value of `--inputs`, if the argument has one."""

    @cached_property
    def name(self) -> str | None:
        """The input that the value names; None if it names none."""
        from pipelex.content.typed import named_value

        named = None if self.value is None else named_value(self.value)
        return None if named is None else named[0]

    def with_value(self, value: str) -> str:
        """The argument with another value."""
        return f"{self.prefix}{value}"


def _typed(args: Sequence[str]) -> Iterator[_Typed]:
    for before, text in zip(["", *args], args, strict=False):
        yield _Typed(text, *_option_value(before, text))


def _option_value(before: str, text: str) -> tuple[str, str | None]:
    """The part of an argument before the value of `--inputs`, and the value; None if the argument has none."""
    if before in _OPTIONS:
        return "", text
    if text.startswith("--inputs="):
        return "--inputs=", text.removeprefix("--inputs=")
    if text.startswith("-i") and len(text) > 2:
        return "-i", text[2:]
    return "", None


def _with_names(value: str, renamed: Mapping[str, str]) -> str:
    from pipelex.content.typed import named_value

    named = named_value(value)
    if named is not None:
        return f"{renamed.get(named[0], named[0])}={named[1]}"
    if not value.lstrip().startswith("{"):
        return value
    members = cast("dict[str, Json]", json.loads(value))
    if not members.keys() & renamed.keys():
        return value
    return json.dumps({renamed.get(name, name): member for name, member in members.items()}, ensure_ascii=False)


def _placeholder(slot: "Slot", name: str, library: "Library") -> str:
    native = library.native_base(slot.concept)
    if native in _PLACEHOLDERS:
        return _PLACEHOLDERS[native]
    return f"@{name}.{'csv' if slot.is_list and _is_flat(slot, library) else 'json'}"


def _is_large(slot: "Slot", library: "Library") -> bool:
    """Whether a value of the input is so large that it is better written into a file."""
    return library.native_base(slot.concept) not in _PLACEHOLDERS


def _is_flat(slot: "Slot", library: "Library") -> bool:
    from pipelex.content.structure import ObjectShape

    shape = library.shape(slot.concept)
    return isinstance(shape, ObjectShape) and shape.is_flat
