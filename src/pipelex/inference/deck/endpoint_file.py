"""Writing the user's own endpoint into `backends.toml`, without losing comments or other tables."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pipelex.config._interpolation import named_variables
from pipelex.config.toml_files import TomlFile
from pipelex.config.trust import is_recorded, stays_here, trust_files
from pipelex.config.trust.backends import BACKENDS_FILE, PACKAGED
from pipelex.config.trust.named_files import trust_named_file
from pipelex.errors import ConfigurationError, Location
from pipelex.inference.deck.files import read_file

_OF_ANY_ADDRESS: Final = frozenset({"display_name", "enabled"})
"""The keys of a backend's table that are kept when its address changes."""


@dataclass(frozen=True)
class OwnEndpoint:
    """An endpoint that speaks OpenAI's protocol, or the protocol of `sdk`."""

    endpoint: str
    models: Sequence[str]
    """The models it serves; the first one is the one that may stand for standard names."""
    api_key: str | None = field(default=None, repr=False)
    """The API key, usually `"${NAME}"`; None for an endpoint without one."""
    name: str | None = None
    """The backend's id; chosen from the address when None."""
    sdk: str | None = None
    """The client to use; the one for OpenAI's protocol when None."""
    is_default: bool = True
    """Whether its first model stands for every standard name, even when other backends have keys."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The headers to send with every request."""
    ca_bundle: Path | None = None
    """A file with the certificates to verify the endpoint's certificate with; the usual ones when None."""
    verify: bool = True
    """Whether to verify the endpoint's certificate."""
    token_parameter: str | None = None
    """The request parameter that limits the tokens of an answer; the client's usual one when None."""

    @property
    def backend(self) -> str:
        """The id of its table: its name, or the packaged backend's at this address, or one made from the host."""
        host = urlsplit(self.endpoint).hostname or "mine"
        made = "".join(char if char.isalnum() else "_" for char in host)
        return self.name or _packaged_at(self.endpoint) or ("local_server" if stays_here(self.endpoint) else made)

    @property
    def key_variable(self) -> str | None:
        """The first environment variable that its key refers to; None if it refers to none."""
        found = named_variables(self.api_key or "")
        return found[0] if found else None


def usual_variable(endpoint: str) -> str:
    """The environment variable for an endpoint's key: the packaged backend's, else one made from the host's name."""
    packaged = _packaged_at(endpoint)
    written = _packaged()[packaged].get("api_key") if packaged is not None else None
    named = named_variables(written or "")
    made = "".join(char if char.isalnum() else "_" for char in urlsplit(endpoint).hostname or "mine").upper()
    return named[0] if named else f"{made if not made[:1].isdigit() else f'MY_{made}'}_API_KEY"


def _packaged_at(endpoint: str) -> str | None:
    """The packaged backend with the address of an endpoint; None if there is none."""
    place = _place(endpoint)
    return next((name for name, table in _packaged().items() if _place(table.get("endpoint", "")) == place), None)


def _packaged() -> Mapping[str, Any]:
    return read_file(PACKAGED / BACKENDS_FILE).data


def _place(endpoint: str) -> tuple[str, str]:
    parts = urlsplit(endpoint)
    return parts.netloc.replace("localhost", "127.0.0.1").lower(), parts.path.rstrip("/")


def write_endpoint(folder: Path, own: OwnEndpoint, home_dir: Path) -> Path:
    """Write an endpoint into `inference/backends.toml` of a configuration folder.

    If the file already has a table of that name, only the keys that the endpoint sets are replaced. If that table has
    another address, its key, headers and other settings are removed, because they belong to the other service. The
    written file is trusted if it is new, or if its previous content was trusted.

    Args:
        folder: the project's `.pipelex`, or the user's.
        own: the endpoint.
        home_dir: the user's folder, which holds the record of trusted files.

    Returns:
        The path of the file.

    Raises:
        ConfigurationError: the file is not TOML, has something other than tables, or cannot be read or written.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = folder / "inference" / BACKENDS_FILE
    try:
        before = _checked(file) if file.exists() else None
        document = tomlkit.parse(before or "")
        _fill(document, own, file.parent)
        was_trusted = before is None or is_recorded(home_dir, file, before)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written: {error.strerror}",
            advice=f"Make {folder} writable, or write the table yourself: [{own.backend}] with endpoint and models.",
            location=Location(file=str(file)),
        ) from None
    except TOMLKitError as error:
        raise ConfigurationError(f"{file} cannot be changed: {error}", location=Location(file=str(file))) from None
    if was_trusted and not file.absolute().is_relative_to(home_dir):
        trust_files(home_dir, [file])
        if own.ca_bundle is not None:
            trust_named_file(home_dir, own.ca_bundle)
    return file


def _checked(file: Path) -> str:
    """The text of a file of backends.

    Raises:
        ConfigurationError: the file cannot be read, is not TOML, or has something other than tables.
    """
    read = TomlFile.read(file)
    for name, value in read.data.items():
        if not isinstance(value, dict):
            raise read.fault(
                f"{name!r} must be a table: one for each backend",
                (name,),
                advice=f"Write it below the [table] of its backend, or delete it; {file} is unchanged.",
            )
    return read.text


def _fill(document: Any, own: OwnEndpoint, folder: Path) -> None:
    import tomlkit

    if own.is_default:
        for name in list(document):
            if "is_default" in document[name]:
                del document[name]["is_default"]
    if own.backend not in document:
        document[own.backend] = tomlkit.table()
    table = document[own.backend]
    if _place(table.get("endpoint") or _packaged().get(own.backend, {}).get("endpoint", "")) != _place(own.endpoint):
        table = _without_settings(document, own.backend)
    values: dict[str, Any] = {
        "enabled": True,
        "endpoint": own.endpoint,
        "api_key": own.api_key,
        "sdk": own.sdk,
        "models": list(own.models),
        "is_default": own.is_default or None,
        "headers": _inline(own.headers) if own.headers else None,
        "ca_bundle": None if own.ca_bundle is None else _seen_from(folder, own.ca_bundle),
        "verify": None if own.verify else False,
        "token_parameter": own.token_parameter,
    }
    for key, value in values.items():
        if value is not None:
            table[key] = value


def _without_settings(document: Any, name: str) -> Any:
    """The table of a backend, after removing the keys that belong to its address."""
    import tomlkit
    from tomlkit.container import OutOfOrderTableProxy

    table = document[name]
    if isinstance(table, OutOfOrderTableProxy):  # its parts lie between other tables, and cannot be removed one by one
        kept = {key: table[key] for key in table if key in _OF_ANY_ADDRESS}
        del document[name]
        document[name] = tomlkit.table()
        document[name].update(kept)
        return document[name]
    for key in [key for key in table if key not in _OF_ANY_ADDRESS]:
        del table[key]
    return table


def _inline(values: Mapping[str, str]) -> Any:
    import tomlkit

    table = tomlkit.inline_table()
    for name, value in values.items():
        table[name] = value
    return table


def _seen_from(folder: Path, file: Path) -> str:
    """The path of a file: relative to the configuration folder within the same project, otherwise absolute."""
    place, project = file.absolute(), folder.absolute().parent.parent
    is_of_project = place.is_relative_to(project)
    return Path(os.path.relpath(place, folder.absolute())).as_posix() if is_of_project else str(place)
