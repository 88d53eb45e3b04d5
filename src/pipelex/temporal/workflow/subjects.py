"""The run and the pipe that a log line, a metric or a failure is about.

They are read from the id of a workflow, and from a header of an activity if that id does not contain them.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.worker import StartActivityInput, WorkflowInboundInterceptor, WorkflowOutboundInterceptor
from temporalio.workflow import ActivityHandle

from pipelex.durable.words import in_words, item_in

HEADER: Final = "pipelex"
"""The header of an activity with the part of its subject that its workflow's id does not contain."""

_SEGMENT: Final = re.compile(r"(?:\d+-)?(?P<code>[^\[\]]+)(?:\[[^\]]*\])*")
_TOLD: Final = re.compile(r"(?P<pipe>[^\s\[]+)(?P<rank>\[\d+\])?(?: of (?P<item>\S+))?")


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a log line, a metric or a failure."""

    run_id: str
    pipe: str | None = None
    """The pipe's code; None if it is not known."""
    item: str | None = None
    """The item of a batch, with the pipe that runs on it: `note[3]`; None outside batches."""

    @classmethod
    def of_workflow(cls, workflow_id: str) -> "Subject":
        """The subject in the id of a workflow: `monday/2-note[3]` is about run `monday`, pipe `note` and its item 3."""
        root, *path = workflow_id.split("/")
        found = _SEGMENT.fullmatch(path[-1]) if path else None
        return cls(root, found["code"] if found else None, item_in(path))

    @classmethod
    def of_activity(cls, workflow_id: str, headers: Mapping[str, Payload]) -> "Subject":
        """The subject in the id of an activity's workflow and in the activity's header."""
        derived = cls.of_workflow(workflow_id)
        told = headers.get(HEADER)
        if told is None:
            return derived
        about, _, run_id = told.data.decode(errors="replace").partition("\n")
        found = _TOLD.fullmatch(about)
        if found is None:
            return cls(run_id or derived.run_id, about or derived.pipe, derived.item)
        item = found["pipe"] + found["rank"] if found["rank"] else found["item"]
        return cls(run_id or derived.run_id, found["pipe"], item or derived.item)

    def beyond(self, workflow_id: str) -> Payload | None:
        """The part of the subject that the id of a workflow does not contain, as a header; None if it contains all.

        The payload is the bare text, because it takes up history for every activity that needs it.
        """
        derived = self.of_workflow(workflow_id)
        is_said = (self.pipe, self.item) in ((None, None), (derived.pipe, derived.item))
        run_id = "" if self.run_id == derived.run_id else self.run_id
        if is_said and not run_id:
            return None
        about = "" if is_said else self.about
        return Payload(data=(f"{about}\n{run_id}" if run_id else about).encode())

    @property
    def about(self) -> str:
        """The pipe and its item in words; empty if the pipe is not known."""
        return "" if self.pipe is None else in_words(self.pipe, self.item)

    def __str__(self) -> str:
        return f"run {self.run_id}" + (f", pipe {self.about}" if self.about else "")


ASKING: ContextVar[Payload | None] = ContextVar("pipelex_asking", default=None)
"""The header of the activity that is being scheduled."""


class TellingSubjects(WorkflowInboundInterceptor):
    """Adds a header with their subject to the activities of a workflow."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        """See base class."""
        super().init(_WithHeader(outbound))


class _WithHeader(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        told = ASKING.get()
        if told is not None:
            input.headers = {**input.headers, HEADER: told}
        return super().start_activity(input)
