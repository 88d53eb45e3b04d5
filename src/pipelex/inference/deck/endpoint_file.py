"""Writing an endpoint of the user's own into `backends.toml`, comments and other tables kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelex.config.trust import is_recorded, trust_files
from pipelex.errors import ConfigurationError, Location


@dataclass(frozen=True)
class OwnEndpoint:
    """An endpoint that speaks OpenAI's protocol, or that of `sdk`."""

    endpoint: str
    models: Sequence[str]
    """The models it serves; the first one stands for every standard name."""
    api_key: str | None = field(default=None, repr=False)
    """The key, usually `"${NAME}"`; None for an endpoint without one."""
    name: str | None = None
    """The backend's id; made of the host when None."""
    sdk: str | None = None
    is_default: bool = True
    """Whether it stands for every standard name, whatever other keys there are."""

    @property
    def backend(self) -> str:
        """The id of its table."""
        host = urlsplit(self.endpoint).hostname or "mine"
        local = host in ("localhost", "127.0.0.1", "::1")
        made = "local_server" if local else "".join(char if char.isalnum() else "_" for char in host)
        return self.name or made


def write_endpoint(folder: Path, own: OwnEndpoint, home_dir: Path) -> Path:
    """Write an endpoint into `inference/backends.toml` of a configuration folder.

    A table of that name is changed, key by key. A file that is new, or was trusted as it was, is trusted as written.

    Args:
        folder: the project's `.pipelex`, or the user's.
        own: the endpoint.
        home_dir: the user's folder, which keeps what is trusted.

    Returns:
        The file.

    Raises:
        ConfigurationError: the file is not TOML, or cannot be read or written.
    """
    import tomlkit
    from tomlkit.exceptions import ParseError

    file = folder / "inference" / "backends.toml"
    try:
        before = file.read_text(encoding="utf-8") if file.exists() else None
        document = tomlkit.parse(before or "")
        _fill(document, own)
        was_trusted = before is None or is_recorded(home_dir, file, before)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(tomlkit.dumps(document), encoding="utf-8")
    except (OSError, ParseError) as error:
        raise ConfigurationError(f"{file} cannot be changed: {error}", location=Location(file=str(file))) from None
    if was_trusted:
        trust_files(home_dir, [file])
    return file


def _fill(document: Any, own: OwnEndpoint) -> None:
    import tomlkit

    if own.is_default:
        for name in list(document):
            if "is_default" in document[name]:
                del document[name]["is_default"]
    if own.backend not in document:
        document[own.backend] = tomlkit.table()
    table = document[own.backend]
    values: dict[str, Any] = {
        "enabled": True,
        "endpoint": own.endpoint,
        "api_key": own.api_key,
        "sdk": own.sdk,
        "models": list(own.models),
        "is_default": own.is_default or None,
    }
    for key, value in values.items():
        if value is not None:
            table[key] = value
