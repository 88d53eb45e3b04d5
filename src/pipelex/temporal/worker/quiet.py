"""Silences the SDK's log lines about failures that Pipelex logs itself, in one line without a traceback."""

import logging
from typing import Final

from temporalio.exceptions import ApplicationError

_FAILED: Final = "__temporal_error_identifier"
_LATE: Final = "Activity not found on completion"
"""The SDK's message about a call that ended after its run, or after it was cancelled."""


def quieten_expected_failures() -> None:
    """Drop the SDK's log lines about failures with a report and about late results. Repeated calls do no harm."""
    for name, of in _FILTERS.items():
        logging.getLogger(name).addFilter(of)


class _Reported(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.__dict__.get(_FAILED) != "ActivityFailure" or not record.exc_info:
            return True
        error = record.exc_info[1]
        return not (isinstance(error, ApplicationError) and _is_report(error))


class _Timely(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return _LATE not in str(record.msg)


_FILTERS: Final = {"temporalio.activity": _Reported(), "temporalio.core": _Timely()}


def _is_report(error: ApplicationError) -> bool:
    first = error.details[0] if error.details else None
    return isinstance(first, dict) and "code" in first
