"""Reads from a run's first events what the run was started with."""

from collections.abc import Mapping
from typing import Final, cast

from pipelex.content.stuff import Json
from pipelex.durable.jobs import PipeJob
from pipelex.durable.large import LargeInputs, whole
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.json import as_object
from pipelex.library import Library, LibraryCrate
from pipelex.mistral_workflows.about import attributes_in
from pipelex.mistral_workflows.carried import JOB, PREPARE, Carried
from pipelex.mistral_workflows.earlier.events import activity_in, kind_of, payload_in
from pipelex.mistral_workflows.platform import Platform
from pipelex.orchestration import RunSource
from pipelex.pipes.calls import RunIdentity

Members = Mapping[str, Json]

_BEGAN: Final = "WORKFLOW_EXECUTION_STARTED"
_DONE: Final = "ACTIVITY_TASK_COMPLETED"


async def read_source(platform: Platform, run_id: str, execution_id: str) -> RunSource:
    """The method, inputs and options with which a run was started.

    Args:
        platform: the platform that the run is on.
        run_id: the run's id.
        execution_id: the id of its entry pipe's execution.

    Raises:
        PipelexError: the run's events do not contain its job, or this release cannot read it.
    """
    carried = await read_carried(platform, run_id, execution_id)
    values = platform.values
    try:
        job = PipeJob.model_validate_json(await values.data(carried.job))
        library = Library(LibraryCrate.from_json_bytes(await values.data(carried.crate or "")))
        large = {name: await values.value(each) for name, each in (carried.large or {}).items()}
        call = whole(job.call, LargeInputs.model_validate({"values": large}) if large else None)
    except ValueError as unreadable:
        raise _unreadable(run_id, str(unreadable)) from None
    inputs = {name: await values.loaded(stuff) for name, stuff in call.inputs.items()}
    return RunSource(
        library,
        call.model_copy(update={"inputs": inputs}) if inputs else call,
        job.options,
        job.run or RunIdentity(run_id=run_id),
        attributes_in(carried.about or {}),
    )


async def read_carried(platform: Platform, run_id: str, execution_id: str) -> Carried:
    """The job of a run's entry pipe, which a client wrote, or a worker made from the inputs of an exposed pipe.

    Raises:
        PipelexError: the run's events do not contain it.
    """
    async for event in platform.api.events(execution=execution_id):
        if kind_of(event) == _BEGAN:
            given = payload_in(event, "input")
            first = given[0] if isinstance(given, list) and given else given
            if isinstance(first, Mapping) and JOB in first:
                return Carried.from_json(as_object(cast("Members", first)[JOB]))
        elif kind_of(event) == _DONE and activity_in(event) == PREPARE:
            return Carried.from_json(as_object(await platform.values.value(payload_in(event, "result"))))
    raise _unreadable(run_id, "its events do not contain it")


def _unreadable(run_id: str, why: str) -> PipelexError:
    return PipelexError(
        "run.not_found",
        f"the input of run '{run_id}' cannot be read: {why}",
        category=ErrorCategory.CONTENT,
        params={"pipeline_run_id": run_id},
    )
