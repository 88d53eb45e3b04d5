"""The work behind `pipelex temporal codec-server`."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import paint_err, say
from pipelex.errors import ConfigurationError

if TYPE_CHECKING:
    from pipelex.runner import Pipelex
    from pipelex.temporal.codec.server import CodecServer


def run_codec_server(app: "Pipelex", host: str, port: int, origins: Sequence[str], *, allow_remote: bool) -> None:
    """Serve until a signal comes.

    Raises:
        ConfigurationError: the address is reachable from other machines, a key is missing, or the settings are wrong.
        PipelexError: the server cannot listen on the address.
    """
    from pipelex.temporal.factory import FACTORY

    FACTORY.require()
    from pipelex.temporal.codec import data_converter
    from pipelex.temporal.codec.server import LOOPBACK, CodecServer
    from pipelex.temporal.config import connection

    if host not in LOOPBACK and not allow_remote:
        raise ConfigurationError(
            f"the codec server would show every payload to anyone who reaches {host}",
            advice="Listen on 127.0.0.1, or, behind something that asks for a password, add --allow-remote.",
        )
    settings = app.settings
    converter = data_converter(
        FACTORY.config_of(app.settings), settings, connection(FACTORY.config_of(app.settings), settings)
    )
    server = CodecServer(converter, host, port, [origin.rstrip("/") for origin in origins])
    asyncio.run(_serve(server))


async def _serve(server: "CodecServer") -> None:
    from pipelex.cli._shared.loops import Interrupted, interruptible

    try:
        await server.start()
        say(f"Codec server  {paint_err()(server.url, 'bold')}")
        say(
            f"Use it with:  temporal workflow show --codec-endpoint {server.url} …, or in the UI's codec server settings"
        )
        await interruptible(asyncio.Event().wait())
    except Interrupted as interrupted:
        raise typer.Exit(interrupted.exit_code) from None
    finally:
        await server.stop()
