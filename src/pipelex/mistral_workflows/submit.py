"""Starting runs on Mistral Workflows, or finding the one that already has the id."""

from typing import Final

from pipelex.content.stuff import Json
from pipelex.durable.jobs import PipeJob, crate_of
from pipelex.durable.large import LargeValues
from pipelex.durable.limits import check_payload
from pipelex.durable.options import EngineOptions
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.about import about_run
from pipelex.mistral_workflows.carried import JOB, Carried, write
from pipelex.mistral_workflows.limits import limits_of
from pipelex.mistral_workflows.platform import Platform
from pipelex.mistral_workflows.run import MistralRun, state_of
from pipelex.orchestration import RunRequest, StartedRun
from pipelex.orchestration.refusals import id_is_taken, note_on
from pipelex.orchestration.wiring import storage_of
from pipelex.pipes.calls import RunOptions

_RECORDS: Final = "mistral-runs"
"""The folder of the storage that holds what the runs with a chosen id were asked for."""


async def submit(platform: Platform, request: RunRequest) -> StartedRun:
    """Start an entry pipe, or attach to the run that has its id and was asked for the same.

    Raises:
        EngineUnavailable: the platform refuses the start.
        PipelexError: the id is that of a run with another job, or the storage does not take the inputs.
    """
    run = MistralRun(platform, request.identity.run_id)
    if request.is_named and await platform.api.execution(run.workflow_id) is not None:
        return await _found(run, request)
    carried = await _carried(platform, request)
    if request.is_named:
        await storage_of(platform.settings).keep(_record(run), request.digest.encode())
    workflow = await _workflow(platform, request)
    is_new = await platform.api.execute(workflow, run.workflow_id, carried, platform.deployment)
    return StartedRun(run) if is_new else await _found(run, request)


async def _workflow(platform: Platform, request: RunRequest) -> str:
    """The workflow that the entry pipe runs in: its own where it is exposed, else the one for any pipe."""
    pipe, exposed = request.call.pipe, platform.config.exposed
    return exposed.name_of(pipe) if exposed.takes(pipe) else names.RUN_PIPE


async def _carried(platform: Platform, request: RunRequest) -> dict[str, Json]:
    """The input that the execution is started with."""
    config, values, library = platform.config, platform.values, request.library
    options = fixed(config.child_workflow_policy, config.stored_above, request.options)
    inputs = {
        name: await values.by_reference(stuff, most_items=options.slice_size)
        for name, stuff in request.call.inputs.items()
    }
    call = request.call.model_copy(update={"inputs": inputs}) if inputs else request.call
    pipe = library.pipe(call.pipe)
    job = PipeJob.sparse(call=call, run=request.identity, options=options)
    limits = limits_of(config.max_payload_bytes)
    what = f"the inputs of pipe '{pipe.code}'"
    check_payload(job, limits, what=what, named=call.inputs, stored_above=options.stored_above)
    kept, large = LargeValues(options.stored_above).split(call)
    carried = Carried(
        job=await values.carried_text(write(job.model_copy(update={"call": kept}))),
        crate=await values.carried_text(crate_of(library, call).json_bytes),
        large=await values.carried_inputs(large),
        lanes=config.lanes,
        about=about_run(request, pipe),
    )
    return {JOB: carried.to_json()}


def fixed(policy: str, threshold: int, options: RunOptions) -> EngineOptions:
    """A run's options with what shapes the sequence of its commands.

    Args:
        policy: the child pipes that are executions of their own.
        threshold: bytes from which values are in the storage.
        options: the caller's.
    """
    child_workflows = "controllers" if policy == "controllers" else "every_pipe"
    return EngineOptions.of(options, child_workflows=child_workflows, stored_above=threshold)


def _record(run: MistralRun) -> str:
    return f"{_RECORDS}/{run.workflow_id}"


async def _found(run: MistralRun, request: RunRequest) -> StartedRun:
    """The run that has the id already.

    Raises:
        PipelexError: it was asked for something else.
    """
    kept = await storage_of(run.platform.settings).kept(_record(run))
    if kept is not None and kept.decode() != request.digest:
        raise id_is_taken(run.run_id)
    state = state_of(await run.execution())
    retry = f"Go on from where it failed: pipelex runs retry {run.run_id}. Or give another run id."
    return StartedRun(run, state, note_on(run.run_id, state, retry=retry))
