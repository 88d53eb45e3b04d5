"""`pipelex setup-temporal-namespace`."""

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.console import out, paint_out, say, tell_out
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag, ServerOption, open_app
from pipelex.cli._shared.streams import is_terminal

if TYPE_CHECKING:
    from pipelex.runner import Pipelex
    from pipelex.temporal.client.namespace import NamespaceState
    from pipelex.temporal.config import ConnectionSettings

_EXAMPLES = """\b
Examples:
  pipelex setup-temporal-namespace
  pipelex setup-temporal-namespace --create --retention-days 30
  pipelex setup-temporal-namespace --server cloud --dry-run"""

app = command_app()


@app.command(epilog=_EXAMPLES)
def setup_temporal_namespace(
    ctx: typer.Context,
    server: ServerOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what is missing.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Create the namespace if it is missing.")] = False,
    retention_days: Annotated[
        int, typer.Option("--retention-days", min=1, help="How long a namespace that is created keeps closed runs.")
    ] = 30,
    is_json: JsonFlag = False,
) -> None:
    """Register the search attributes that runs carry, where the namespace lacks them. Safe to repeat.

    On a terminal, it offers to create a namespace that is missing. Without the permission to do so, it prints the commands for an administrator and ends with a status other than 0.
    """
    from pipelex.temporal.factory import FACTORY

    app_ = open_app(ctx, server=server, orchestrator="temporal", connects=True)
    FACTORY.require()
    asks = not (create or dry_run or is_json) and is_terminal(sys.stdin) and is_terminal(sys.stderr)
    creates = create or (asks and _wants_namespace(app_, retention_days))
    state = asyncio.run(_set_up(app_, dry_run=dry_run, create=timedelta(days=retention_days) if creates else None))
    if is_json:
        from pipelex.cli._shared.results import print_json

        print_json(
            {"namespace": state.namespace, "missing": list(state.missing), "registered": not dry_run and state.is_known}
        )
        return
    if not state.missing:
        tell_out(
            f"{paint_out()('✓', 'green', 'bold')} namespace '{state.namespace}' has every configured search attribute"
        )
    elif dry_run:
        tell_out(f"Namespace '{state.namespace}' lacks: {', '.join(state.missing)}")
        tell_out("Register them with one of:")
        out("\n".join(state.setup_commands()))
    else:
        names = ", ".join(state.missing)
        tell_out(f"{paint_out()('✓', 'green', 'bold')} registered in namespace '{state.namespace}': {names}")


def _wants_namespace(app: "Pipelex", retention_days: int) -> bool:
    """Ask whether to create the namespace, if it is missing. The question is outside of the loop, which holds Ctrl-C back."""
    from pipelex.temporal.config import connection
    from pipelex.temporal.factory import FACTORY

    target = connection(FACTORY.config_of(app.settings), app.settings)
    if not asyncio.run(_is_missing(target)):
        return False
    say(f"Temporal at {target.target_host} has no namespace '{target.namespace}'.")
    days = f"{retention_days} day{'' if retention_days == 1 else 's'}"
    return typer.confirm(f"Create it? It will keep closed runs for {days}.", err=True)


async def _is_missing(target: "ConnectionSettings") -> bool:
    from pipelex.temporal.client import namespace
    from pipelex.temporal.client.connect import connect

    return await namespace.is_missing(await connect(target, checks=False))


async def _set_up(app: "Pipelex", *, dry_run: bool, create: timedelta | None) -> "NamespaceState":
    from pipelex.errors import ErrorCategory, PipelexError
    from pipelex.temporal.client import namespace
    from pipelex.temporal.client.attributes import wanted_types
    from pipelex.temporal.client.connect import connect
    from pipelex.temporal.config import connection
    from pipelex.temporal.factory import FACTORY

    config = FACTORY.config_of(app.settings)
    target = connection(config, app.settings)
    if create is not None and not dry_run and await namespace.create(await connect(target, checks=False), create):
        say(f"Made namespace '{target.namespace}', which keeps closed runs for {create.days} days.")
    client = await connect(target)
    state = await namespace.inspect(client, config)
    if not state.is_known:
        raise PipelexError(
            "runtime.unavailable",
            f"the search attributes of namespace '{state.namespace}' cannot be read: {state.problem}",
            category=ErrorCategory.CONFIGURATION,
            params={"dependency": "temporal"},
            advice="\n".join(
                [
                    "Have an administrator run one of:",
                    *state.setup_commands(list(wanted_types(config))),
                ]
            ),
        )
    if not dry_run:
        await namespace.register(client, state)
    return state
