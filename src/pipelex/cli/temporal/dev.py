"""`pipelex dev`."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.console import paint_err, say
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.logs import announce
from pipelex.cli._shared.session import settings_for, tell

if TYPE_CHECKING:
    from pipelex.config import Settings
    from pipelex.temporal.config import TemporalConfig
    from pipelex.temporal.dev_server import DevServer

_EXAMPLES = """\b
Examples:
  pipelex dev
  pipelex dev --port 7300 --ui-port 8300
  TEMPORAL_ADDRESS=127.0.0.1:7300 pipelex run report.mthds --durable"""

app = command_app()


@app.command(epilog=_EXAMPLES)
def dev(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port of the Temporal server; 0 picks a free one.")
    ] = 7233,
    ui_port: Annotated[
        int, typer.Option("--ui-port", min=0, max=65535, help="The port of the web UI; 0 picks a free one.")
    ] = 8233,
    ready_file: Annotated[
        Path | None, typer.Option("--ready-file", metavar="FILE", help="A file that exists while the worker polls.")
    ] = None,
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="Keep nothing on disk; histories end with the command.")
    ] = False,
) -> None:
    """Run a configured Temporal development server and one worker until Ctrl-C.

    Histories are kept in `.pipelex/dev/temporal.db`. In another terminal, `pipelex run … --durable` runs on it.
    """
    from pipelex.orchestration.workers import WorkerOptions
    from pipelex.temporal.worker.serving import WORKER

    settings = settings_for(ctx, connects=True)
    tell(ctx, list(WORKER.check(settings, WorkerOptions())))
    from pipelex.temporal.config import parse_temporal_config
    from pipelex.temporal.sdk_core import keep_core_off_stdout

    keep_core_off_stdout(is_forwarded=True)
    config = parse_temporal_config(settings)
    server = _dev_server(settings, config, port, ui_port, in_memory=in_memory)
    asyncio.run(_run(ctx, settings, config, ready_file, server))


async def _run(
    ctx: typer.Context,
    settings: "Settings",
    config: "TemporalConfig",
    ready_file: Path | None,
    server: "DevServer",
) -> None:
    from pipelex.cli._shared.loops import Interrupted, interruptible
    from pipelex.cli.worker.readiness import Readiness
    from pipelex.cli.worker.serving import hooks_of
    from pipelex.orchestration.workers import WorkerOptions
    from pipelex.temporal.client.connect import OF_A_WORKER, connect
    from pipelex.temporal.codec import data_converter
    from pipelex.temporal.codec.server import CodecServer
    from pipelex.temporal.config import ConnectionSettings, noted_dev_server
    from pipelex.temporal.worker.serving import serve_on

    readiness = Readiness(ready_file, None)
    hooks = hooks_of(ctx, settings, readiness)
    target = ConnectionSettings(
        server="dev",
        target_host=server.target,
        namespace=server.namespace,
        api_key=None,
        tls=None,
        rpc_metadata={},
        sources={},
    )
    converter = data_converter(config, settings, target)
    codec = CodecServer(converter)
    try:
        await readiness.open()
        await codec.start()
        server.ui_codec_endpoint = codec.url
        await interruptible(server.start())
        codec.origins = tuple(f"http://{host}:{server.ui_port}" for host in ("127.0.0.1", "localhost"))
        target = replace(target, target_host=server.target)
        hooks.on_connecting()
        client = await connect(target, converter, retries=OF_A_WORKER)
        say(f"Temporal server  {server.target}{'' if server.database is None else f'  ({server.database})'}")
        say(f"Temporal UI      {paint_err()(server.ui_url or '', 'bold')}")
        say(f"Runs alone       {server.ui_runs_url or ''}")
        if config.server.target_host not in (server.target, f"localhost:{server.port}"):
            say(f"Run on it with:  TEMPORAL_ADDRESS={server.target} pipelex run … --durable")
        assert server.ui_port is not None
        with noted_dev_server(settings, server.port, server.ui_port):
            await serve_on(client, target, settings, config, WorkerOptions(), hooks)
        announce(settings, "Stopped.")
    except Interrupted as interrupted:
        raise typer.Exit(interrupted.exit_code) from None
    finally:
        await readiness.close()
        await codec.stop()
        await asyncio.to_thread(server.stop)


def _dev_server(
    settings: "Settings", config: "TemporalConfig", port: int, ui_port: int, *, in_memory: bool
) -> "DevServer":
    from pipelex.temporal.config import made_dev_folder
    from pipelex.temporal.dev_server import DevServer

    namespace = config.server.namespace if "${" not in config.server.namespace else "default"
    if in_memory:
        return DevServer(port=port, ui_port=ui_port, namespace=namespace)
    folder = made_dev_folder(settings)
    return DevServer(
        database=folder / "temporal.db", port=port, ui_port=ui_port, namespace=namespace, log=folder / "temporal.log"
    )
