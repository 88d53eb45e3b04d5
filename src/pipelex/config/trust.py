"""Whose files these are: what the files of a project may name once they are trusted, and which ones are.

A project's folder may come from anywhere. Until its files are trusted, whatever they say that reads a variable, a secret
or a file of the user, or that sends something to an address of the project's choice, is withheld: the settings below
it stay in force. Choosing models, routes and defaults needs no trust. Files are trusted one by one, by their path and
the digest of their content, so that a file that changes is asked for again.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from pipelex.errors import ConfigurationError, Fault, Json, Location, ProjectNotTrustedError

TRUST_VARIABLE: Final = "PIPELEX_TRUST_PROJECT"
"""The variable of the process's own environment that has every file of the project trusted: for workers and CI."""

TRUST_FILE: Final = "trusted.toml"

SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIAL", re.IGNORECASE)
"""Names of variables whose values are secrets."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Something in a file of a project that needs the file to be trusted."""

    file: Path
    shown: str
    """The file as messages name it."""
    what: str
    """The key, or the table, for people."""
    line: int | None = None
    reads: tuple[str, ...] = ()
    """What is read of the user's: `${NAME}`, `${secret:ID}`, or the path of a file."""
    goes_to: str | None = None
    """The address that what is read, or what methods are given, would go to; None where nothing goes anywhere."""
    does: str = "is set"
    """What the key does where it neither reads nor sends anything."""

    def __str__(self) -> str:
        """`.pipelex/inference/backends.toml:3: [mine] sends ${OPENAI_API_KEY} to https://gateway.example`."""
        place = self.shown if self.line is None else f"{self.shown}:{self.line}"
        read = " and ".join(dict.fromkeys(self.reads))
        if self.goes_to is not None:
            return f"{place}: {self.what} sends {read or 'what methods are given'} to {self.goes_to}"
        return f"{place}: {self.what} reads {read}" if read else f"{place}: {self.what} {self.does}"

    @property
    def location(self) -> Location:
        return Location(file=self.shown, line=self.line, field=self.what)


@dataclass(frozen=True)
class Trust:
    """Which files are trusted.

    Args:
        home_dir: the user's folder, which holds the record.
        project: the folder whose files need trust; None outside of a project.
        is_everything_trusted: whether the user said so, once, for this process.
    """

    home_dir: Path
    project: Path | None = None
    is_everything_trusted: bool = False

    def of(self, file: Path, content: str) -> bool:
        """Whether a file may name what is the user's: it is not the project's, or was trusted with this content."""
        is_theirs = self.project is not None and file.is_relative_to(self.project)
        if self.is_everything_trusted or not is_theirs or file.is_relative_to(self.home_dir):
            return True
        return self._recorded.get(_key(file)) == digest_of(content.encode())

    @cached_property
    def _recorded(self) -> Mapping[str, str]:
        return read_record(self.home_dir)


@dataclass(frozen=True)
class Withheld:
    """What a file's data is without the keys that need trust."""

    data: Mapping[str, Json] = field(repr=False)
    demands: tuple[Demand, ...] = ()


def digest_of(content: bytes) -> str:
    """The digest a file is trusted by."""
    return hashlib.sha256(content).hexdigest()


def read_record(home_dir: Path) -> dict[str, str]:
    """The trusted files and the digest of each.

    Raises:
        ConfigurationError: the record cannot be read.
    """
    file = home_dir / TRUST_FILE
    try:
        table: Json = tomllib.loads(file.read_text(encoding="utf-8")).get("files", {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"{file}: the record of trusted files cannot be read: {error}",
            location=Location(file=str(file)),
            advice="Remove the file, and trust your projects again with: pipelex trust",
        ) from None
    known = cast("dict[str, Json]", table) if isinstance(table, dict) else dict[str, Json]()
    return {path: digest for path, digest in known.items() if isinstance(digest, str)}


def record_trust(home_dir: Path, files: Iterable[Path]) -> list[Path]:
    """Have files trusted as they are now.

    Returns:
        The files that were not trusted before.

    Raises:
        ConfigurationError: a file, or the record, cannot be read or written.
    """
    known = read_record(home_dir)
    added: list[Path] = []
    for file in files:
        try:
            digest = digest_of(file.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"{file}: cannot be read: {error}", location=Location(file=str(file))) from None
        if known.get(_key(file)) != digest:
            known[_key(file)] = digest
            added.append(file)
    if added:
        _write_record(home_dir, known)
    return added


def forget_trust(home_dir: Path, folder: Path) -> list[str]:
    """Have the files below a folder trusted no longer.

    Returns:
        The files that were trusted.

    Raises:
        ConfigurationError: the record cannot be read or written.
    """
    known = read_record(home_dir)
    root = Path(_key(folder))
    gone = [path for path in known if Path(path).is_relative_to(root)]
    if gone:
        _write_record(home_dir, {path: digest for path, digest in known.items() if path not in gone})
    return gone


def _write_record(home_dir: Path, known: Mapping[str, str]) -> None:
    lines = ["# Files of projects that may name your variables, secrets and addresses: see `pipelex trust`.", "[files]"]
    lines += [f"{json.dumps(path)} = {json.dumps(digest)}" for path, digest in sorted(known.items())]
    file = home_dir / TRUST_FILE
    written = home_dir / f".{TRUST_FILE}.{os.getpid()}"
    try:
        home_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as record:
            record.write("\n".join(lines) + "\n")
        written.replace(file)
    except OSError as error:
        with suppress(OSError):
            written.unlink()
        raise ConfigurationError(
            f"{file}: the record of trusted files cannot be written: {error}", location=Location(file=str(file))
        ) from None


def _key(file: Path) -> str:
    return str(Path(os.path.realpath(file)))


def stays_here(address: str) -> bool:
    """Whether an address is of this machine."""
    from ipaddress import ip_address

    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def not_in_force(demands: Iterable[Demand]) -> Fault | None:
    """A warning about what is withheld; None when nothing is."""
    first, *others = [*demands] or [None]
    if first is None:
        return None
    more = f" (and {len(others)} more)" if others else ""
    detail = f"{first}{more}; not in force until the project is trusted: pipelex trust"
    return Fault("runtime.misconfigured", detail, location=first.location, severity="warning")


def require_trust(demands: Sequence[Demand]) -> None:
    """Refuse to go on with less than what a project's files say.

    Raises:
        ProjectNotTrustedError: something is withheld.
    """
    if not demands:
        return
    lines = [f"- {demand}" for demand in demands]
    raise ProjectNotTrustedError(
        "\n".join(["files of this project name what is yours, or where it goes, and were not trusted yet:", *lines]),
        faults=[Fault("runtime.misconfigured", str(demand), location=demand.location) for demand in demands],
        advice=f"Look at them, then: pipelex trust. For a worker or CI: pipelex --trust-project …, or {TRUST_VARIABLE}=1.",
    )
