"""The subject of the current activity, for logs and metrics."""

from contextvars import ContextVar
from typing import Any, Final

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from pipelex.temporal.workflow.subjects import Subject

_CURRENT: Final[ContextVar[Subject | None]] = ContextVar("pipelex_subject", default=None)


def current_subject() -> Subject | None:
    """The subject of the current activity; None outside of one."""
    return _CURRENT.get()


class ReadingSubjects(Interceptor):
    """An interceptor that finds out the subject of each activity before the activity begins."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _SubjectReader(next)


class _SubjectReader(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        _CURRENT.set(Subject.of_activity(info.workflow_id or info.activity_id, input.headers))
        return await super().execute_activity(input)
