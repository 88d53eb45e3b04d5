"""Facts that a worker hands over to its workflows: how it sends activities, and the limits of its server.

It goes through an interceptor, as the functions that the SDK lets workflow code call outside of the sandbox. So each
worker hands over its own, and a replayer does too; nothing is looked up by name.
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
"""The name of the function among those of a worker."""


@dataclass(frozen=True)
class Handover:
    """The facts that workflows get from their worker."""

    dispatcher: Dispatcher
    limits: EngineLimits


class HandingOver(Interceptor):
    """Hands something over to the workflows of one worker, and has their activities told what they are about.

    Args:
        handover: gives it, for each run of a workflow.
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
    """The facts that the worker of the current workflow hands over.

    Args:
        task_queue: the workflow's, for the error.

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
