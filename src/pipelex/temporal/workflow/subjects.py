"""The run and the pipe that something is about.

They are read off a workflow id, and out of a header where the id does not say it.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.worker import StartActivityInput, WorkflowInboundInterceptor, WorkflowOutboundInterceptor
from temporalio.workflow import ActivityHandle

HEADER: Final = "pipelex"
"""The header of an activity that says what its workflow's id does not."""

_SEGMENT: Final = re.compile(r"(?:\d+-)?(?P<code>[^\[\]]+)(?:\[[^\]]*\])*")


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a log line, a metric or a failure."""

    run_id: str
    pipe: str | None = None
    """The pipe's code; None where nothing tells it."""

    @classmethod
    def of_workflow(cls, workflow_id: str) -> "Subject":
        """The subject in the id of a workflow: `monday/2-summarize[3]` is about pipe `summarize` of run `monday`."""
        root, _, path = workflow_id.partition("/")
        found = _SEGMENT.fullmatch(path.rpartition("/")[2]) if path else None
        return cls(root, found["code"] if found else None)

    @classmethod
    def of_activity(cls, workflow_id: str, headers: Mapping[str, Payload]) -> "Subject":
        """The subject in the id of an activity's workflow and in the header that goes with it."""
        derived = cls.of_workflow(workflow_id)
        told = headers.get(HEADER)
        if told is None:
            return derived
        pipe, _, run_id = told.data.decode(errors="replace").partition("\n")
        return cls(run_id or derived.run_id, pipe or derived.pipe)

    def beyond(self, workflow_id: str) -> Payload | None:
        """The part of the subject that the id of a workflow does not say, as a header; None when it says all.

        The text is the whole payload, for it is in the history of every activity that needs it.
        """
        derived = self.of_workflow(workflow_id)
        pipe = "" if self.pipe is None or self.pipe == derived.pipe else self.pipe
        run_id = "" if self.run_id == derived.run_id else self.run_id
        if not pipe and not run_id:
            return None
        return Payload(data=(f"{pipe}\n{run_id}" if run_id else pipe).encode())

    def __str__(self) -> str:
        return f"run {self.run_id}" + ("" if self.pipe is None else f", pipe {self.pipe}")


ASKING: ContextVar[Payload | None] = ContextVar("pipelex_asking", default=None)
"""The header of the activity that is being scheduled."""


class TellingSubjects(WorkflowInboundInterceptor):
    """Has the activities of a workflow told what they are about."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """See base class."""
        super().init(_WithHeader(outbound))


class _WithHeader(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        told = ASKING.get()
        if told is not None:
            input.headers = {**input.headers, HEADER: told}
        return super().start_activity(input)
