"""Hands the dispatcher of a worker and the limits of its server over to its workflows.

An interceptor registers a function that the SDK lets workflow code call outside the sandbox. So each worker, and each
replayer, hands over its own objects, and no global registry is needed.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, cast

from temporalio import workflow
from temporalio.worker import Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

from pipelex.durable.dispatch import Dispatcher
from pipelex.durable.limits import EngineLimits
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.subjects import TellingSubjects

_FUNCTION: Final = "__pipelex_handover"
"""The name under which the interceptor registers the function."""


@dataclass(frozen=True)
class Handover:
    """The objects that workflows get from their worker."""

    dispatcher: Dispatcher
    limits: EngineLimits


class HandingOver(Interceptor):
    """An interceptor that hands objects over to the workflows of one worker, and sends subjects to their activities.

    Args:
        handover: returns the objects, for each run of a workflow.
    """

    def __init__(self, handover: Callable[[], Handover]) -> None:
        self._handover = handover

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """See base class."""
        functions = cast("MutableMapping[str, Callable[..., Any]]", input.unsafe_extern_functions)  # pyright: ignore[reportUnknownMemberType]
        functions[_FUNCTION] = self._handover
        return TellingSubjects


def handed_over(task_queue: str) -> Handover:
    """The objects that the worker of the current workflow hands over.

    Args:
        task_queue: the task queue of the workflow, for the error message.

    Raises:
        ApplicationError: the worker was not set up by Pipelex.
    """
    functions = cast("Mapping[str, Callable[..., Any]]", workflow.extern_functions())  # pyright: ignore[reportUnknownMemberType]
    found = functions.get(_FUNCTION)
    if found is None:
        missing = PipelexError(
            "runtime.misconfigured",
            f"the worker of task queue '{task_queue}' runs pipes without the Pipelex plugin",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "worker"},
            advice="Give PipelexPlugin to the worker, or use `pipelex worker`.",
        )
        raise to_application_error(missing.report, may_retry=False)
    return found()
