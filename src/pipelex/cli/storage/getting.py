"""One stored file, written to disk or to standard output."""

import asyncio
import sys
from pathlib import Path

import typer

from pipelex.cli._shared.console import out
from pipelex.cli._shared.results import print_json
from pipelex.cli._shared.session import settings_for
from pipelex.cli.run.files import writing
from pipelex.orchestration.wiring import storage_of
from pipelex.storage import default_name


def get_file(ctx: typer.Context, address: str, output: Path | None, *, is_json: bool) -> None:
    """Fetch a file.

    Raises:
        PipelexError: the address is none, the storage does not have the file, or it cannot be written.
    """
    name = default_name(address)
    storage = storage_of(settings_for(ctx, connects=True))
    data = asyncio.run(storage.get(address))
    if output == Path("-"):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with writing():
        path = _place(output, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if is_json:
        print_json({"path": str(path), "mime_type": storage.mime_type(address), "size": len(data)})
    else:
        out(str(path))


def _place(output: Path | None, name: str) -> Path:
    """Where the file goes; one that is named is replaced, as by any tool that is told a file's name."""
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output
