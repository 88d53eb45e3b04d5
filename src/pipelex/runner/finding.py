"""Finds runs by the beginning of their ids."""

from typing import Final

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration import OrchestratedRun, Orchestrator, RunDescription, RunFilter

_MOST_NAMED: Final = 8
"""The most candidates that a message names."""
_NOT_FOUND: Final = "run.not_found"


async def find_run(orchestrator: Orchestrator, given: str) -> OrchestratedRun:
    """The run with the given id, or the only run whose id begins with it.

    Args:
        orchestrator: the orchestrator that has the run.
        given: an id, or its beginning.

    Raises:
        PipelexError: there is no such run (`run.not_found`), several ids begin so (`request.invalid`), or the
            orchestrator does not answer.
    """
    try:
        return await orchestrator.attach(given)
    except PipelexError as missing:
        if missing.code != _NOT_FOUND:
            raise
        candidates = await beginning_with(orchestrator, given)
        if not candidates:
            raise
    return await orchestrator.attach(only_one(given, candidates).run_id)


async def beginning_with(orchestrator: Orchestrator, given: str) -> list[RunDescription]:
    """The newest runs whose ids begin with a text."""
    return await orchestrator.list(RunFilter(prefix=given, limit=_MOST_NAMED + 1)) if given else []


def only_one(given: str, candidates: list[RunDescription]) -> RunDescription:
    """The only one of the candidates for the beginning of an id.

    Raises:
        PipelexError: there are several candidates.
    """
    if len(candidates) == 1:
        return candidates[0]
    named = [f"{run.run_id} ({run.pipe_code}, {run.words})" for run in candidates[:_MOST_NAMED]]
    more = ", …" if len(candidates) > _MOST_NAMED else ""
    raise PipelexError(
        "request.invalid",
        f"several runs begin with '{given}': {', '.join(named)}{more}",
        category=ErrorCategory.CONTENT,
        params={"field": "pipeline_run_id", "candidates": [run.run_id for run in candidates]},
        advice="Give more of the id.",
    )
