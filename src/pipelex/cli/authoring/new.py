"""`pipelex new`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.console import out, paint_out, say, table, tell_out
from pipelex.cli._shared.group import Misuse, command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.cli._shared.targets import BUNDLE_SUFFIXES

_EXAMPLES = """\b
Examples:
  pipelex new my_method
  pipelex new invoices --from invoice
  pipelex new --list"""

_USUAL = "summary"
"""The example that is copied if none is named."""

app = command_app()


@app.command(epilog=_EXAMPLES)
def new(
    folder: Annotated[
        Path | None, typer.Argument(metavar="NAME", help="The method's name; a folder of that name is made.")
    ] = None,
    source: Annotated[str, typer.Option("--from", metavar="EXAMPLE", help="The example to start from.")] = _USUAL,
    list_: Annotated[bool, typer.Option("--list", help="List the examples.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """Write a small working method with its inputs, from an example that comes with Pipelex."""
    if list_ == (folder is not None):
        raise Misuse("name the method to write, or give --list")
    if folder is None:
        _print_examples(is_json=is_json)
    else:
        _write(folder, source, is_json=is_json)


def _print_examples(*, is_json: bool) -> None:
    from pipelex.tooling.examples import examples

    found = examples()
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json({"examples": [{"name": each.name, "description": each.description} for each in found]})
        return
    out(table([[each.name, each.description] for each in found], ["example", "what it does"], paint_out()))


def _write(folder: Path, source: str, *, is_json: bool) -> None:
    from pipelex.tooling.examples import example

    if folder.suffix in BUNDLE_SUFFIXES:
        meant = shlex.join(
            ["pipelex", "new", str(folder.with_suffix("")), *(["--from", source] if source != _USUAL else [])]
        )
        raise Misuse(f"'{folder}' names a bundle, and a folder is made with a bundle in it. Type: {meant}")
    chosen = example(source)
    try:
        written = chosen.copy_to(folder)
    except FileExistsError:
        raise Misuse(f"'{folder}' already exists; choose another name") from None
    except OSError as wrong:
        raise Misuse(f"'{folder}' cannot be written: {wrong.strerror}") from None
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json({"folder": str(folder), "files": [str(path) for path in written]})
        return
    for path in written:
        tell_out(f"{paint_out()('wrote', 'green')} {path}")
    say(
        f"\n{chosen.description}. Its inputs are in {folder / 'inputs.toml'}. Run it with:\n\n  pipelex run {shlex.quote(str(folder))}"
    )
