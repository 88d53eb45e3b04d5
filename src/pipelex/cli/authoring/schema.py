"""`pipelex schema`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.console import out
from pipelex.cli._shared.group import Misuse, command_app

_EXAMPLES = """\b
Examples:
  pipelex schema > mthds.schema.json
  pipelex schema -o my_method/.mthds.schema.json"""

app = command_app()


@app.command(epilog=_EXAMPLES)
def schema(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it into a file instead.")
    ] = None,
) -> None:
    """Print the JSON Schema of a bundle, for editors and other validators.

    A first line `#:schema ./.mthds.schema.json` in a bundle names it to Even Better TOML and Taplo.
    """
    from pipelex.language.schema import bundle_schema

    text = json.dumps(bundle_schema(), indent=2, ensure_ascii=False)
    if output is None:
        out(text)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as wrong:
        raise Misuse(f"'{output}' cannot be written: {wrong.strerror}") from None
    out(str(output))
