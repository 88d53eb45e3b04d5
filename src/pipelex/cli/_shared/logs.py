"""Log lines of this process: for people, or one JSON object each for programs."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from pipelex.cli._shared.console import json_text, say
from pipelex.errors import Fault
from pipelex.errors.hidden import without_secrets
from pipelex.errors.terminal import clean

if TYPE_CHECKING:
    from pipelex.config import Settings

_LEVELS = {"VERBOSE": "DEBUG", "DEV": "DEBUG"}

_SUBJECTS: Final = ("temporal_workflow", "temporal_activity")
"""The attributes of a log record in which Temporal's SDK says what it is about; their members become JSON fields."""

_OF_EVERY_RECORD: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


def is_json_only(settings: "Settings") -> bool:
    """Whether only programs read the log lines."""
    return set(settings.runtime.log.sinks) == {"json"}


def writes_json() -> bool:
    """Whether every log handler that was set up for this process writes JSON."""
    ours = [handler for handler in logging.getLogger().handlers if isinstance(handler, _CliHandler)]
    return bool(ours) and all(isinstance(handler.formatter, JsonFormatter) for handler in ours)


def announce(settings: "Settings", text: str, **told: Any) -> None:
    """Announce what a long-running command does: in words for people, or in a log line for programs.

    Args:
        settings: the configuration.
        text: the announcement in words.
        told: the same facts as fields of the log line.
    """
    if not is_json_only(settings):
        say(text)
        return
    record = logging.LogRecord("pipelex.worker", logging.INFO, "", 0, " ".join(text.split()), (), None)
    record.__dict__.update(told)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _CliHandler):
            handler.handle(record)


def describe_tasks(of: logging.Filter) -> None:
    """Install a filter that adds to each log line the task it is about; for a process that works on tasks."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _CliHandler):
            handler.addFilter(of)


def set_up_logging(settings: "Settings") -> list[Fault]:
    """Write our log lines at the configured level, and those of libraries from WARNING up, to the configured stream.

    Returns:
        Warnings about settings that this release does not support.
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
            detail = "this release does not send logs over OTLP"
            warnings.append(settings.fault("runtime.log.sinks", detail, severity="warning"))
            continue
        handler = _CliHandler(to_stdout=log.console_target == "stdout")
        handler.setFormatter(
            JsonFormatter() if sink == "json" else logging.Formatter("%(levelname)s %(name)s: %(message)s")
        )
        root.addHandler(handler)
    logging.captureWarnings(is_json_only(settings))
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
    """Looks the stream up for each line, because a progress display may replace it in between."""

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


class JsonFormatter(logging.Formatter):
    """Formats each record as one line of JSON: time with zone, level, logger, message and all further attributes."""

    def format(self, record: logging.LogRecord) -> str:
        """See base class."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= _fields_of(record)
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_text(entry, sys.stderr)


def _fields_of(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in vars(record).items():
        if name in _SUBJECTS and isinstance(value, Mapping):
            told = cast("Mapping[str, Any]", value)  # `run_id` in it is Temporal's id of the workflow run
            found |= {"workflow_run_id" if key == "run_id" else key: each for key, each in told.items()}
        elif name not in _OF_EVERY_RECORD and not name.startswith("_") and not _says_nothing(value):
            found[name] = _plain(value)
    return found


def _says_nothing(value: object) -> bool:
    """Whether a value has only the default `repr`, like the entries that Temporal's core attaches to its log lines."""
    kind = type(value)
    return kind.__repr__ is object.__repr__ and kind.__str__ is object.__str__ and not is_dataclass(value)


def _plain(value: Any) -> Any:
    """A value of a record as JSON; a dataclass, such as Temporal's activity info, becomes an object of its members."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
