"""Files that a project's configuration names and whose content affects trust: certificates and credentials."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pipelex.config.trust._demand import Demand
from pipelex.config.trust._record import Trust, record_trust
from pipelex.errors import Json

_MAX_PATH = 4096


def unseen_files(trust: Trust | None, values: Mapping[str, Json], *folders: Path) -> dict[str, tuple[Demand, ...]]:
    """The keys whose values name a file of the project that is not trusted with its current content, with the demands.

    Args:
        trust: the record of trusted files; everything is trusted when None.
        values: the values by key, as messages show the key.
        folders: the folders that relative paths may start from.
    """
    if trust is None or trust.is_everything_trusted:
        return {}
    found = {key: (*_unseen(trust, key, value, folders),) for key, value in values.items()}
    return {key: demands for key, demands in found.items() if demands}


def trust_named_file(home_dir: Path, path: Path) -> None:
    """Record a file as trusted with its current content, because the user named it to a command.

    Raises:
        ConfigurationError: the record cannot be read or written.
    """
    path = Path(os.path.normpath(path.absolute()))
    record_trust(home_dir, [Demand(path, _shown(path), _digest_of_file(path), "what it holds")])


def _unseen(trust: Trust, key: str, value: Json, folders: tuple[Path, ...]) -> Iterator[Demand]:
    for path in dict.fromkeys(_files(value, folders)):
        if trust.is_inside(path) and not trust.has_digest(path, digest := _digest_of_file(path)):
            yield Demand(path, _shown(path), digest, "what it holds", does=f"decides {key}")


def _files(value: Json, folders: tuple[Path, ...]) -> Iterator[Path]:
    if isinstance(value, list):
        for item in value:
            yield from _files(item, folders)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _files(item, folders)
    elif isinstance(value, str) and value and len(value) <= _MAX_PATH:
        for folder in folders:
            with suppress(OSError, ValueError, RuntimeError):  # not the name of a file
                path = folder / Path(value).expanduser()
                if path.is_file():
                    yield Path(os.path.normpath(path.absolute()))


def _digest_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
