"""The start of an entry pipe's execution on the platform."""

from pipelex.content.stuff import Json
from pipelex.durable.jobs import PipeJob, crate_of
from pipelex.durable.large import LargeValues
from pipelex.durable.limits import check_payload
from pipelex.durable.options import EngineOptions
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.about import about_run
from pipelex.mistral_workflows.api import Members
from pipelex.mistral_workflows.carried import JOB, Carried, write
from pipelex.mistral_workflows.limits import limits_of
from pipelex.mistral_workflows.platform import Platform
from pipelex.orchestration import RunRequest
from pipelex.pipes.calls import RunOptions


async def execution_input(platform: Platform, request: RunRequest) -> dict[str, Json]:
    """The input of an entry pipe's execution. Its large values are put into the storage.

    Raises:
        PipelexError: the inputs are too large, the storage does not take them, or the run has too many attributes.
    """
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


async def begin(platform: Platform, request: RunRequest, given: dict[str, Json]) -> Members | None:
    """Start the execution of an entry pipe.

    Args:
        platform: the platform that it runs on.
        request: the run to start.
        given: the input of the execution; see `execution_input`.

    Returns:
        The platform's description of the execution; None if the id is already taken.

    Raises:
        EngineUnavailable: the platform refuses the start.
    """
    id_ = names.execution_id(request.identity.run_id)
    return await platform.api.execute(_workflow(platform, request), id_, given, platform.deployment)


def _workflow(platform: Platform, request: RunRequest) -> str:
    """The name of the workflow that runs the entry pipe: its own if it is exposed, else the one for any pipe."""
    pipe, exposed = request.call.pipe, platform.config.exposed
    return exposed.name_of(pipe) if exposed.takes(pipe) else names.RUN_PIPE


def fixed(policy: str, threshold: int, options: RunOptions) -> EngineOptions:
    """A run's options, together with the settings that decide its sequence of commands.

    Args:
        policy: the `child_workflow_policy` of the settings.
        threshold: the size in bytes above which values go to the storage.
        options: the caller's options.
    """
    child_workflows = "controllers" if policy == "controllers" else "every_pipe"
    return EngineOptions.of(options, child_workflows=child_workflows, stored_above=threshold)
