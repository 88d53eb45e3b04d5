"""Saves the stored files that values refer to as plain files in a folder."""

import asyncio
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

from pipelex.config.own_files import OWN_FOLDER, write_own_file
from pipelex.content.files.kinds import OCTETS, extension_of, type_of_extension
from pipelex.errors import PipelexError
from pipelex.errors.json import Json
from pipelex.storage._blobs import SCHEME, key_of
from pipelex.storage._store import Storage

_AT_ONCE: Final = 8
_MAX_BYTES: Final = 200
_MAX_EXTENSION: Final = 16
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]+')
"""Characters that file systems refuse, and direction marks that make a name appear in another order."""
_DEVICES: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file to which a value refers."""

    uri: str
    filename: str
    """The name under which the file is saved, unless another file already has that name."""


@dataclass(frozen=True)
class SavedFiles:
    """Copies of stored files in a folder."""

    folder: Path
    names: Mapping[StoredFile, str] = field(default_factory=dict[StoredFile, str])
    missing: Mapping[StoredFile, PipelexError] = field(default_factory=dict[StoredFile, PipelexError])
    """The files that could not be read → the reason."""

    @property
    def paths(self) -> list[Path]:
        """The paths of the files."""
        return [self.folder / name for name in self.names.values()]

    @property
    def by_address(self) -> dict[str, Json]:
        """URI of a stored file → the path of its copy, for programs."""
        return {file.uri: str(self.folder / name) for file, name in self.names.items()}

    def path(self, name: str) -> str:
        """The path of a file, relative to the parent of the folder."""
        return f"{self.folder.name}/{name}"

    def linked(self, value: Json, members: Callable[[str], Mapping[str, Json]]) -> Json:
        """The value with its contents changed to refer to the saved files instead of the stored ones.

        Args:
            value: plain JSON.
            members: returns the members to set in a content, given the name of its saved file.
        """
        if isinstance(value, list):
            return [self.linked(item, members) for item in value]
        if not isinstance(value, Mapping):
            return value
        content = cast("Mapping[str, Json]", value)
        file = _file_of(content)
        name = None if file is None else self.names.get(file)
        instead: Mapping[str, Json] = {} if name is None else members(name)
        return {**{key: self.linked(member, members) for key, member in content.items()}, **instead}

    def with_paths(self, value: Json) -> Json:
        """The value with the paths of its files, relative to the parent of the folder, for programs to open."""
        return self.linked(value, lambda name: {"url": self.path(name)})

    def with_links(self, value: Json) -> Json:
        """The value with links to its files, quoted for Markdown and HTML."""
        return self.linked(value, lambda name: {"url": quote(self.path(name))})


def files_of(*values: Json) -> list[StoredFile]:
    """The stored files to which values refer, each once, in order of appearance."""
    return list(dict.fromkeys(file for value in values for file in _walk(value)))


async def save_files(files: Sequence[StoredFile], storage: Storage, folder: Path) -> SavedFiles:
    """Save stored files under their own names; a second file of the same name gets a number.

    Args:
        files: the files.
        storage: the storage that has the files.
        folder: the folder to write to; it is made if there is at least one file.

    Raises:
        OSError: a file cannot be written.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    names = _distinct([file.filename for file in files])
    missing: dict[StoredFile, PipelexError] = {}

    async def save(file: StoredFile, name: str) -> None:
        async with gate:
            try:
                data = await storage.get(file.uri)
            except PipelexError as failed:
                missing[file] = failed
            else:
                await asyncio.to_thread(_write, folder / name, data)

    await asyncio.gather(*(save(file, name) for file, name in zip(files, names, strict=True)))
    saved = {file: name for file, name in zip(files, names, strict=True) if file not in missing}
    return SavedFiles(folder, saved, {file: missing[file] for file in files if file in missing})


def default_name(uri: str) -> str:
    """The name for a stored file that has none: the beginning of its hash, with an extension.

    Raises:
        InputError: the URI is not one of ours.
    """
    key, sha256 = key_of(uri)
    return f"{sha256[:12]}.{extension_of(type_of_extension(key))}"


def safe_name(name: str) -> str:
    """A file name that every file system accepts and that leads to no other folder; empty if nothing is left."""
    plain = _shortened(_UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip(" ."))
    return f"_{plain}" if _DEVICES.fullmatch(plain) else plain


def _shortened(name: str) -> str:
    """The name, shortened to the bytes that file systems allow; its extension is kept."""
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _MAX_EXTENSION:
        stem, extension = name, ""
    room = _MAX_BYTES - len(dot + extension)
    cut = stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .")
    return f"{cut}.{extension}" if extension else cut


def _walk(value: Json) -> Iterator[StoredFile]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item)
    elif isinstance(value, Mapping):
        members = cast("Mapping[str, Json]", value)
        file = _file_of(members)
        if file is not None:
            yield file
        for member in members.values():
            yield from _walk(member)


def _file_of(content: Mapping[str, Json]) -> StoredFile | None:
    url, filename = content.get("url"), content.get("filename")
    if not isinstance(url, str) or not url.lower().startswith(f"{SCHEME}://"):
        return None
    try:
        usual = default_name(url)
    except PipelexError:
        return None
    name = safe_name(filename) if isinstance(filename, str) else ""
    return StoredFile(url, _with_extension(name, usual) if name else usual)


def _with_extension(name: str, usual: str) -> str:
    is_typed = type_of_extension(name) != OCTETS or type_of_extension(usual) == OCTETS
    return name if is_typed else f"{name}.{usual.rpartition('.')[2]}"


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with numbers added where they repeat; names that differ only in case count as equal."""
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        stem, dot, extension = name.rpartition(".")
        number, free = 1, name
        while free.casefold() in taken:
            number += 1
            free = f"{stem}_{number}.{extension}" if dot else f"{name}_{number}"
        taken.add(free.casefold())
        found.append(free)
    return found


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=OWN_FOLDER)
    write_own_file(path, data)
