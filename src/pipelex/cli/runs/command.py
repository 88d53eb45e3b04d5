"""`pipelex runs`: the life of runs, whatever runs them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelex.cli._shared.attributes import AttributeOption, TagOption, attributes_of
from pipelex.cli._shared.group import Misuse, command_app
from pipelex.cli._shared.keys import ORCHESTRATOR_KEY
from pipelex.cli._shared.session import JsonFlag, ServerOption

if TYPE_CHECKING:
    from pipelex.orchestration import RunFilter

_EXAMPLES = """\b
Examples:
  pipelex runs list --status failed --since 1d
  pipelex runs list --pipe summarize --cost-above 0.50
  pipelex runs list --attribute Customer=acme --tag nightly
  pipelex runs show run-2026
  pipelex runs show run-20260131-094501-9f3c2a7b --failed
  pipelex runs open run-20260131-094501-9f3c2a7b
  pipelex runs watch run-20260131-094501-9f3c2a7b
  pipelex runs cancel run-20260131-094501-9f3c2a7b
  pipelex runs terminate run-20260131-094501-9f3c2a7b --reason "wrong inputs"
  pipelex runs result run-20260131-094501-9f3c2a7b --json > result.json
  pipelex runs retry run-20260131-094501-9f3c2a7b
  pipelex runs retry --status failed --since 1h
  pipelex runs replay run-20260131-094501-9f3c2a7b --set 'pipe.summarize.prompt=Sum up @text in one line.'
  pipelex runs diff run-20260131-094501-9f3c2a7b run-20260131-101500-1b2c3d4e"""

app = command_app(no_args_is_help=True)

RunId = Annotated[
    str, typer.Argument(metavar="ID", help="The run's id, or as much of its beginning as no other run has.")
]
Status = Literal["running", "completed", "failed", "cancelled", "terminated", "timed_out"]
StatusOption = Annotated[Status | None, typer.Option("--status", help="Only runs in this state.")]
PipeOption = Annotated[
    str | None, typer.Option("--pipe", metavar="PIPE", help="Only runs of this entry pipe, by its code or reference.")
]
DomainOption = Annotated[
    str | None, typer.Option("--domain", metavar="DOMAIN", help="Only runs whose entry pipe is of this domain.")
]
UserOption = Annotated[str | None, typer.Option("--user", metavar="USER", help="Only runs that this user started.")]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TIME", help="Only runs that were started since: 30m, 2h or 1d ago, or a date or time."
    ),
]
CostOption = Annotated[
    float | None, typer.Option("--cost-above", metavar="USD", min=0, help="Only runs that cost at least this.")
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="PIPE", help="The pipe to go on from: it runs anew, with all that followed it."),
]


def _wanted(
    status: Status | None,
    limit: int,
    attribute: list[str] | None,
    tag: list[str] | None,
    pipe: str | None,
    domain: str | None,
    user: str | None,
    since: str | None,
    cost_above: float | None,
) -> "RunFilter":
    from pipelex.cli._shared.moments import moment_of
    from pipelex.orchestration import RunFilter, RunState

    return RunFilter(
        None if status is None else RunState(status.upper()),
        limit,
        attributes_of(attribute or (), tag or ()),
        pipe,
        domain,
        user,
        None if since is None else moment_of(since, "--since"),
        cost_above,
    )


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
    """List, show, open, compare, retry or replay runs: those of this machine's processes, and durable ones from anywhere."""
    ctx.meta[ORCHESTRATOR_KEY] = orchestrator


@app.command(name="list", epilog=_EXAMPLES)
def list_runs(
    ctx: typer.Context,
    status: StatusOption = None,
    pipe: PipeOption = None,
    domain: DomainOption = None,
    user: UserOption = None,
    attribute: AttributeOption = None,
    tag: TagOption = None,
    since: SinceOption = None,
    cost_above: CostOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The number of runs, newest first.")] = 20,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """List runs, newest first: those of this machine's processes, and durable ones."""
    from pipelex.cli.runs.actions import list_runs as work

    wanted = _wanted(status, limit, attribute, tag, pipe, domain, user, since, cost_above)
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
def retry(
    ctx: typer.Context,
    run_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The run's id, or its beginning; without one, the filters choose runs."),
    ] = None,
    start_over: FromOption = None,
    status: StatusOption = None,
    pipe: PipeOption = None,
    domain: DomainOption = None,
    user: UserOption = None,
    attribute: AttributeOption = None,
    tag: TagOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The number of runs, newest first.")] = 1000,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Have an unsuccessful run go on from where it failed, under the same id; or every one that the filters find.

    What was paid for is not paid for again: of a batch, the failed items alone are run. A run of this machine goes on in
    this process, and its result is printed.
    """
    from pipelex.cli.runs.retrying import is_retryable, retry_many, retry_run

    if run_id is not None:
        retry_run(ctx, run_id, start_over, server=server, is_json=is_json)
        return
    wanted = _wanted(status, limit, attribute, tag, pipe, domain, user, since, None)
    if not is_retryable(wanted.state):
        raise Misuse("name a run, or say which ones: --status failed, cancelled, terminated or timed_out")
    retry_many(ctx, wanted, start_over, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def replay(
    ctx: typer.Context,
    run_id: RunId,
    start_over: FromOption = None,
    members: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="pipe.CODE.MEMBER=VALUE", help="A member of a pipe; =@FILE for a file's text. Repeatable."
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="PATH", help="A bundle or folder in place of the method that ran."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="An input in place of the run's. Repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="MODEL", help="The language model that every pipe asks.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be reused, and what paid for.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Durable runs: start, print the new run's id, leave.")
    ] = False,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Run a run again with an edit, as a new run that takes every result which the edit does not touch.

    It says before it starts what it reuses and what it will pay for. The old run stays as it is.
    """
    from pipelex.cli.runs.replaying import ReplayFlags, replay_run

    flags = ReplayFlags(start_over, members or (), bundle, inputs or (), model, dry_run, yes, detach, server, is_json)
    replay_run(ctx, run_id, flags)


@app.command(name="open", epilog=_EXAMPLES)
def open_page(
    ctx: typer.Context,
    run_id: RunId,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to show it; its path is printed in any case.")
    ] = True,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where the page goes; a folder of the user's.")
    ] = None,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Show the page of a run: graph, timeline, inputs, outputs, prompts and costs, in one file that fetches nothing."""
    from pipelex.cli.runs.opening import open_run

    open_run(ctx, run_id, output=output, browser=browser and not is_json, server=server, is_json=is_json)


@app.command(epilog=_EXAMPLES)
def diff(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A run's id, or its beginning.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The other run's.")],
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Compare two runs: what they gave, cost and time of each pipe, and what of the method differs."""
    from pipelex.cli.runs.comparing import diff_runs

    diff_runs(ctx, first, second, server=server, is_json=is_json)
