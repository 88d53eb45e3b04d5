"""The workflows: one for any pipe, one for slices of batches, and one for each exposed pipe.

They are defined when a worker starts, and run outside the SDK's sandbox. A test replays recorded histories of all of
them to check that they are deterministic.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, cast

import mistralai.workflows as sdk
from pydantic import BaseModel, RootModel
from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

from pipelex.durable import entry
from pipelex.durable.jobs import PipeJob, SliceJob
from pipelex.errors import PipelexError
from pipelex.errors.json import Json, as_object, maybe
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.about import search_keys
from pipelex.mistral_workflows.carried import JOB, PREPARE, Carried, malformed, plain, write
from pipelex.mistral_workflows.progress import PIPE_TASK
from pipelex.pipes import unexpected_failure
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.trace import RunState
from pipelex.pipes.usage import usages_to_json
from pipelex.pipes.wire import Wire
from pipelex.temporal.workflow.failures import to_application_error
from pipelex_mistral_workflows.deployment import ExposedPipe, served
from pipelex_mistral_workflows.host import MistralHost, locally
from pipelex_mistral_workflows.schemas import input_schema

Members = dict[str, Any]
Body = Callable[[Any], Awaitable[Members]]
"""A function from the input of an execution to its result."""


class AnyInput(RootModel[Any]):
    """What an execution of Pipelex is started with: a job, as `pipelex run` writes it."""


class Given(RootModel[dict[str, Any]]):
    """What a pipe gave: `outcome`, with the value and what it used, or a reference into the storage."""


def workflow_classes(exposed: Iterable[ExposedPipe], timeout: timedelta) -> list[type[Any]]:
    """The workflow classes of a worker.

    Args:
        exposed: the pipes that have their own workflows.
        timeout: the longest time of an execution.
    """
    classes = [
        _defined(names.RUN_PIPE, _run_any_pipe, AnyInput, timeout, title="Run a Pipelex pipe"),
        _defined(names.RUN_SLICE, _run_slice, AnyInput, timeout, title="Run a slice of a batch", is_technical=True),
    ]
    return classes + [_of_pipe(each, timeout) for each in exposed]


def _of_pipe(exposed: ExposedPipe, timeout: timedelta) -> type[Any]:
    async def body(given: Any) -> Members:
        return await _run_exposed(exposed.pipe.ref, given)

    blueprint = exposed.pipe.blueprint
    return _defined(
        exposed.name, body, _input_model(exposed), timeout, title=exposed.pipe.ref, description=blueprint.description
    )


def _defined(
    name: str,
    body: Body,
    model: type[BaseModel],
    timeout: timedelta,
    *,
    title: str,
    description: str | None = None,
    is_technical: bool = False,
) -> type[Any]:
    async def run(self: Any, given: Any) -> Given:
        return Given(await _ending(body, given.root))

    run.__annotations__ = {"given": model, "return": Given}
    made = type(f"Workflow_{name.replace('-', '_')}", (), {"run": sdk.workflow.entrypoint(run), "__module__": __name__})
    define = sdk.workflow.define(
        name=name,
        workflow_display_name=title,
        workflow_description=description,
        is_technical=is_technical,
        enforce_determinism=False,
        execution_timeout=timeout,
    )
    return cast("type[Any]", define(made))


def _input_model(exposed: ExposedPipe) -> type[BaseModel]:
    """The model of the input of an exposed pipe's workflow, with a schema that describes the pipe's inputs."""
    schema = input_schema(exposed)

    class PipeInputs(RootModel[Any]):
        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> Members:
            # Pydantic's own generator refuses references to definitions that it did not make.
            return copy.deepcopy(schema)

    PipeInputs.__doc__ = exposed.pipe.blueprint.description
    return PipeInputs


# --- bodies -----------------------------------------------------------------------------------------------------------


async def _run_any_pipe(given: Any) -> Members:
    return await _run_pipe(_job_in(given))


async def _run_exposed(pipe: str, given: Any) -> Members:
    if isinstance(given, Mapping) and JOB in given:
        return await _run_pipe(_job_in(given))
    if given is not None and not isinstance(given, Mapping):
        raise malformed(f"pipe '{pipe}' must be started with an object that holds its inputs")
    inputs = cast("Mapping[str, Json]", given or {})
    deployment = served()
    run_id = names.run_id_of(workflow.info().workflow_id)
    told = await locally(PREPARE, [pipe, run_id, dict(inputs)], result_type=dict, limits=deployment.limits)
    return await _run_pipe(Carried.from_json(as_object(await MistralHost(deployment).value(told))))


async def _run_pipe(carried: Carried) -> Members:
    """Run the pipe of a job, and report it in a custom task."""
    about = carried.about or {}
    host = MistralHost(served(), carried.lanes, maybe(about.get("run"), str), carried.earlier)
    job = _read(PipeJob, await host.data(carried.job))
    host.follow(job.options)
    state: Members = {**about, "path": list(job.call.path), "state": RunState.RUNNING.value}
    task = sdk.task(PIPE_TASK, state=state)
    await task.__aenter__()
    try:
        if keys := search_keys(about):
            await sdk.workflow.add_search_keys(keys)
        crate, large = await host.data(carried.crate), await host.large_inputs(carried)
        execution = await entry.run_pipe(host, job, crate, large)
    except (Exception, asyncio.CancelledError) as failed:
        ending = _ending_of(failed, job.call)
        if isinstance(ending, ApplicationError):
            report = next(iter(ending.details), None)
            await task.update_state({"state": RunState.FAILED.value, "error": report})
            await task.__aexit__(type(ending), ending, None)
        elif isinstance(ending, asyncio.CancelledError):
            state["state"] = RunState.CANCELLED.value
            await task.__aexit__(None, None, None)
        raise ending from _cause(ending, failed)
    state["state"], state["usage"] = RunState.COMPLETED.value, usages_to_json(execution.outcome.usage)
    await task.__aexit__(None, None, None)
    told: Members = {"outcome": plain(write(execution.outcome))}
    if job.options.full_memory and not job.call.path:
        told["memory"] = execution.memory.to_json()
    return await host.given(told)


async def _run_slice(given: Any) -> Members:
    carried = _job_in(given)
    host = MistralHost(served(), carried.lanes, maybe((carried.about or {}).get("run"), str), carried.earlier)
    job = _read(SliceJob, await host.data(carried.job))
    host.follow(job.options)
    items, large = await host.items_of(carried, job), await host.large_inputs(carried)
    outcome = await entry.run_slice(host, job, await host.data(carried.crate), items, large)
    return await host.given({"outcome": plain(write(outcome))})


def _read[J: Wire](model: type[J], data: bytes) -> J:
    try:
        return model.model_validate_json(data)
    except ValueError:
        raise malformed("this release of Pipelex cannot read the job of the execution") from None


def _job_in(given: Any) -> Carried:
    job = cast("Mapping[str, Json]", given).get(JOB) if isinstance(given, Mapping) else None
    if not isinstance(job, Mapping):
        raise malformed(
            f"this workflow must be started with a Pipelex job, as the member '{JOB}'; `pipelex run` writes one"
        )
    return Carried.from_json(job)


# --- ends -------------------------------------------------------------------------------------------------------------

_NOBODY: Final = PipeCall(pipe="")


async def _ending(body: Body, given: Any) -> Members:
    """The result of a body. Every exception becomes one that ends the workflow; the SDK would retry others for ever."""
    try:
        return await body(given)
    except (Exception, asyncio.CancelledError) as failed:
        ending = _ending_of(failed, _NOBODY)
        raise ending from _cause(ending, failed)


def _ending_of(failed: Exception | asyncio.CancelledError, call: PipeCall) -> BaseException:
    """The exception that ends the workflow after a failure."""
    if isinstance(failed, ApplicationError | asyncio.CancelledError):
        return failed
    if is_cancelled_exception(failed):
        return asyncio.CancelledError()
    if isinstance(failed, PipelexError):
        return to_application_error(failed.report, may_retry=False)
    workflow.logger.exception("an execution failed unexpectedly")
    return to_application_error(unexpected_failure(call, failed).report, may_retry=False)


def _cause(ending: BaseException, failed: BaseException) -> BaseException | None:
    """The cause to record with an ending. Only the stack of a bug is worth its bytes in the history."""
    is_foreseen = ending is failed or isinstance(failed, PipelexError)
    return ending.__cause__ if is_foreseen else failed
