"""`pipelex show`."""

from typing import Annotated

import typer

from pipelex.cli._console import out, paint_out, table
from pipelex.cli._group import command_app
from pipelex.cli._session import JsonFlag, open_app
from pipelex.cli.authoring.show import show_concept, show_pipe

_EXAMPLES = """\b
Examples:
  pipelex show backends
  pipelex show backends --all --json"""

app = command_app(no_args_is_help=True)
app.command(name="pipe")(show_pipe)
app.command(name="concept")(show_concept)


@app.callback(epilog=_EXAMPLES)
def show() -> None:
    """Show what is configured."""


@app.command(epilog=_EXAMPLES)
def backends(
    ctx: typer.Context,
    all_backends: Annotated[bool, typer.Option("--all", "-a", help="Also those that are off.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """List the backends that serve models, and the environment variables they lack."""
    catalog = open_app(ctx, orchestrator="direct").inference.deck.catalog
    found = [backend for backend in catalog.backends.values() if all_backends or backend.table.enabled]
    if is_json:
        from pipelex.cli._result_view import print_json

        print_json(
            {
                "routing_profile": catalog.profile_name,
                "backends": [
                    {
                        "name": backend.id,
                        "display_name": backend.table.display_name or backend.id,
                        "enabled": backend.table.enabled,
                        "ready": backend.is_ready,
                        "missing": list(backend.missing),
                        "models": len(backend.models),
                    }
                    for backend in found
                ],
            }
        )
        return
    rows = [
        [
            backend.id,
            backend.table.display_name or "",
            str(len(backend.models)),
            "ready"
            if backend.is_ready
            else "off"
            if not backend.table.enabled
            else f"needs {', '.join(backend.missing)}",
        ]
        for backend in found
    ]
    out(table(rows, ["backend", "name", "models", "status"], paint_out(), right=(2,)))
    out(f"\nRouting profile: {catalog.profile_name}")


@app.command(epilog=_EXAMPLES)
def config(
    ctx: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """As `pipelex config show`."""
    from pipelex.cli.config import show as show_config

    show_config(ctx, prefix="", origin=origin, server=None, is_json=is_json)
