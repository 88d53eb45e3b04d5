"""The options of `pipelex worker`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.session import ServerOption

EVERYWHERE: Final = "0.0.0.0"
"""The default address that the health port listens on: all interfaces."""

_LAST_PORT: Final = 65_535


@dataclass(frozen=True)
class WorkerFlags:
    """The options of `pipelex worker`."""

    orchestrator: Annotated[
        str | None,
        typer.Option(
            "--orchestrator",
            metavar="NAME",
            help="The orchestrator whose runs it executes: temporal, mistral-workflows, or another.",
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
            "--health-port",
            min=0,
            max=65535,
            metavar="PORT",
            help="The port that answers GET /healthz (alive) and /readyz (polls).",
        ),
    ] = None
    health_address: Annotated[
        str | None,
        typer.Option(
            "--health-address",
            metavar="HOST[:PORT]",
            help="The address that the health port listens on, every one by default, and the port itself.",
        ),
    ] = None
    metrics_address: Annotated[
        str | None,
        typer.Option(
            "--metrics-address", metavar="HOST:PORT", help="The address that serves GET /metrics for Prometheus."
        ),
    ] = None

    def health(self) -> tuple[str, int | None]:
        """The address and the port that serve the worker's health; the port is None if none is wanted.

        Raises:
            Misuse: there is an address without a port, there are two different ports, or a port is not valid.
        """
        host, colon, told = (self.health_address or "").rpartition(":")
        if not colon or told.endswith("]"):
            host, told = self.health_address or "", ""
        port = _port(told, self.health_port)
        if host and port is None:
            raise Misuse(f"--health-address {host} has no port: write {host}:PORT, or give --health-port too")
        return host.strip("[]") or EVERYWHERE, port


def _port(told: str, given: int | None) -> int | None:
    """The port in the address, or else the one that `--health-port` gives."""
    if not told:
        return given
    if not (told.isascii() and told.isdigit() and int(told) <= _LAST_PORT):
        raise Misuse(f"--health-address: {told!r} is not a port; write HOST:PORT with a number up to {_LAST_PORT}")
    if given is not None and given != int(told):
        raise Misuse(f"--health-address names port {told}, and --health-port {given}")
    return int(told)
