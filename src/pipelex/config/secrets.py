"""Sources of the secrets that settings name by an id: the environment, a file, the system's key ring."""

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from pipelex.config._interpolation import SECRET, secret_variable
from pipelex.config._settings import Settings
from pipelex.config.files.plain import read_plain_text
from pipelex.config.files.toml import read_toml
from pipelex.errors import ConfigurationError, Json, Location

SECRETS_FILE = "secrets.toml"
KEYRING_SERVICE = "pipelex"


class SecretProvider(Protocol):
    """Something that keeps secrets."""

    def get(self, secret_id: str) -> str | None:
        """The secret of that id, or None when this provider does not have it."""
        ...

    def describe(self, secret_id: str) -> str:
        """The place where this provider looks for the secret, in words."""
        ...


@dataclass(frozen=True)
class EnvironmentSecrets:
    """Secrets in environment variables: of the id's own name, or of its upper-case form (`my-key` → `MY_KEY`)."""

    environ: Mapping[str, str] = field(repr=False)

    def get(self, secret_id: str) -> str | None:
        return self.environ.get(secret_id) or self.environ.get(secret_variable(secret_id)) or None

    def describe(self, secret_id: str) -> str:
        return f"the environment variable {secret_variable(secret_id)}"


@dataclass(frozen=True)
class FileSecrets:
    """Secrets in a TOML file of `id = "secret"` lines. It is read at each look-up, so rotated secrets are found."""

    file: Path

    def get(self, secret_id: str) -> str | None:
        try:
            self._require_privacy()
            table: Mapping[str, Json] = read_toml(read_plain_text(self.file))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            # The message of a TOML error contains a place, but nothing of the file's content.
            raise ConfigurationError(
                f"{self.file}: the secrets cannot be read: {error}", location=Location(file=str(self.file))
            ) from None
        found = table.get(secret_id)
        if found is not None and not isinstance(found, str):
            raise ConfigurationError(
                f"{self.file}: the secret {secret_id!r} must be a string", location=Location(file=str(self.file))
            )
        return found or None

    def _require_privacy(self) -> None:
        """Refuse a file that users other than its owner may read or write."""
        if os.name != "posix":
            return
        found = self.file.stat()
        mode = found.st_mode
        # A file that a cluster mounts belongs to root, and only the group of its process may read it.
        allowed = 0 if found.st_uid == os.geteuid() else stat.S_IRGRP
        if mode & (stat.S_IRWXG | stat.S_IRWXO) & ~allowed:
            raise ConfigurationError(
                f"{self.file}: the secrets are not read, for others may read or write the file "
                f"(mode {stat.S_IMODE(mode):04o})",
                advice=f"Keep it to yourself: chmod 600 {self.file}",
                location=Location(file=str(self.file)),
            )

    def describe(self, secret_id: str) -> str:
        return f"the key {secret_id!r} of {self.file}"


@dataclass(frozen=True)
class KeyringSecrets:
    """Secrets of one service in the system's key ring; none if the package `keyring` or a key ring is missing."""

    service: str = KEYRING_SERVICE

    def get(self, secret_id: str) -> str | None:
        try:
            import keyring
            from keyring.errors import KeyringError, NoKeyringError
        except ImportError:
            return None
        try:
            return keyring.get_password(self.service, secret_id) or None
        except NoKeyringError:
            return None
        except KeyringError as error:
            raise ConfigurationError(
                f"the key ring does not give the secret {secret_id!r} ({type(error).__name__})",
                advice="Unlock the key ring, or give the secret in the environment.",
            ) from None

    def describe(self, secret_id: str) -> str:
        return f"the key ring (`keyring set {self.service} {secret_id}`)"


@dataclass(frozen=True)
class ChainedSecrets:
    """Several providers; the first that has a secret returns it."""

    providers: Sequence[SecretProvider]

    def get(self, secret_id: str) -> str | None:
        return next((found for provider in self.providers if (found := provider.get(secret_id))), None)

    def describe(self, secret_id: str) -> str:
        return " or ".join(provider.describe(secret_id) for provider in self.providers)


def secret_provider(settings: Settings, environ: Mapping[str, str] | None = None) -> SecretProvider:
    """The secrets of a user: the environment's, then those of `secrets.toml` in the user's folder, then the key ring's."""
    known = settings.environ if environ is None else environ
    providers = (EnvironmentSecrets(known), FileSecrets(settings.home_dir / SECRETS_FILE), KeyringSecrets())
    return ChainedSecrets(cast("Sequence[SecretProvider]", providers))


@dataclass(frozen=True)
class WithSecrets(Mapping[str, str]):
    """An environment that also has secrets, by the name `secret:<id>`; each is looked up when it is used."""

    environ: Mapping[str, str] = field(repr=False)
    secrets: SecretProvider = field(repr=False)

    def __getitem__(self, name: str) -> str:
        if not name.startswith(SECRET):
            return self.environ[name]
        found = self.secrets.get(name.removeprefix(SECRET))
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.environ)

    def __len__(self) -> int:
        return len(self.environ)
