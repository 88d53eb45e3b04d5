"""Files that hold inputs, in JSON, TOML or YAML as their extensions say."""

import json
import re
import tomllib
from pathlib import Path
from typing import Final, NoReturn

from pipelex.config.files.toml import read_toml
from pipelex.content.files.local import why_unfit
from pipelex.content.files.not_readable import NotReadable
from pipelex.content.files.text import TO_UTF8, decoded
from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, Location, PipelexError, near_names

TYPES: Final = {".json": "json", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
"""Extension → file type."""


def parse(text: str, file_type: str) -> Json:
    """The value that a text stands for.

    Args:
        text: the whole text.
        file_type: `json`, `toml` or `yaml`.

    Raises:
        NotReadable: the text is not valid; has the line and the column if they are known.
    """
    try:
        match file_type:
            case "toml":
                return read_toml(text)
            case "yaml":
                from pipelex.content.files.yaml import load_yaml

                return load_yaml(text)
            case _:
                return _load_json(text)
    except json.JSONDecodeError as error:
        raise NotReadable(f"is not valid JSON: {_json_fault(error)}", error.lineno, error.colno) from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        place = (int(found[1]), int(found[2])) if found else (None, None)
        what = message[: found.start()] if found else message
        hint = ": a text needs quotes" if what == "Invalid value" else ""
        raise NotReadable(f"is not valid TOML: {what}{hint}", *place) from None
    except RecursionError:
        raise NotReadable("is nested too deeply") from None
    except NotReadable:
        raise
    except ValueError as error:
        why = "a number has too many digits" if "integer string conversion" in str(error) else error
        raise NotReadable(f"is not valid {file_type.upper()}: {why}") from None


def _json_fault(error: json.JSONDecodeError) -> str:
    """The fault of a JSON text, explained by the mistake that people usually make there."""
    if not error.doc.strip():
        return "it is empty"
    rest = error.doc[error.pos :].lstrip()
    if rest.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if rest.startswith("'"):
        return "names and texts need double quotes"
    if rest.startswith(("}", "]")) and error.doc[: error.pos].rstrip().endswith(","):
        return "remove the comma after the last entry"
    return error.msg


def load_value_file(path: Path) -> Json:
    """The value that a file holds: TOML or YAML if its extension says so, otherwise JSON.

    Raises:
        PipelexError: `input.file_unreadable`, with line and column where the file's text is wrong.
    """
    file_type = TYPES.get(path.suffix.lower(), "json")
    try:
        if (why := why_unfit(path)) is not None:
            _refuse(path, file_type, why)
        data = path.read_bytes()
        try:
            text = decoded(data)
        except NotReadable as error:
            _refuse(path, file_type, str(error), error.line, advice=TO_UTF8)
        return parse(text, file_type)
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        _refuse(path, file_type, f"cannot be read: {error.strerror or error}")
    except NotReadable as error:
        _refuse(path, file_type, str(error), error.line, error.column)


def load_inputs_file(path: Path) -> dict[str, Json]:
    """Read an inputs file: TOML or YAML if its extension says so, otherwise JSON.

    Returns:
        Input name → value, as `read_inputs` takes it; dates and times of TOML are Python objects.

    Raises:
        PipelexError: `input.file_unreadable`, with line and column where the file's text is wrong.
    """
    loaded: Json = load_value_file(path)
    if not isinstance(loaded, dict):
        _refuse(path, TYPES.get(path.suffix.lower(), "json"), "must hold an object with one member per input")
    return loaded


def _load_json(text: str) -> Json:
    def refuse_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not a JSON number")

    def refuse_repeats(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        members: dict[str, Json] = {}
        for name, value in pairs:
            if name in members:
                raise ValueError(f"the member '{name}' is given twice")
            members[name] = value
        return members

    return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=refuse_repeats)


def _missing(path: Path) -> PipelexError:
    there = [file.name for file in path.parent.iterdir() if file.is_file()] if path.parent.is_dir() else []
    # All files of inputs have one of a few extensions, so only the stems are compared.
    alike = near_names(path.stem, [Path(name).stem for name in there])
    near = [str(path.parent / name) for name in near_names(path.name, there) if Path(name).stem in alike]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return PipelexError(
        "input.reference_not_found",
        f"there is no inputs file '{path}'{hint}",
        category=ErrorCategory.CONTENT,
        location=Location(file=str(path)),
        advice=f"`pipelex build inputs TARGET -o {path}` writes it, with a made-up value for each input.",
    )


def _refuse(
    path: Path,
    file_type: str,
    what: str,
    line: int | None = None,
    column: int | None = None,
    *,
    advice: str | None = None,
) -> NoReturn:
    place = "" if line is None else f", line {line}" if column is None else f", line {line}, column {column}"
    raise PipelexError(
        "input.file_unreadable",
        f"the inputs file '{path}'{place} {what}",
        category=ErrorCategory.CONTENT,
        params={"file_type": file_type, "reason": what},
        location=Location(file=str(path), line=line, column=column),
        advice=advice or "Correct the file at that place; `pipelex build inputs TARGET` writes one to start from.",
    )
