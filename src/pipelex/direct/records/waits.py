"""Converts a wait of a run to JSON and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelex.errors import ErrorReport, Json
from pipelex.orchestration import Wait, WaitKind


def wait_to_json(wait: Wait) -> dict[str, Json]:
    """A wait as JSON."""
    members: dict[str, Json] = {
        "kind": wait.kind.value,
        "pipe": wait.workflow_id,
        "what": wait.what,
        "detail": wait.detail,
        "advice": wait.advice,
        "attempt": wait.attempt,
        "until": None if wait.until is None else wait.until.isoformat(),
        "failures": wait.failures,
        "most_failures": wait.most_failures,
        "report": None if wait.report is None else wait.report.to_json(),
    }
    return {name: value for name, value in members.items() if value is not None}


def wait_from_json(written: Mapping[str, Any]) -> Wait:
    """The inverse of `wait_to_json`.

    Raises:
        ValueError, KeyError, TypeError: the JSON is not a wait.
    """
    until, report = written.get("until"), written.get("report")
    return Wait(
        WaitKind(written["kind"]),
        written["pipe"],
        written["what"],
        written["detail"],
        written.get("advice"),
        attempt=written.get("attempt"),
        until=None if until is None else datetime.fromisoformat(until),
        failures=written.get("failures"),
        most_failures=written.get("most_failures"),
        report=None if report is None else ErrorReport.from_json(report),
    )
