"""Which run and pipe something is about: read off a workflow id, and told in a header where the id does not say it."""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter
from temporalio.worker import StartActivityInput, WorkflowInboundInterceptor, WorkflowOutboundInterceptor
from temporalio.workflow import ActivityHandle

HEADER: Final = "pipelex-subject"
"""The header of an activity that says what its workflow's id does not."""

_SEGMENT: Final = re.compile(r"(?:\d+-)?(?P<code>[^\[\]]+)(?:\[[^\]]*\])*")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a log line, a metric or a failure is about."""

    run_id: str
    pipe: str | None = None
    """The pipe's code; None where nothing tells it."""

    @classmethod
    def of_workflow(cls, workflow_id: str) -> "Subject":
        """As the id of a workflow has it: `monday/2-summarize[3]` is about pipe `summarize` of run `monday`."""
        root, _, path = workflow_id.partition("/")
        found = _SEGMENT.fullmatch(path.rpartition("/")[2]) if path else None
        return cls(root, found["code"] if found else None)

    @classmethod
    def of_activity(cls, workflow_id: str, headers: Mapping[str, Payload]) -> "Subject":
        """As the id of its workflow has it, and the header that goes with it."""
        derived = cls.of_workflow(workflow_id)
        told = _told(headers)
        return cls(str(told.get("run", derived.run_id)), str(told["pipe"]) if "pipe" in told else derived.pipe)

    def beyond(self, workflow_id: str) -> dict[str, str]:
        """What it says that the id of a workflow does not."""
        derived = self.of_workflow(workflow_id)
        found: dict[str, str] = {}
        if self.run_id != derived.run_id:
            found["run"] = self.run_id
        if self.pipe is not None and self.pipe != derived.pipe:
            found["pipe"] = self.pipe
        return found

    def __str__(self) -> str:
        return f"run {self.run_id}" + ("" if self.pipe is None else f", pipe {self.pipe}")


ASKING: ContextVar[Mapping[str, str] | None] = ContextVar("pipelex_asking", default=None)
"""What the header of the activity says that is being scheduled."""


class TellingSubjects(WorkflowInboundInterceptor):
    """Has the activities of a workflow told what they are about."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """See base class."""
        super().init(_WithHeader(outbound))


class _WithHeader(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        told = ASKING.get()
        if told:
            input.headers = {**input.headers, HEADER: _payload(told)}
        return super().start_activity(input)


def _payload(told: Mapping[str, str]) -> Payload:
    (payload,) = DataConverter.default.payload_converter.to_payloads([dict(told)])
    return payload


def _told(headers: Mapping[str, Payload]) -> Mapping[str, Any]:
    if HEADER not in headers:
        return {}
    try:
        (told,) = DataConverter.default.payload_converter.from_payloads([headers[HEADER]])
    except Exception:  # somebody else's header
        return {}
    return told if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownVariableType]
