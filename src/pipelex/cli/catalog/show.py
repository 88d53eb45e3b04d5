"""`pipelex show`."""

from typing import Annotated

import typer

from pipelex.cli._shared.console import out, paint_out, table, tell_out
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, open_local_app
from pipelex.cli.authoring.show import show_concept, show_pipe

_EXAMPLES = """\b
Examples:
  pipelex show backends
  pipelex show backends --all --json
  pipelex show models openai
  pipelex show models openai --flat
  pipelex show config --origin
  pipelex show pipe sum_up
  pipelex show pipe --all -L methods/ --json
  pipelex show concept legal.Contract"""

app = command_app(no_args_is_help=True)
app.command(name="pipe", epilog=_EXAMPLES)(show_pipe)
app.command(name="concept", epilog=_EXAMPLES)(show_concept)


@app.callback(epilog=_EXAMPLES)
def show() -> None:
    """Show pipes, concepts, backends, models and settings."""


@app.command(epilog=_EXAMPLES)
def backends(
    ctx: typer.Context,
    all_backends: Annotated[bool, typer.Option("--all", "-a", help="List those that are switched off, too.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """List the backends that serve models, and the environment variables they lack."""
    from pipelex.cli.setup.model_checks import origin_of

    catalog = open_local_app(ctx).deck.catalog
    found = [backend for backend in catalog.backends.values() if all_backends or backend.table.enabled]
    if is_json:
        from pipelex.cli._shared.results import print_json

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
                        "origin": origin_of(backend),
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
            else f"needs {' and '.join(backend.lacks)}",
            origin_of(backend),
        ]
        for backend in found
    ]
    out(table(rows, ["backend", "name", "models", "status", "origin"], paint_out(), right=(2,)))
    tell_out(f"\nRouting profile: {catalog.profile_name}")


@app.command(epilog=_EXAMPLES)
def config(
    ctx: typer.Context,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """Show settings like `pipelex config show`."""
    from pipelex.cli.setup.config import show as show_config

    show_config(ctx, prefix="", origin=origin, server=None, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def models(
    ctx: typer.Context,
    backend: Annotated[str, typer.Argument(metavar="BACKEND", help="Id of a backend: see `pipelex show backends`.")],
    flat: Annotated[bool, typer.Option("--flat", help="Print only the handles, one per line.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """List the models that a backend serves, whether or not its credentials are there."""
    from pipelex.errors import ConfigurationError, near_names

    backends = open_local_app(ctx).deck.catalog.backends
    if backend not in backends:
        near = near_names(backend, backends)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ConfigurationError(f"no backend is called {backend!r}{hint}", advice="See: pipelex show backends --all")
    entries = [entry for entry in backends[backend].models if entry.table.enabled]
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json(
            {
                "backend": backend,
                "models": [
                    {
                        "handle": entry.handle,
                        "type": entry.table.model_type,
                        "model_id": entry.model_id,
                        "sdk": entry.table.sdk,
                        "inputs": list(entry.table.inputs),
                        "outputs": list(entry.table.outputs),
                    }
                    for entry in entries
                ],
            }
        )
        return
    if flat:
        for handle in dict.fromkeys(entry.handle for entry in entries):
            out(handle)
        return
    rows = [
        [entry.handle, entry.table.model_type, entry.model_id, entry.table.sdk or "", ", ".join(entry.table.inputs)]
        for entry in entries
    ]
    out(table(rows, ["handle", "type", "model id", "sdk", "inputs"], paint_out()))
