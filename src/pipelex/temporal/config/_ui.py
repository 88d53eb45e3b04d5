"""Finds Temporal's web UI without a setting: that of Temporal Cloud, or of the project's running development server."""

import json
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pipelex.config import Settings
from pipelex.config.own_files import OWN_FOLDER, write_own_text

CLOUD: Final = "https://cloud.temporal.io"
_CLOUD_HOSTS: Final = (".tmprl.cloud", ".api.temporal.io")
_NOTE: Final = "server.json"
_ADDRESSES: Final = ("localhost", "127.0.0.1", "[::1]")


def dev_folder(settings: Settings) -> Path:
    """The folder of the project's development server, which may not exist yet."""
    return (settings.project_dir or settings.base_dir / ".pipelex") / "dev"


def made_dev_folder(settings: Settings) -> Path:
    """The folder of the project's development server, made for its owner only and ignored by version control."""
    folder = dev_folder(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=OWN_FOLDER)
    folder.chmod(OWN_FOLDER)  # its database holds the inputs of runs, and an older folder may be open to others
    write_own_text(folder / ".gitignore", "*\n")
    return folder


@contextmanager
def noted_dev_server(settings: Settings, port: int, ui_port: int) -> Generator[None]:
    """Note the ports of a development server while it runs, so that the project's commands find its UI."""
    note = made_dev_folder(settings) / _NOTE
    write_own_text(note, json.dumps({"port": port, "ui_port": ui_port}))
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


def known_ui(settings: Settings, target_host: str) -> str | None:
    """The UI of Temporal Cloud or of the project's running development server; None for any other server."""
    host, _, port = target_host.rpartition(":")
    if host.endswith(_CLOUD_HOSTS):
        return CLOUD
    if host in _ADDRESSES and (ui_port := _noted_port(settings, port)) is not None:
        return f"http://localhost:{ui_port}"
    return None


def _noted_port(settings: Settings, port: str) -> int | None:
    """The noted UI port. Only a number is read, so that a project's file can lead to no other machine."""
    try:
        found: Any = json.loads((dev_folder(settings) / _NOTE).read_text(encoding="utf-8"))
        return int(found["ui_port"]) if str(found["port"]) == port else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
