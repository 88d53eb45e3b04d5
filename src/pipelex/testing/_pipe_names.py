"""Tells a script which pipe asked in a durable run, by a header of the activities of a test's worker.

The job of an activity does not name its pipe, but its summary for people does.
"""

from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

from pipelex.pipes.effects.kind import pipe_named_in

HEADER = "pipelex-testing-pipe"


class PipeNames(Interceptor):
    """Passes the code of the asking pipe from workflows to activities."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _Activity(next)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """See base class."""
        return _Workflow


class _Activity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        from pipelex.inference.calls.asker import asked_by

        header = input.headers.get(HEADER)
        with asked_by(None if header is None else header.data.decode()):
            return await super().execute_activity(input)


class _Workflow(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        code = pipe_named_in(input.summary or "")
        if code is not None:
            input.headers = {**input.headers, HEADER: Payload(data=code.encode())}
        return super().start_activity(input)
