"""What most commands begin with: settings, their warnings, logging."""

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelex.cli._shared.console import json_text, paint_err, say
from pipelex.cli._shared.failures import located
from pipelex.cli._shared.keys import JSON_KEY, TOLD_KEY
from pipelex.errors import Fault
from pipelex.errors.hidden import without_secrets
from pipelex.errors.terminal import clean

if TYPE_CHECKING:
    from pipelex.config import Settings
    from pipelex.runner import Pipelex

SELECTED_SERVER = "temporal.temporal_config.selected_server"

_LEVELS = {"VERBOSE": "DEBUG", "DEV": "DEBUG"}


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
    str | None, typer.Option("--server", metavar="NAME", help="Temporal server profile instead of the selected one.")
]


def settings_for(
    ctx: typer.Context,
    *,
    server: str | None = None,
    environ: Mapping[str, str] | None = None,
    connects: bool = False,
) -> "Settings":
    """The settings of the working directory, their warnings told and logging set up.

    Args:
        ctx: the command's context.
        server: the server profile instead of the selected one.
        environ: the environment; the process's when None.
        connects: the command sends something somewhere, so the project's files must be trusted; asked on a terminal.

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
        server: the server profile instead of the selected one.
        orchestrator: the name of the orchestrator that runs methods; the one that the settings choose when None.
        durable: have a durable orchestrator, also where the settings choose none.
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
    """The runtime of this process, for what needs no other: see `open_app`."""
    from pipelex.orchestration import IN_PROCESS

    return open_app(ctx, orchestrator=IN_PROCESS)


def tell(ctx: typer.Context, warnings: Iterable[Fault]) -> None:
    """Print warnings, each once in a command; a program that asked for JSON gets none between its problems."""
    told: set[str] = ctx.meta.setdefault(TOLD_KEY, set())
    for line in map(located, warnings):
        if line not in told and not ctx.meta.get(JSON_KEY):
            told.add(line)
            say(f"{paint_err()('warning:', 'yellow')} {line}")


def set_up_logging(settings: "Settings") -> list[Fault]:
    """Log lines of ours at the configured level, of libraries from WARNING on, to the configured stream.

    Returns:
        Warnings about what the settings ask for and this release does not do.
    """
    warnings: list[Fault] = []
    log = settings.runtime.log
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _CliHandler):
            root.removeHandler(handler)
    if log.level == "OFF":
        root.addHandler(_CliHandler(logging.CRITICAL + 1))
    for sink in log.sinks if log.level != "OFF" else ():
        if sink == "otlp":
            detail = "logs are not sent over OTLP by this release"
            warnings.append(settings.fault("runtime.log.sinks", detail, severity="warning"))
            continue
        handler = _CliHandler(to_stdout=log.console_target == "stdout")
        handler.setFormatter(
            _JsonFormatter() if sink == "json" else logging.Formatter("%(levelname)s %(name)s: %(message)s")
        )
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("pipelex").setLevel(_level(log.level))
    for name, level in log.package_levels.items():
        logging.getLogger(name).setLevel(_level(level))
    return warnings


def _level(name: str) -> int:
    if name == "OFF":
        return logging.CRITICAL + 1
    return logging.getLevelNamesMapping()[_LEVELS.get(name, name)]


class _CliHandler(logging.Handler):
    """Writes to the stream as it is at that moment, since a progress display may stand in for it."""

    def __init__(self, level: int = logging.NOTSET, *, to_stdout: bool = False) -> None:
        super().__init__(level)
        self._to_stdout = to_stdout

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stdout if self._to_stdout else sys.stderr
        try:
            stream.write(clean(without_secrets(self.format(record))) + "\n")
            stream.flush()
        except (OSError, ValueError):
            self.handleError(record)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object a line."""
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_text(entry, sys.stderr)
