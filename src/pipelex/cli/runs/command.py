"""`pipelex runs`: the life of durable runs."""

from typing import Annotated, Literal

import typer

from pipelex.cli._shared.attributes import AttributeOption, TagOption, attributes_of
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.keys import ORCHESTRATOR_KEY
from pipelex.cli._shared.session import JsonFlag, ServerOption

_EXAMPLES = """\b
Examples:
  pipelex runs list --status failed
  pipelex runs list --attribute Customer=acme --tag nightly
  pipelex runs show run-20260131-094501-9f3c2a7b
  pipelex runs show run-20260131-094501-9f3c2a7b --failed
  pipelex runs watch run-20260131-094501-9f3c2a7b
  pipelex runs cancel run-20260131-094501-9f3c2a7b
  pipelex runs terminate run-20260131-094501-9f3c2a7b --reason "wrong inputs"
  pipelex runs result run-20260131-094501-9f3c2a7b --json > result.json
  pipelex runs retry run-20260131-094501-9f3c2a7b"""

app = command_app(no_args_is_help=True)

RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id.")]
Status = Literal["running", "completed", "failed", "cancelled", "terminated", "timed_out"]


@app.callback(epilog=_EXAMPLES)
def runs(
    ctx: typer.Context,
    orchestrator: Annotated[
        str | None,
        typer.Option(
            "--orchestrator",
            metavar="NAME",
            help="The orchestrator of the runs, instead of the configured one.",
        ),
    ] = None,
) -> None:
    """List, show, watch, cancel or retry durable runs, from any machine that reaches their server."""
    ctx.meta[ORCHESTRATOR_KEY] = orchestrator


@app.command(name="list", epilog=_EXAMPLES)
def list_runs(
    ctx: typer.Context,
    status: Annotated[Status | None, typer.Option("--status", help="Only runs in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The number of runs, newest first.")] = 20,
    attribute: AttributeOption = None,
    tag: TagOption = None,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """List runs, newest first."""
    from pipelex.cli.runs.actions import list_runs as work
    from pipelex.orchestration import RunFilter, RunState

    state = None if status is None else RunState(status.upper())
    wanted = RunFilter(state, limit, attributes_of(attribute or (), tag or ()))
    work(ctx, wanted, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def show(
    ctx: typer.Context,
    run_id: RunId,
    failed: Annotated[
        bool, typer.Option("--failed", help="Show only the pipes that did not succeed, and those above them.")
    ] = False,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Show a run as a tree of pipes, with every activity, its attempts, queue and time.

    Of many completed children, only some are shown; `--json` shows all.
    """
    from pipelex.cli.runs.actions import show_run

    show_run(ctx, run_id, only_failed=failed, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def watch(ctx: typer.Context, run_id: RunId, server: ServerOption = None, is_json: JsonFlag = False) -> None:
    """Follow a run to its end and print its result; Ctrl-C leaves the run alone."""
    from pipelex.cli.runs.actions import print_run_result

    print_run_result(ctx, run_id, server=server, is_json=is_json, wait=True)


@app.command(epilog=_EXAMPLES)
def result(
    ctx: typer.Context,
    run_id: RunId,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Whether to wait for a run that goes on.")] = True,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Print a run's main result."""
    from pipelex.cli.runs.actions import print_run_result

    print_run_result(ctx, run_id, server=server, is_json=is_json, wait=wait)


@app.command(epilog=_EXAMPLES)
def cancel(
    ctx: typer.Context,
    run_id: RunId,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Seconds to wait for its end; 0 does not wait.")
    ] = 20.0,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Ask a run to end, and report whether it did.

    Nothing new is started, and calls under way are cancelled.
    """
    from pipelex.cli.runs.actions import cancel_run

    cancel_run(ctx, run_id, wait, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def terminate(
    ctx: typer.Context,
    run_id: RunId,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="The reason that the Temporal UI shows.")
    ] = "pipelex runs terminate",
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """End a run at once, without cancelling its activities. Prefer `cancel`."""
    from pipelex.cli.runs.actions import terminate_run

    terminate_run(ctx, run_id, reason, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def retry(ctx: typer.Context, run_id: RunId, server: ServerOption = None, is_json: JsonFlag = False) -> None:
    """Run a failed, cancelled or terminated run again from where it failed, under the same id.

    The steps that the entry pipe had finished stay. The step that failed, and those after it, run again.
    """
    from pipelex.cli.runs.actions import retry_run

    retry_run(ctx, run_id, server=server, is_json=is_json)
