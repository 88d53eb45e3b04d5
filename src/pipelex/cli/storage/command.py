"""`pipelex storage`: files that runs read and made."""

from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag

_EXAMPLES = """\b
Examples:
  pipelex storage get pipelex-storage://5e1f….pdf
  pipelex storage get pipelex-storage://5e1f….pdf -o invoice.pdf
  pipelex storage get pipelex-storage://5e1f….csv -o - | head"""

app = command_app(no_args_is_help=True)


@app.callback(epilog=_EXAMPLES)
def storage() -> None:
    """Fetch files that runs read and made, by the addresses in their results."""


@app.command(epilog=_EXAMPLES)
def get(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The file's address: pipelex-storage://….")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The file to write, or a folder for it; - is standard output. Here, when left out.",
        ),
    ] = None,
    is_json: JsonFlag = False,
) -> None:
    """Fetch one stored file, and print where it is."""
    from pipelex.cli.storage.getting import get_file

    get_file(ctx, address, output, is_json=is_json)
