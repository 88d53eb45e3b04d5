"""Makes a job from the inputs of an exposed pipe. It is fixed when the run begins, whatever is deployed later."""

from typing import Any

from pipelex.content.inputs import read_inputs
from pipelex.durable.jobs import PipeJob, crate_of
from pipelex.durable.large import LargeValues
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.mistral_workflows.begin import fixed
from pipelex.mistral_workflows.carried import Carried, write
from pipelex.orchestration.wiring import options_of
from pipelex.pipes.calls import PipeCall, RunIdentity
from pipelex.runner import input_slots
from pipelex_mistral_workflows.deployment import Deployment


async def prepared(deployment: Deployment, pipe: str, run_id: str, inputs: dict[str, Any]) -> Carried:
    """The job that an execution of an exposed pipe runs.

    Args:
        deployment: the deployment that exposes the pipe.
        pipe: the pipe's reference.
        run_id: the run's id.
        inputs: the inputs that the execution was started with.

    Raises:
        PipelexError: the inputs do not fit, this worker exposes no such pipe, or the storage does not take a value.
    """
    exposed = deployment.exposed.get(pipe)
    if exposed is None:
        raise PipelexError(
            "request.pipe_not_found",
            f"this worker exposes no pipe '{pipe}'",
            category=ErrorCategory.CONFIGURATION,
            params={"pipe": pipe},
            advice="Add it to `[mistral_workflows.exposed] pipes` of every worker of the deployment.",
        )
    config, library = deployment.config, exposed.library
    options = fixed(config.child_workflow_policy, config.stored_above, options_of(deployment.settings))
    values = read_inputs(inputs, input_slots(exposed.pipe), base_dir=None, concepts=library)
    held = {
        name: await deployment.values.by_reference(stuff, most_items=options.slice_size)
        for name, stuff in values.items()
    }
    call = PipeCall.sparse(pipe=pipe, inputs=held)
    kept, large = LargeValues(options.stored_above).split(call)
    job = PipeJob.sparse(call=kept, run=RunIdentity(run_id=run_id), options=options)
    return Carried(
        job=await deployment.values.carried(write(job)),
        crate=await deployment.values.carried_text(crate_of(library, call).json_bytes),
        large=await deployment.values.carried_inputs(large),
        lanes=config.lanes,
        about={"pipe": pipe, "type": exposed.pipe.type, "run": run_id},
    )
