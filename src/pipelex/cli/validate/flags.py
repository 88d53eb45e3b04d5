"""The options of `pipelex validate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.session import JsonFlag


@dataclass(frozen=True)
class ValidateFlags:
    """The options of every form of `pipelex validate`."""

    library_dir: Annotated[
        list[Path] | None,
        typer.Option("--library-dir", "-L", metavar="DIR", help="Another folder of bundles; repeatable."),
    ] = None
    allow_signatures: Annotated[
        bool, typer.Option("--allow-signatures", help="Accept pipes that are declared but not written yet.")
    ] = False
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run/--no-dry-run", help="Also run every pipe on made-up values, without a model."),
    ] = True
    json: JsonFlag = False
