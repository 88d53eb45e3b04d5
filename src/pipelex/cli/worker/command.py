"""`pipelex worker`."""

import typer

from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import command_app
from pipelex.cli.worker.flags import WorkerFlags

_EXAMPLES = """\b
Examples:
  pipelex worker
  pipelex worker --task-queue openai_q --scope runner-llm
  pipelex worker --orchestrator mistral-workflows
  pipelex worker --scope router --profile big --server cloud --ready-file /tmp/ready --health-port 8080"""
app = command_app()


@app.command(epilog=_EXAMPLES)
@with_flags(WorkerFlags)
def worker(ctx: typer.Context, flags: WorkerFlags) -> None:
    """Run a worker until SIGTERM or SIGINT; then it finishes its tasks within the grace period.

    A second signal ends it at once.
    """
    from pipelex.cli.worker.serving import run_worker

    run_worker(ctx, flags)
