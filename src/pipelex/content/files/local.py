"""Finds the local files that inputs name, and checks that they are readable and of the wanted kind."""

import binascii
import re
import stat
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from pipelex.config.files.paths import resolved
from pipelex.content.files.kinds import file_kind, sniff
from pipelex.content.stuff import Json

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
"""MIME types by extension. The system's own table is not used, so a file has the same type on every machine."""

# A single letter before the colon is a Windows drive.
_URL: Final = re.compile(r"data:|[A-Za-z][A-Za-z0-9+.-]+://")


MAX_INPUTS_BYTES: Final = 256 * 1024 * 1024
"""The maximum size of a file that holds inputs, in bytes."""

_KERNEL_FOLDERS: Final = tuple(map(Path, ("/proc", "/sys", "/dev")))
"""The folders of the kernel. Their files are not documents: the kernel makes them up, for example from this process's
environment."""


class FileRefused(Exception):
    """A local file that an input names cannot be used."""

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
    """The only folder whose files may be named; None allows any file that the user may read."""


def local_file(text: str, files: LocalFiles | None, *, file_type: str) -> Path:
    """The absolute path of the readable file that a path or a URL names.

    Args:
        text: a path, absolute, relative to the base folder or starting with `~`; or a `file://` URL.
        files: the files that may be named; None if no local file may be.
        file_type: the type that the file should have, for messages.

    Raises:
        FileRefused: the file does not exist, may not be named, or cannot be read.
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
    """The reason why the file at a path cannot be a document; None if it can.

    Pipes and devices may never end, and the kernel's files may hold secrets.

    Raises:
        OSError: there is nothing there, or it cannot be looked at.
    """
    path = resolved(path)
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(str(path))
    if not stat.S_ISREG(mode):
        return "is a device, a pipe or a socket, not a file"
    if any(path.is_relative_to(folder) for folder in _KERNEL_FOLDERS):
        return "is a file of the operating system's kernel, not a document"
    return None


def _require_inside(text: str, path: Path, root: Path | None) -> None:
    if root is not None and not path.is_relative_to(resolved(root)):
        raise FileRefused(
            "security.input_path_refused",
            f"'{text}' is outside of '{root}', and inputs that come with a method may name only files in its folder",
            rule="outside_root",
        )


def why_unfit(path: Path) -> str | None:
    """The reason why a file cannot hold inputs: it is not a regular file, or it is too large. None if it can.

    Raises:
        OSError: there is nothing there, or it cannot be looked at.
    """
    why = not_a_file(path)
    if why is not None:
        return f"{why}; - stands for standard input"
    return f"is larger than {MAX_INPUTS_BYTES:,} bytes" if path.stat().st_size > MAX_INPUTS_BYTES else None


def _absolute(text: str, base_dir: Path) -> Path:
    if text[:7].lower() == "file://":
        address = urlsplit(text)
        if address.netloc not in ("", "localhost"):
            raise ValueError(f"the file is on another machine, '{address.netloc}'")
        return resolved(Path(unquote(address.path)))
    return resolved(base_dir / Path(text).expanduser())


def _looked_in(text: str, base_dir: Path) -> str:
    is_relative = not text.startswith(("/", "~")) and text[:7].lower() != "file://"
    return f" in '{base_dir}'" if is_relative else ""


def file_content(path: Path) -> dict[str, Json]:
    """The facts about a local file, as members of an Image or Document content."""
    found: dict[str, Json] = {"url": path.as_uri(), "filename": path.name}
    mime_type = MIME_TYPES.get(path.suffix.lower())
    return found if mime_type is None else {**found, "mime_type": mime_type}


_HEAD: Final = 4096
"""The number of bytes at the beginning that show the kind of the file."""


def check_file(path: Path, text: str, file_type: str) -> None:
    """Check that a readable file is not empty, and that it is an image if one is wanted.

    Args:
        path: the file.
        text: the file's name as the caller wrote it, for messages.
        file_type: the type that it should have: `image` or `document`.

    Raises:
        FileRefused: it is empty, or of another kind.
    """
    with path.open("rb") as opened:
        head, size = opened.read(_HEAD), path.stat().st_size
    # A bitmap states the length of the whole file, which `sniff` would compare with the length of the head.
    is_bitmap = head[:2] == b"BM" and int.from_bytes(head[2:6], "little") == size
    _check(head, f"'{text}'", file_type, "image/bmp" if is_bitmap else sniff(head, filename=path.name))


def check_data_url(url: str, file_type: str) -> None:
    """Check a `data:` URL like `check_file`. A URL that cannot be decoded passes: its reader will report that.

    Raises:
        FileRefused: it is empty, or of another kind.
    """
    head, comma, payload = url[len("data:") :].partition(",")
    mime_type, *options = (part.strip() for part in head.split(";"))
    if not comma:
        return
    try:
        is_base64 = "base64" in (option.lower() for option in options)
        data = b64decode(payload[: _HEAD - _HEAD % 4]) if is_base64 else unquote_to_bytes(payload[:_HEAD])
    except (binascii.Error, ValueError):
        return
    _check(data, "the data: URL", file_type, sniff(data, declared=mime_type))


def _check(head: bytes, named: str, file_type: str, mime_type: str) -> None:
    if not head:
        raise FileRefused("input.file_type_unsupported", f"{named} is empty", format="empty")
    if file_type == "image" and (what := not_an_image(mime_type)) is not None:
        raise FileRefused("input.file_type_unsupported", f"{named} {what}", format=mime_type)


def not_an_image(mime_type: str) -> str | None:
    """The message about a file that should be an image but has another type; None for an image."""
    kind = file_kind(mime_type)
    if kind in ("image", "svg"):
        return None
    if kind == "pdf":
        return "is a PDF, not an image: give a page of it as PNG or JPEG, or let the method take a Document"
    return f"is not an image, but of type {mime_type}: give a PNG, a JPEG, or another image"
