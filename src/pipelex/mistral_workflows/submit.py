"""Starts a run on Mistral Workflows, or finds the run that already has its id."""

from typing import Final

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.begin import begin, execution_input
from pipelex.mistral_workflows.platform import Platform
from pipelex.mistral_workflows.run import MistralRun, state_of
from pipelex.orchestration import RunRequest, StartedRun
from pipelex.orchestration.refusals import id_is_taken, note_on
from pipelex.orchestration.wiring import storage_of

_RECORDS: Final = "mistral-runs"
"""The folder of the storage that holds the digests of the requests of runs with a chosen id."""


async def submit(platform: Platform, request: RunRequest) -> StartedRun:
    """Start a run, or attach to the run that has the same id and the same request.

    Raises:
        EngineUnavailable: the platform refuses the start.
        PipelexError: the id belongs to a run with another request, or the storage does not take the inputs.
    """
    run = MistralRun(platform, request.identity.run_id)
    _check_length(run)
    if request.is_named and await platform.api.execution(run.workflow_id) is not None:
        return await _found(run, request)
    given = await execution_input(platform, request)
    if request.is_named:
        await storage_of(platform.settings).keep(_record(run), request.digest.encode())
    begun = await begin(platform, request, given)
    return StartedRun(run) if begun is not None else await _found(run, request)


def _check_length(run: MistralRun) -> None:
    """Refuse a run id that is too long once it is encoded.

    Raises:
        PipelexError: it is.
    """
    size = len(run.workflow_id)
    if size > names.LONGEST_ID:
        raise PipelexError(
            "request.invalid",
            f"the run id '{run.run_id}' has {size} characters when it is encoded for Mistral Workflows, which takes "
            f"{names.LONGEST_ID}",
            category=ErrorCategory.CONTENT,
            params={"field": "run_id"},
            advice="Give a shorter run id, or one of letters, digits, '-' and '_', or none: Pipelex makes one.",
        )


def _record(run: MistralRun) -> str:
    return f"{_RECORDS}/{run.workflow_id}"


async def _found(run: MistralRun, request: RunRequest) -> StartedRun:
    """The run that already has the id.

    Raises:
        PipelexError: the run has another request.
    """
    kept = await storage_of(run.platform.settings).kept(_record(run))
    if kept is not None and kept.decode() != request.digest:
        raise id_is_taken(run.run_id)
    state = state_of(await run.execution())
    retry = f"Continue from where it failed: pipelex runs retry {run.run_id}. Or give another run id."
    return StartedRun(run, state, note_on(run.run_id, state, retry=retry))
