"""The options of `pipelex worker`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.session import ServerOption


@dataclass(frozen=True)
class WorkerFlags:
    """The options of `pipelex worker`."""

    orchestrator: Annotated[
        str | None,
        typer.Option(
            "--orchestrator",
            metavar="NAME",
            help="The orchestrator whose runs it takes up: temporal, mistral-workflows, or another.",
        ),
    ] = None
    task_queue: Annotated[
        str | None, typer.Option("--task-queue", metavar="Q", help="The task queue to poll; as configured by default.")
    ] = None
    scope: Annotated[
        str | None,
        typer.Option(
            "--scope", metavar="S", help="The scope, which decides what the worker registers: full, router, runner, …"
        ),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="P", help="The tuning profile, from `[temporal.worker_runtime_profiles]`."),
    ] = None
    server: ServerOption = None
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Run workflows outside Temporal's sandbox, for debugging.")
    ] = False
    unit_testing: Annotated[
        bool, typer.Option("--unit-testing", help="Read the settings as with PIPELEX_ENV=unit_testing.")
    ] = False
    library: Annotated[
        list[Path] | None,
        typer.Option(
            "--library",
            metavar="DIR",
            help="A method folder whose functions and templates it may use; checked at start; repeatable.",
        ),
    ] = None
    ready_file: Annotated[
        Path | None,
        typer.Option(
            "--ready-file", metavar="FILE", help="A file that exists while the worker polls and the server answers."
        ),
    ] = None
    health_port: Annotated[
        int | None,
        typer.Option(
            "--health-port", metavar="PORT", help="The port that answers GET /healthz (alive) and /readyz (polls)."
        ),
    ] = None
    health_address: Annotated[
        str, typer.Option("--health-address", metavar="HOST", help="The address that the health port listens on.")
    ] = "0.0.0.0"
    metrics_address: Annotated[
        str | None,
        typer.Option(
            "--metrics-address", metavar="HOST:PORT", help="The address that serves GET /metrics for Prometheus."
        ),
    ] = None
