"""The record of trusted files in the user's folder, which lists each by its path and the digest of its text."""

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from pipelex.config.files.plain import read_plain, read_plain_text
from pipelex.config.files.toml import read_toml
from pipelex.config.own_files import OWN_FOLDER, write_own_file
from pipelex.config.trust._demand import Demand
from pipelex.errors import ConfigurationError, Json, Location

TRUST_FILE: Final = "trusted.toml"


@dataclass(frozen=True)
class Trust:
    """The set of trusted files.

    Args:
        home_dir: the user's folder, which holds the record.
        project: the folder whose files need trust; None outside of a project.
        is_everything_trusted: whether the user trusts every file, for this process only.
    """

    home_dir: Path
    project: Path | None = None
    is_everything_trusted: bool = False

    def of(self, file: Path, text: str) -> bool:
        """Whether a file is trusted: it is not the project's, or it was trusted with this text."""
        if self.is_everything_trusted or not self.is_theirs(file):
            return True
        return self._recorded.get(_key(file)) == digest_of(text)

    def is_theirs(self, file: Path) -> bool:
        """Whether a file is the project's, trusted or not."""
        is_below = self.project is not None and file.is_relative_to(self.project)
        return is_below and not file.is_relative_to(self.home_dir)

    def is_inside(self, file: Path) -> bool:
        """Whether a file is in the project, by its own path or by the target of a link."""
        if self.project is None or self.is_theirs(file):
            return self.project is not None
        real = Path(_key(file))
        return real.is_relative_to(_key(self.project)) and not real.is_relative_to(_key(self.home_dir))

    def has_digest(self, file: Path, digest: str) -> bool:
        """Whether a file was trusted with this digest."""
        return self._recorded.get(_key(file)) == digest

    @cached_property
    def _recorded(self) -> Mapping[str, str]:
        return read_record(self.home_dir)


def digest_of(text: str) -> str:
    """The digest by which a file is trusted, of its text with normalised line ends."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_record(home_dir: Path) -> dict[str, str]:
    """The trusted files and the digest of each.

    Raises:
        ConfigurationError: the record cannot be read.
    """
    file = home_dir / TRUST_FILE
    try:
        table: Json = read_toml(read_plain_text(file)).get("files", {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"{file}: the record of trusted files cannot be read: {error}",
            location=Location(file=str(file)),
            advice="Remove the file, and trust your projects again with: pipelex trust",
        ) from None
    known = table if isinstance(table, dict) else dict[str, Json]()
    return {path: digest for path, digest in known.items() if isinstance(digest, str)}


def is_recorded(home_dir: Path, file: Path, text: str) -> bool:
    """Whether a file was trusted with this text.

    Raises:
        ConfigurationError: the record cannot be read.
    """
    return read_record(home_dir).get(_key(file)) == digest_of(text)


def record_trust(home_dir: Path, demands: Iterable[Demand]) -> list[Path]:
    """Record the files of these demands as trusted, with their content at the time when the demands were found.

    Returns:
        The files that were not trusted before.

    Raises:
        ConfigurationError: the record cannot be read or written.
    """
    return _record(home_dir, {demand.file: demand.digest for demand in demands})


def trust_files(home_dir: Path, files: Iterable[Path]) -> list[Path]:
    """Record files as trusted with their current content, because this program wrote them for the user.

    Returns:
        The files that were not trusted before.

    Raises:
        ConfigurationError: a file cannot be read, or the record cannot be read or written.
    """
    found: dict[Path, str] = {}
    for file in files:
        try:
            found[file] = digest_of(read_plain_text(file))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file}: cannot be read: {error}", location=Location(file=str(file))) from None
    return _record(home_dir, found)


def trusted_below(home_dir: Path, folder: Path) -> list[str]:
    """The files below a folder that are trusted with their current content.

    Raises:
        ConfigurationError: the record cannot be read.
    """
    known = read_record(home_dir)
    return [path for path in _below(known, folder) if known[path] in _digests_now(Path(path))]


def forget_trust(home_dir: Path, folder: Path) -> list[str]:
    """Remove the files below a folder from the record of trusted files.

    Returns:
        The files that were trusted.

    Raises:
        ConfigurationError: the record cannot be read or written.
    """
    known = read_record(home_dir)
    gone = _below(known, folder)
    if gone:
        _write_record(home_dir, {path: digest for path, digest in known.items() if path not in gone})
    return gone


def _below(known: Mapping[str, str], folder: Path) -> list[str]:
    root = Path(_key(folder))
    return [path for path in known if Path(path).is_relative_to(root)]


def _digests_now(file: Path) -> set[str]:
    """The digest of a file's text, and that of its bytes, by which certificates are trusted."""
    found: set[str] = set()
    with suppress(OSError, UnicodeDecodeError):
        data = read_plain(file)
        found.add(hashlib.sha256(data).hexdigest())
        found.add(digest_of(read_plain_text(file)))
    return found


def _record(home_dir: Path, digests: Mapping[Path, str]) -> list[Path]:
    known = read_record(home_dir)
    added = [file for file, digest in digests.items() if known.get(_key(file)) != digest]
    if added:
        _write_record(home_dir, {**known, **{_key(file): digests[file] for file in added}})
    return added


def _write_record(home_dir: Path, known: Mapping[str, str]) -> None:
    lines = ["# Files of projects that may name your variables, secrets and addresses: see `pipelex trust`.", "[files]"]
    lines += [f'{json.dumps(path, ensure_ascii=False)} = "{digest}"' for path, digest in sorted(known.items())]
    file = home_dir / TRUST_FILE
    try:
        home_dir.mkdir(parents=True, exist_ok=True, mode=OWN_FOLDER)
        write_own_file(file, ("\n".join(lines) + "\n").encode())
    except (OSError, UnicodeEncodeError) as error:
        raise ConfigurationError(
            f"{file}: the record of trusted files cannot be written: {error}", location=Location(file=str(file))
        ) from None


def _key(file: Path) -> str:
    return str(Path(os.path.realpath(file)))
