"""The beginning of most commands: settings, their warnings, logging."""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.console import paint_err, say
from pipelex.cli._shared.failures import located
from pipelex.cli._shared.keys import JSON_KEY, TOLD_KEY
from pipelex.cli._shared.logs import set_up_logging, writes_json
from pipelex.errors import Fault

if TYPE_CHECKING:
    from pipelex.config import Settings
    from pipelex.runner import Pipelex

SELECTED_SERVER = "temporal.temporal_config.selected_server"


def _remember_json(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[JSON_KEY] = value
    return value


JsonFlag = Annotated[
    bool,
    typer.Option(
        "--json", callback=_remember_json, is_eager=True, help="Speak JSON: results on stdout, problems on stderr."
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option("--server", metavar="NAME", help="The Temporal server profile to use instead of the selected one."),
]


def settings_for(
    ctx: typer.Context,
    *,
    server: str | None = None,
    environ: Mapping[str, str] | None = None,
    connects: bool = False,
) -> "Settings":
    """The settings of the working directory. Their warnings are printed, and logging is set up.

    Args:
        ctx: the command's context.
        server: the server profile to use instead of the selected one.
        environ: the environment; the process's own when None.
        connects: whether the command sends something somewhere, so that the project's files must be trusted. On a
            terminal, the user is asked.

    Raises:
        ConfigurationError: a settings file is wrong.
        ProjectNotTrustedError: files of the project are not trusted.
    """
    from pipelex.config import load_settings

    overrides = {} if server is None else {SELECTED_SERVER: server}
    settings = load_settings(overrides=overrides, environ=environ)
    if connects:
        from pipelex.cli.setup.trusting import ask_for_trust

        if ask_for_trust(settings):
            settings = load_settings(overrides=overrides, environ=environ)
    tell(ctx, [*settings.warnings, *set_up_logging(settings)])
    return settings


def open_app(
    ctx: typer.Context,
    *,
    server: str | None = None,
    orchestrator: str | None = None,
    durable: bool = False,
    connects: bool = False,
) -> "Pipelex":
    """The runtime with the settings of the working directory.

    Args:
        ctx: the command's context.
        server: the server profile to use instead of the selected one.
        orchestrator: the name of the orchestrator that runs methods; the one that the settings choose when None.
        durable: whether to use a durable orchestrator even if the settings choose none.
        connects: see `settings_for`.

    Raises:
        ConfigurationError: a settings file is wrong.
        PipelexError: there is no such orchestrator.
    """
    from pipelex.orchestration import IN_PROCESS, chosen_name
    from pipelex.runner import Pipelex

    settings = settings_for(ctx, server=server, connects=connects)
    if durable and orchestrator is None:
        orchestrator = chosen_name(settings, durable=True)
    app = Pipelex(settings, orchestrator=orchestrator)
    if orchestrator != IN_PROCESS:
        tell(ctx, app.warnings)
    return app


def open_local_app(ctx: typer.Context) -> "Pipelex":
    """The runtime with the in-process orchestrator, for commands that need no other; see `open_app`."""
    from pipelex.orchestration import IN_PROCESS

    return open_app(ctx, orchestrator=IN_PROCESS)


def tell(ctx: typer.Context, warnings: Iterable[Fault]) -> None:
    """Print each warning once per command; none are printed if the command was asked for JSON."""
    told: set[str] = ctx.meta.setdefault(TOLD_KEY, set())
    for line in map(located, warnings):
        if line in told or ctx.meta.get(JSON_KEY):
            continue
        told.add(line)
        if writes_json():
            logging.getLogger("pipelex.settings").warning("%s", line)
        else:
            say(f"{paint_err()('warning:', 'yellow')} {line}")
