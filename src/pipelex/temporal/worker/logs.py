"""Sets up the SDK's loggers in this process, and adds runs and pipes to log records."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from temporalio import activity, workflow

from pipelex.errors.hidden import without_secrets
from pipelex.errors.terminal import clean
from pipelex.temporal.config import TemporalLogConfig
from pipelex.temporal.worker.subjects import current_subject
from pipelex.temporal.workflow import observability
from pipelex.temporal.workflow.subjects import Subject


def apply_log_settings(log: TemporalLogConfig) -> None:
    """Set up the SDK's loggers as configured; a second call replaces the effects of the first one.

    The managed loggers get the level of Pipelex's own logger, unless they have one already. If the prefix is on, their
    lines start with the workflow or the activity. If the formatter is on, they look like Pipelex's own lines; if not,
    they are bare messages.
    """
    workflow.logger.workflow_info_on_message = log.is_workflow_info_on_message
    workflow.logger.workflow_info_on_extra = log.is_workflow_info_on_extra or log.is_prefix_enabled
    workflow.logger.full_workflow_info_on_extra = log.is_full_workflow_info_on_extra
    activity.logger.activity_info_on_message = log.is_activity_info_on_message
    activity.logger.activity_info_on_extra = log.is_activity_info_on_extra or log.is_prefix_enabled
    activity.logger.full_activity_info_on_extra = log.is_full_activity_info_on_extra
    level = logging.getLogger("pipelex").level
    for name in log.managed_loggers:
        logger = logging.getLogger(name)
        _reset(logger)
        if logger.level == logging.NOTSET and level != logging.NOTSET:
            logger.setLevel(level)
        logger.addFilter(_Subject(log))
        if not log.is_formatter_enabled:
            logger.addHandler(_BareHandler())
            logger.propagate = False


class OfTheTask(logging.Filter):
    """A filter for handlers that adds the run, the pipe and the current workflow or activity to each record.

    Args:
        log: the settings, which say how much to add about the workflow or activity.
    """

    def __init__(self, log: TemporalLogConfig) -> None:
        super().__init__()
        self._log = log

    def filter(self, record: logging.LogRecord) -> bool:
        """See base class."""
        if activity.in_activity():
            info = activity.info()
            _add(record, current_subject() or Subject.of_workflow(info.workflow_id or info.activity_id))
            if self._log.is_activity_info_on_extra:
                record.__dict__.setdefault("temporal_activity", info._logger_details())  # pyright: ignore[reportPrivateUsage]
            if self._log.is_full_activity_info_on_extra:
                record.__dict__.setdefault("activity_info", info)
        elif workflow.in_workflow():
            info = workflow.info()
            attributes = observability.subject(info.typed_search_attributes.search_attributes)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            derived = Subject.of_workflow(info.workflow_id)
            _add(record, derived if attributes is None else replace(attributes, item=derived.item))
            if self._log.is_workflow_info_on_extra:
                record.__dict__.setdefault("temporal_workflow", info._logger_details())  # pyright: ignore[reportPrivateUsage]
            if self._log.is_full_workflow_info_on_extra:
                record.__dict__.setdefault("workflow_info", info)
        return True


def _add(record: logging.LogRecord, subject: Subject) -> None:
    record.__dict__.setdefault("run_id", subject.run_id)
    if subject.pipe is not None:
        record.__dict__.setdefault("pipe", subject.pipe)
    if subject.item is not None:
        record.__dict__.setdefault("item", subject.item)


def _reset(logger: logging.Logger) -> None:
    for each in [each for each in logger.filters if isinstance(each, _Subject)]:
        logger.removeFilter(each)
    for handler in [handler for handler in logger.handlers if isinstance(handler, _BareHandler)]:
        logger.removeHandler(handler)
        logger.propagate = True


class _Subject(logging.Filter):
    """Puts a record's workflow or activity before its message."""

    def __init__(self, log: TemporalLogConfig) -> None:
        super().__init__()
        self._log = log

    def filter(self, record: logging.LogRecord) -> bool:
        if self._log.is_prefix_enabled:
            prefix = _prefix(record)
            if prefix and not str(record.msg).startswith(prefix):
                record.msg = f"{prefix}{record.msg}"
        # The prefix is made from these fields, so they are removed only here if the settings do not want them.
        if not self._log.is_workflow_info_on_extra:
            record.__dict__.pop("temporal_workflow", None)
        if not self._log.is_activity_info_on_extra:
            record.__dict__.pop("temporal_activity", None)
        return True


def _prefix(record: logging.LogRecord) -> str:
    found = cast("Mapping[str, Any] | None", record.__dict__.get("temporal_workflow"))
    if found:
        return _escaped(f"[{found.get('workflow_type')} {found.get('workflow_id')}] ")
    found = cast("Mapping[str, Any] | None", record.__dict__.get("temporal_activity"))
    if found:
        return _escaped(f"[{found.get('activity_type')} {found.get('workflow_id')} #{found.get('attempt')}] ")
    return ""


def _escaped(text: str) -> str:
    """The text with its percent signs escaped, because it becomes part of a format string."""
    return text.replace("%", "%%")


class _BareHandler(logging.Handler):
    """Writes bare messages to the present `sys.stderr`, even if it has been replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(clean(without_secrets(record.getMessage())) + "\n")
        except (OSError, ValueError):
            self.handleError(record)
