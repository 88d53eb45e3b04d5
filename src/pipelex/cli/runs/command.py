"""`pipelex runs`: the life of runs, whatever runs them."""

from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import Misuse, command_app
from pipelex.cli._shared.keys import ORCHESTRATOR_KEY
from pipelex.cli._shared.session import JsonFlag, ServerOption
from pipelex.cli.runs.flags import FromOption, ListFlags, ReplayFlags, RetryFlags

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
  pipelex runs result run-20260131-094501-9f3c2a7b --output-dir results
  pipelex runs retry run-20260131-094501-9f3c2a7b
  pipelex runs retry --status failed --since 1h
  pipelex runs replay run-20260131-094501-9f3c2a7b --set 'pipe.summarize.prompt=Sum up @text in one line.'
  pipelex runs diff run-20260131-094501-9f3c2a7b run-20260131-101500-1b2c3d4e"""

app = command_app(no_args_is_help=True)

RunId = Annotated[
    str, typer.Argument(metavar="ID", help="The run's id, or as much of its beginning as no other run has.")
]


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
@with_flags(ListFlags)
def list_runs(ctx: typer.Context, flags: ListFlags) -> None:
    """List runs, newest first: those of this machine's processes, and durable ones."""
    from pipelex.cli.runs.actions import list_runs as work

    work(ctx, flags.wanted(flags.limit, flags.cost_above), server=flags.server, is_json=flags.json)


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
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Whether to wait for a run that is still running.")
    ] = True,
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            "-o",
            metavar="DIR",
            help="Write the result and its files into a new folder below this one, and print the folder.",
        ),
    ] = None,
    server: ServerOption = None,
    is_json: JsonFlag = False,
) -> None:
    """Print a run's main result, or write it with the files that the run made."""
    from pipelex.cli.runs.actions import print_run_result

    print_run_result(ctx, run_id, server=server, is_json=is_json, wait=wait, output_dir=output_dir)


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
@with_flags(RetryFlags)
def retry(
    ctx: typer.Context,
    flags: RetryFlags,
    run_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The run's id, or its beginning; without one, the filters choose runs."),
    ] = None,
    start_over: FromOption = None,
) -> None:
    """Have an unsuccessful run go on from where it failed, under the same id; or every one that the filters find.

    What was paid for is not paid for again: of a batch, the failed items alone are run. A run of this machine goes on in
    this process, and its result is printed.
    """
    from pipelex.cli.runs.retrying import is_retryable, retry_many, retry_run

    if run_id is not None:
        if flags.is_filter:
            raise Misuse("name a run, or choose runs with filters such as --status, not both")
        retry_run(ctx, run_id, start_over, server=flags.server, is_json=flags.json)
        return
    wanted = flags.wanted(flags.limit)
    if not is_retryable(wanted.state):
        raise Misuse("name a run, or say which ones: --status failed, cancelled, terminated or timed_out")
    retry_many(ctx, wanted, start_over, server=flags.server, is_json=flags.json)


@app.command(epilog=_EXAMPLES)
@with_flags(ReplayFlags)
def replay(ctx: typer.Context, run_id: RunId, flags: ReplayFlags) -> None:
    """Run a run again with an edit, as a new run that takes every result which the edit does not touch.

    It says before it starts what it reuses and what it will pay for. The old run stays as it is.
    """
    from pipelex.cli.runs.replaying import replay_run

    replay_run(ctx, run_id, flags)


@app.command(name="open", epilog=_EXAMPLES)
def open_page(
    ctx: typer.Context,
    run_id: RunId,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether to show it; its path is printed in any case.")
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The file to write; by default, one in your own folder of pages."
        ),
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
