"""Local files that inputs name, and files of inputs."""

import json
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, cast
from urllib.parse import unquote, urlsplit

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, Fault, InputError, Location, PipelexError, near_names

MIME_TYPES: Final = {
    ".bmp": "image/bmp",
    ".csv": "text/csv",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".htm": "text/html",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".md": "text/markdown",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""A table of our own, so that the same file has the same type on every machine."""

# A single letter before the colon is a Windows drive.
_URL: Final = re.compile(r"data:|[A-Za-z][A-Za-z0-9+.-]+://")


MAX_INPUTS_BYTES: Final = 256 * 1024 * 1024
"""The maximum size of an inputs file, in bytes."""

_KERNEL_FOLDERS: Final = tuple(map(Path, ("/proc", "/sys", "/dev")))
"""What stands there are answers of the system, this process's environment among them, and never documents."""


class FileRefused(Exception):
    """A local file an input names cannot be used."""

    def __init__(self, code: str, detail: str, **params: Json) -> None:
        super().__init__(detail)
        self.code = code
        self.params = params


def is_local(text: str) -> bool:
    """Whether a text that stands for a file is a path, rather than a URL or a storage URI."""
    return text[:7].lower() == "file://" or _URL.match(text) is None


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The files of this machine that a run's inputs may name."""

    base_dir: Path
    """The folder that relative paths start from."""
    root: Path | None = None
    """The only folder whose files may be named; None: any file that the user may read."""


def local_file(text: str, files: LocalFiles | None, *, file_type: str) -> Path:
    """The readable file a path names, absolute.

    Args:
        text: a path, absolute, relative to the base folder or starting with `~`; or a `file://` URL.
        files: which files may be named; None where all are out of reach.
        file_type: what the file is to be, for messages.

    Raises:
        FileRefused: there is no such file, it may not be named, or it cannot be read.
    """
    if files is None:
        raise FileRefused(
            "security.input_path_refused",
            f"'{text}' is a local path, which only a local run can read: give a URL or a storage URI",
            rule="absolute" if text.startswith(("/", "~", "file:")) else "outside_root",
        )
    try:
        path = _absolute(text, files.base_dir)
        _require_inside(text, path, files.root)
        why = not_a_file(path)
        if why is not None:
            raise FileRefused(
                "input.file_unreadable", f"'{text}' {why}", file_type=file_type, reason="not_a_file"
            ) from None
        with path.open("rb") as opened:
            opened.read(1)
    except FileNotFoundError:
        raise FileRefused(
            "input.reference_not_found", f"there is no file '{text}'{_looked_in(text, files.base_dir)}"
        ) from None
    except IsADirectoryError:
        raise FileRefused(
            "input.file_unreadable", f"'{text}' is a folder, not a file", file_type=file_type, reason="is_a_directory"
        ) from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileRefused(
            "input.file_unreadable", f"'{text}' cannot be read: {reason}", file_type=file_type, reason=reason
        ) from None
    return path


def not_a_file(path: Path) -> str | None:
    """Why what a path leads to is no document, or None: pipes and devices may never end, the kernel's files tell secrets.

    Raises:
        OSError: there is nothing there, or it cannot be looked at.
    """
    path = path.resolve()
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(str(path))
    if not stat.S_ISREG(mode):
        return "is a device, a pipe or a socket, not a file"
    if any(path.is_relative_to(folder) for folder in _KERNEL_FOLDERS):
        return "is a file of the operating system's kernel, not a document"
    return None


def _require_inside(text: str, path: Path, root: Path | None) -> None:
    if root is not None and not path.is_relative_to(root.resolve()):
        raise FileRefused(
            "security.input_path_refused",
            f"'{text}' is outside of '{root}', and inputs that come with a method may name files of its folder alone",
            rule="outside_root",
        )


def _absolute(text: str, base_dir: Path) -> Path:
    if text[:7].lower() == "file://":
        address = urlsplit(text)
        if address.netloc not in ("", "localhost"):
            raise ValueError(f"the file is on another machine, '{address.netloc}'")
        return Path(unquote(address.path)).resolve()
    return (base_dir / Path(text).expanduser()).resolve()


def _looked_in(text: str, base_dir: Path) -> str:
    is_relative = not text.startswith(("/", "~")) and text[:7].lower() != "file://"
    return f" in '{base_dir}'" if is_relative else ""


def file_content(path: Path) -> dict[str, Json]:
    """What is known of a local file, as members of an Image or Document content."""
    found: dict[str, Json] = {"url": path.as_uri(), "filename": path.name}
    mime_type = MIME_TYPES.get(path.suffix.lower())
    return found if mime_type is None else {**found, "mime_type": mime_type}


def load_inputs_file(path: Path) -> dict[str, Json]:
    """Read an inputs file: TOML when its name ends in `.toml`, otherwise JSON.

    Returns:
        Input name → value, as `read_inputs` takes it; TOML dates and times are still Python's.

    Raises:
        PipelexError: `input.file_unreadable`, with line and column where the file's text is wrong.
    """
    file_type = "toml" if path.suffix.lower() == ".toml" else "json"
    try:
        why = not_a_file(path)
        if why is not None:
            _refuse(path, file_type, f"{why}; --inputs - reads standard input")
        if path.stat().st_size > MAX_INPUTS_BYTES:
            _refuse(path, file_type, f"is larger than {MAX_INPUTS_BYTES:,} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        _refuse(path, file_type, f"cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        _refuse(path, file_type, f"is not UTF-8 text (byte {error.start})")
    try:
        loaded: Json = tomllib.loads(text) if file_type == "toml" else _load_json(text)
    except json.JSONDecodeError as error:
        _refuse(path, file_type, f"is not valid JSON: {error.msg}", error.lineno, error.colno)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        place = (int(found[1]), int(found[2])) if found else (None, None)
        _refuse(path, file_type, f"is not valid TOML: {message[: found.start()] if found else message}", *place)
    except RecursionError:
        _refuse(path, file_type, "is nested too deeply")
    except ValueError as error:
        _refuse(path, file_type, f"is not valid {file_type.upper()}: {error}")
    if not isinstance(loaded, dict):
        _refuse(path, file_type, "must hold an object with one member per input")
    return cast("dict[str, Json]", loaded)


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
    near = [str(path.parent / name) for name in near_names(path.name, there)]
    hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return PipelexError(
        "input.reference_not_found",
        f"there is no inputs file '{path}'{hint}",
        category=ErrorCategory.CONTENT,
        location=Location(file=str(path)),
        advice=f"`pipelex build inputs TARGET -o {path}` writes it, with a made-up value for each input.",
    )


def _refuse(path: Path, file_type: str, what: str, line: int | None = None, column: int | None = None) -> NoReturn:
    place = f", line {line}, column {column}" if line is not None else ""
    raise PipelexError(
        "input.file_unreadable",
        f"the inputs file '{path}'{place} {what}",
        category=ErrorCategory.CONTENT,
        params={"file_type": file_type, "reason": what},
        location=Location(file=str(path), line=line, column=column),
    )


def one_error(faults: list[Fault]) -> InputError:
    """One exception for all that is wrong with a run's inputs: it speaks as the first fault; `faults` has them all."""
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    error = InputError(first.code, first.detail + more, input=first.location.input)
    advice = f"Did you mean {' or '.join(first.suggestions)}?" if first.suggestions else None
    return error.with_report(params=first.params, location=first.location, faults=tuple(faults), advice=advice)
