"""`pipelex temporal`."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pipelex.cli._shared.console import paint_out, table, tell_out
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, ServerOption, open_app
from pipelex.errors import PipelexError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelex.durable.dispatch import Dispatch
    from pipelex.runner import Pipelex
    from pipelex.temporal.config import TemporalConfig

_EXAMPLES = """\b
Examples:
  pipelex temporal routes
  pipelex temporal routes --activity act_llm_gen_text --handle claude-sonnet
  pipelex temporal routes --activity act_llm_gen_text --backend anthropic --json
  pipelex temporal codec-server --allow-origin https://cloud.temporal.io"""

app = command_app(no_args_is_help=True)

UI_ORIGINS: Final = ("http://localhost:8233", "http://127.0.0.1:8233")
"""The default addresses of the development server's UI."""


@app.callback(epilog=_EXAMPLES)
def temporal() -> None:
    """Show how activities are routed, and decode payloads."""


@app.command(epilog=_EXAMPLES)
def routes(
    ctx: typer.Context,
    activity: Annotated[str | None, typer.Option("--activity", metavar="A", help="Only this activity.")] = None,
    handle: Annotated[
        str | None, typer.Option("--handle", metavar="H", help="The model or the function that routes it.")
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend", metavar="B", help="The backend that serves the model; by default the model deck's choice."
        ),
    ] = None,
    is_json: JsonFlag = False,
) -> None:
    """Show the queue, time limits and retries of activities, and which setting decides each; nothing is run."""
    from pipelex.cli._shared.results import print_json
    from pipelex.durable.dispatch import resolve_dispatch
    from pipelex.temporal.factory import FACTORY

    app_ = open_app(ctx, orchestrator="temporal")
    config = FACTORY.config_of(app_.settings)
    found: list[tuple[str | None, Dispatch]] = []
    for name, key, through in _questions(app_, config, activity, handle, backend):
        found.append((through, resolve_dispatch(config.routing, activity=name, handle=key, backend=through)))
    if is_json:
        print_json({"routes": [_to_json(dispatch, through) for through, dispatch in found]})
    elif activity is not None and (handle is not None or backend is not None):
        tell_out(_details(*found[0]))
    else:
        tell_out(_overview(found))


@app.command("codec-server", epilog=_EXAMPLES)
def codec_server(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", metavar="H", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="The port to listen on; 0 picks a free one.")
    ] = 8081,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin", metavar="URL", help="A UI that may ask, besides the development server's on port 8233."
        ),
    ] = None,
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Accept other machines, too. Anybody who can reach it can read payloads."),
    ] = False,
    server: ServerOption = None,
) -> None:
    """Decode encrypted, compressed and stored payloads for the Temporal UI and the `temporal` command, until Ctrl-C."""
    from pipelex.cli.temporal.codec_server import run_codec_server

    app_ = open_app(ctx, server=server, orchestrator="temporal", connects=True)
    run_codec_server(app_, host, port, (*(allow_origin or ()), *UI_ORIGINS), allow_remote=allow_remote)


def _questions(
    app_: "Pipelex", config: "TemporalConfig", activity: str | None, handle: str | None, backend: str | None
) -> "Iterator[tuple[str, str | None, str | None]]":
    """The activity, the routing key and the backend of every row."""
    from pipelex.temporal.config.catalog import ACTIVITIES

    for name in ACTIVITIES if activity is None else (activity,):
        if handle is not None or backend is not None:
            facts = ACTIVITIES.get(name)
            is_routed = facts is not None and facts.routing_key is not None
            yield name, handle if is_routed else None, _backend(app_, name, handle, backend) if is_routed else None
            continue
        yield name, None, None
        facts = ACTIVITIES.get(name)
        tables = [
            config.activity_queues[key]
            for key in (name, facts.group if facts else None)
            if key in config.activity_queues
        ]
        handles = dict.fromkeys(key for found in tables for key in (*found.by_handle, *found.handle_options))
        for key in handles:
            yield name, key, _backend(app_, name, key, None)
        for through in dict.fromkeys(key for found in tables for key in found.by_backend):
            yield name, None, through


def _backend(app_: "Pipelex", activity: str, handle: str | None, backend: str | None) -> str | None:
    """The backend that the model deck would choose for a handle; None if it does not know the handle."""
    from pipelex.temporal.config.catalog import ACTIVITIES

    key = ACTIVITIES[activity].routing_key if activity in ACTIVITIES else None
    if backend is not None or handle is None or key is None or key == "function":
        return backend
    from pipelex.pipes.models import ModelChoice

    try:
        return app_.inference.resolve(ModelChoice(family=key, choice=handle)).backend
    except PipelexError:  # a handle that only the decks of other workers have
        return None


def _overview(found: "list[tuple[str | None, Dispatch]]") -> str:
    from pipelex.durable.dispatch.options import HEARTBEAT, MAXIMUM_ATTEMPTS, START_TO_CLOSE

    rows = [
        [
            dispatch.activity,
            dispatch.handle or ("-" if through is None else f"({through})"),
            dispatch.queue or "(the workflow's)",
            dispatch.shown(START_TO_CLOSE),
            dispatch.shown(HEARTBEAT),
            dispatch.shown(MAXIMUM_ATTEMPTS),
            dispatch.origins["queue"],
        ]
        for through, dispatch in found
    ]
    headings = ["activity", "key", "queue", "start to close", "heartbeat", "attempts", "queue decided by"]
    return table(rows, headings, paint_out())


def _details(through: str | None, dispatch: "Dispatch") -> str:
    from pipelex.durable.dispatch import OPTIONS

    rows = [["queue", dispatch.queue or "(the workflow's)", dispatch.origins["queue"]]]
    rows += [[option.name, dispatch.shown(option), dispatch.origins[option.name]] for option in OPTIONS]
    head = f"{dispatch.activity}  key {dispatch.handle or '-'}  backend {through or '-'}"
    return f"{head}\n\n{table(rows, ['', 'value', 'decided by'], paint_out())}"


def _to_json(dispatch: "Dispatch", through: str | None) -> dict[str, Any]:
    from pipelex.durable.dispatch import OPTIONS

    found: dict[str, Any] = {"activity": dispatch.activity}
    if dispatch.handle is not None:
        found["handle"] = dispatch.handle
    if through is not None:
        found["backend"] = through
    found["queue"] = dispatch.queue
    for option in OPTIONS:
        found[option.name] = list(dispatch[option]) if option.adds else dispatch.shown(option)
    found["origins"] = dict(dispatch.origins)
    return found
