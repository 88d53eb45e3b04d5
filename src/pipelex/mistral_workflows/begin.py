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
    """The input that an entry pipe's execution is started with; its large values are in the storage then.

    Raises:
        PipelexError: the inputs are too large, or the storage does not take them.
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
        request: the request to run.
        given: its input, see `execution_input`.

    Returns:
        The platform's description of the execution; None: the id is taken.

    Raises:
        EngineUnavailable: the platform refuses the start.
    """
    id_ = names.execution_id(request.identity.run_id)
    return await platform.api.execute(_workflow(platform, request), id_, given, platform.deployment)


def _workflow(platform: Platform, request: RunRequest) -> str:
    """The workflow that the entry pipe runs in: its own where it is exposed, else the one for any pipe."""
    pipe, exposed = request.call.pipe, platform.config.exposed
    return exposed.name_of(pipe) if exposed.takes(pipe) else names.RUN_PIPE


def fixed(policy: str, threshold: int, options: RunOptions) -> EngineOptions:
    """A run's options with what shapes the sequence of its commands.

    Args:
        policy: the child pipes that are executions of their own.
        threshold: bytes from which values are in the storage.
        options: the caller's.
    """
    child_workflows = "controllers" if policy == "controllers" else "every_pipe"
    return EngineOptions.of(options, child_workflows=child_workflows, stored_above=threshold)
