"""Reads inputs as people type them: `name=value`, `name=@file`, a file, or plain text.

The pipe's declaration decides how a value is read. A text stays a text, whatever it looks like. A number is read as a
number. An image or a document is a path or a URL. A structure is JSON, or a file of JSON, TOML or YAML. A list is JSON,
a CSV file, or the same name given several times.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelex.config.files.paths import resolved
from pipelex.content._csv import read_table
from pipelex.content.files.inputs_file import TYPES, load_inputs_file, load_value_file, parse
from pipelex.content.files.local import FileRefused, LocalFiles, local_file, why_unfit
from pipelex.content.files.not_readable import NotReadable
from pipelex.content.files.text import TO_UTF8, decoded
from pipelex.content.inputs import ConceptView, InputSlot, PlacedInputs
from pipelex.content.structure import AnyShape, ContentError, ObjectShape, parse_scalar
from pipelex.content.stuff import Json
from pipelex.errors import Fault, InputError, Location, PipelexError, near_names

STDIN: Final = "-"
_NAMED: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_TEXTS: Final = ("Text", "Markdown", "Html")
_FILES: Final = ("Image", "Document")
_QUOTES: Final = (
    "JSON needs double quotes around names and texts, and a shell needs single quotes around all of it: "
    """-i {name}='{{"…": "…"}}'. From a file: -i {name}=@{name}.json"""
)
_CHECK_PATH: Final = "Name a file that is there; a relative path starts at the working directory."
_MOST_MEANT: Final = 3
"""The most files that are proposed in place of a path that names none."""
_NO_PARAMS: Final[Mapping[str, Json]] = {}


def named_value(given: str) -> tuple[str, str] | None:
    """The name and the text of `name=value`; None for anything else."""
    found = _NAMED.fullmatch(given)
    return None if found is None or given.lstrip().startswith("{") else (found[1], found[2])


def only_input(slots: Mapping[str, InputSlot], *, kinds: tuple[str, ...], concepts: ConceptView) -> str | None:
    """The input that a lone text or file is for: the only input, or the only required one, if its kind fits."""
    needed = [name for name, slot in slots.items() if slot.presence != "optional"]
    names = needed if len(needed) == 1 else list(slots)
    if len(names) != 1:
        return None
    slot = slots[names[0]]
    return names[0] if not slot.is_list and concepts.native_base(slot.concept) in kinds else None


def text_inputs(text: str, slots: Mapping[str, InputSlot], concepts: ConceptView) -> dict[str, Json] | None:
    """Plain text as the input of a pipe that takes one text; None if the pipe takes anything else."""
    name = only_input(slots, kinds=_TEXTS, concepts=concepts)
    return None if name is None else {name: _without_line_end(text)}


def _without_line_end(text: str) -> str:
    """A text of standard input without its last line break, which the shell added."""
    return text.removesuffix("\n").removesuffix("\r")


def file_inputs(path: Path, slots: Mapping[str, InputSlot], concepts: ConceptView) -> tuple[Mapping[str, Json], Path]:
    """The inputs in a file, and the folder that its relative paths start from.

    JSON, TOML and YAML files hold inputs by their names. A CSV file is the only list that the pipe takes. Any other
    file is the only text, image or document that it takes.

    Raises:
        PipelexError: the file cannot be read, or the pipe has no input that it could be.
    """
    suffix, here = path.suffix.lower(), resolved(path)
    name: str | None = None
    if path.is_file() and suffix == ".csv":
        name = _only_list(path, slots)
    elif path.is_file() and suffix not in TYPES:
        name = only_input(slots, kinds=(*_TEXTS, *_FILES), concepts=concepts)
    if name is None:
        return load_inputs_file(path), here.parent
    typed = TypedInputs(slots, concepts, here.parent)
    typed.add_value(name, f"@{here}")
    return typed.found, here.parent


def _only_list(path: Path, slots: Mapping[str, InputSlot]) -> str:
    lists = [name for name, slot in slots.items() if slot.is_list]
    if len(lists) == 1:
        return lists[0]
    why = "none of its inputs is a list" if not lists else f"it takes several lists, {', '.join(lists)}"
    raise PipelexError(
        "input.file_unreadable",
        f"a CSV file is a list, but the pipe does not take exactly one list: {why}",
        params={"file_type": "csv", "reason": "no_list"},
        location=Location(file=str(path)),
        advice=f"To run the pipe once for each row: --inputs-csv {path}"
        if not lists
        else f"Name the input: -i {lists[0]}=@{path}",
    )


@dataclass
class TypedInputs:
    """Collects typed inputs. A later file or mapping replaces earlier values of the same names."""

    slots: Mapping[str, InputSlot]
    concepts: ConceptView
    folder: Path
    """The folder that relative paths start from."""
    read_stdin: Callable[[], str] | None = None
    """The function that returns the text of standard input, for `name=@-`."""
    found: PlacedInputs = field(default_factory=PlacedInputs)
    _typed: set[str] = field(default_factory=set[str])

    def add_file(self, path: Path) -> None:
        """Add all inputs of a file; see `file_inputs`.

        Raises:
            PipelexError: it cannot be read.
        """
        values, folder = file_inputs(path, self.slots, self.concepts)
        self.add_mapping(values, folder)

    def add_mapping(self, values: Mapping[str, Json], folder: Path | None = None) -> None:
        """Add inputs by their names."""
        for name, value in values.items():
            self.found.put(name, value, folder or self.folder)

    def add_value(self, name: str, text: str) -> None:
        """Add one typed input. Several values of one name are joined to a list if the input is a list.

        Raises:
            InputError: the text does not fit the input of that name.
        """
        slot = self.slots.get(name)
        value, folder = (text, self.folder) if slot is None else self._value(name, slot, text)
        if name in self._typed:
            before = self.found[name]
            if slot is None or not slot.is_list or not isinstance(before, list) or not isinstance(value, list):
                raise _refused("input.invalid", f"the input '{name}' is given twice", name)
            value = [*before, *value]
        self._typed.add(name)
        self.found.put(name, value, folder)

    def _value(self, name: str, slot: InputSlot, text: str) -> tuple[Json, Path]:
        if text.startswith("@@"):
            return self._typed_value(name, slot, text[1:]), self.folder
        if not text.startswith("@"):
            return self._typed_value(name, slot, text), self.folder
        if text == "@":
            raise _refused("input.invalid", f"the input '{name}': no file is named after the @", name, {"field": ""})
        if text[1:] == STDIN and self.read_stdin is not None:
            return self._typed_value(name, slot, _without_line_end(self.read_stdin()), is_file=True), self.folder
        return self._file(name, slot, text[1:])

    def _file(self, name: str, slot: InputSlot, named: str) -> tuple[Json, Path]:
        native = self.concepts.native_base(slot.concept)
        try:
            path = local_file(named, LocalFiles(self.folder), file_type="text")
        except FileRefused as refused:
            hint = "; a text that begins with @ is written @@" if native in _TEXTS else ""
            if "://" in named:
                hint = "; @ names a file on this machine: give the URL of an image or a document without @, and download a text first"
            near = () if "://" in named else _meant_instead(named, self.folder)
            if near:
                hint = f"; did you mean {' or '.join(map(repr, near))}?"
            raise _refused(
                refused.code,
                f"the input '{name}': {refused}{hint}",
                name,
                refused.params,
                advice=None if near or refused.code != "input.reference_not_found" else _CHECK_PATH,
                suggestions=tuple(f"@{each}" for each in near),
            ) from None
        suffix = path.suffix.lower()
        if native in _FILES and suffix not in TYPES:
            return ([str(path)] if slot.is_list else str(path)), path.parent
        if slot.is_list and suffix == ".csv":
            return self._table(name, slot, path), path.parent
        if suffix in TYPES and (slot.is_list or native not in _TEXTS):
            return load_value_file(path), path.parent
        if (why := why_unfit(path)) is not None:
            detail = f"the input '{name}': '{named}' {why}"
            raise _refused("input.file_unreadable", detail, name, {"file_type": "text", "reason": why})
        try:
            text = decoded(path.read_bytes())
        except NotReadable as error:
            detail = f"the input '{name}': '{named}', line {error.line}, {error}"
            params: Mapping[str, Json] = {"file_type": "text", "reason": "not_utf8"}
            raise _refused("input.file_unreadable", detail, name, params, advice=TO_UTF8) from None
        if not text:
            advice = f"Give a file with something in it; an empty text is given as -i {name}="
            detail = f"the input '{name}': '{named}' is empty"
            raise _refused("input.file_type_unsupported", detail, name, {"format": "empty"}, advice=advice)
        return self._typed_value(name, slot, text, is_file=True), path.parent

    def _table(self, name: str, slot: InputSlot, path: Path) -> Json:
        """A CSV file as a list: its path if the items are flat structures, else the values of its only column."""
        if self._is_row(slot):
            return str(path)
        try:
            table = read_table(path)
        except ContentError as error:
            raise _refused("input.invalid", f"the input '{name}': {error.told()}", name, {"field": ""}) from None
        if len(table.columns) != 1:
            detail = f"the input '{name}' takes a list of {slot.concept}, but the table has several columns"
            raise _refused("input.invalid", detail, name, {"field": ""})
        return [self._single(name, slot, cells[0]) for _, cells in table.rows if cells]

    def _is_row(self, slot: InputSlot) -> bool:
        """Whether each value of the input can be a row of a table."""
        shape = self.concepts.shape(slot.concept)
        return isinstance(shape, ObjectShape) and shape.native is None and shape.is_flat

    def _typed_value(self, name: str, slot: InputSlot, text: str, *, is_file: bool = False) -> Json:
        if not slot.is_list:
            return self._single(name, slot, text)
        if not is_file and self._is_row(slot) and text.lower().endswith(".csv"):
            return text
        if text.lstrip().startswith("["):
            return self._json(name, slot, text)
        return [self._single(name, slot, text)]

    def _single(self, name: str, slot: InputSlot, text: str) -> Json:
        native, shape = self.concepts.native_base(slot.concept), self.concepts.shape(slot.concept)
        looks_like_json = text.lstrip().startswith(("{", "["))
        if native in ("Text", "Markdown"):
            return text
        if native == "Html":
            return self._json(name, slot, text) if looks_like_json else {"inner_html": text}
        if isinstance(shape, AnyShape):
            try:
                return parse(text, "json") if looks_like_json else text
            except NotReadable:
                return text
        if looks_like_json:
            return self._json(name, slot, text)
        if native in ("Number", "YesNo"):
            value = parse_scalar("number" if native == "Number" else "boolean", text)
            return text.strip() if value is None else value
        if native in (*_FILES, "Date", "Time"):
            return text.strip()
        what = "a JSON object" if native == "JSON" else f"a {slot.concept}, which has several fields"
        raise _refused(
            "input.invalid",
            f"the input '{name}' takes {what}: give it as JSON, or as a file",
            name,
            {"field": ""},
            advice=f"For example: -i {name}=@{name}.json, or -i {name}='{{\"…\": …}}'",
        )

    def _json(self, name: str, slot: InputSlot, text: str) -> Json:
        try:
            return parse(text, "json")
        except NotReadable as error:
            at = "" if error.line is None else f" (line {error.line}, column {error.column})"
            kind = f"a list of {slot.concept}" if slot.is_list else slot.concept
            detail = f"the input '{name}' ({kind}) {error}{at}"
            advice = None if error.line is None else _QUOTES.format(name=name)
            raise _refused("input.invalid", detail, name, {"field": ""}, advice=advice) from None


def _meant_instead(named: str, folder: Path) -> tuple[str, ...]:
    """The files that may be meant by the path of a folder, or of a file that does not exist."""
    path = folder / named
    try:
        if path.is_dir():
            names = sorted(file.name for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
            return tuple(str(Path(named) / name) for name in names[:_MOST_MEANT])
        near = near_names(path.name, (file.name for file in path.parent.iterdir() if file.is_file()), most=_MOST_MEANT)
    except (OSError, ValueError):
        return ()
    return () if path.exists() else tuple(str(Path(named).with_name(name)) for name in near)


def _refused(
    code: str,
    detail: str,
    name: str,
    params: Mapping[str, Json] = _NO_PARAMS,
    advice: str | None = None,
    suggestions: tuple[str, ...] = (),
) -> InputError:
    location = Location(input=name)
    error = InputError(code, detail, input=name, **params)
    return error.with_report(
        location=location,
        faults=(Fault(code, detail, location, params={"input": name, **params}, suggestions=suggestions),),
        advice=advice,
    )
