"""One stored file, written to disk or to standard output."""

import asyncio
import sys
from pathlib import Path
from typing import Final

import typer

from pipelex.cli._shared.console import out
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.results import print_json
from pipelex.cli._shared.session import settings_for
from pipelex.cli.run.files import writing
from pipelex.errors import InputError
from pipelex.orchestration.wiring import storage_of
from pipelex.storage import default_name

_ADVICE: Final = "Give an address as a result has it, pipelex-storage://…, where [runtime.storage] is that of the run or of its worker."


def get_file(ctx: typer.Context, address: str, output: Path | None, *, is_json: bool) -> None:
    """Fetch a file.

    Raises:
        PipelexError: the address is not valid, the storage does not have the file, or the file cannot be written.
    """
    if is_json and output == Path("-"):
        raise Misuse("--json and --output - both want standard output: give one of them")
    storage = storage_of(settings_for(ctx, connects=True))
    try:
        name, data = default_name(address), asyncio.run(storage.get(address))
    except InputError as wrong:
        raise wrong.with_report(advice=_ADVICE) from None
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
    """The path to write to. An existing file of that name is replaced."""
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output
