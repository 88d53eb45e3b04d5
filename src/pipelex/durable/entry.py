"""The bodies of workflows, which the workflow definitions of every engine run."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from pipelex.content.inputs import UnresolvedConcept, not_an_input
from pipelex.content.measure import json_size
from pipelex.content.structure import ContentError, ListShape, validate
from pipelex.content.stuff import Stuff
from pipelex.durable.budgets import HistoryBudget
from pipelex.durable.host import Host
from pipelex.durable.jobs import PipeJob, SliceJob
from pipelex.durable.large import LargeInputs, whole
from pipelex.durable.runtime import DurableRuntime, WorkflowRun, slice_envelope
from pipelex.errors import ErrorCategory, Json, Location, PipelexError, near_names
from pipelex.language.references import Slot
from pipelex.library import Library, linked_libraries
from pipelex.pipes import Execution, unexpected_failure
from pipelex.pipes.batches import joined
from pipelex.pipes.calls import BatchOutcome, PipeCall
from pipelex.pipes.references import parts_of
from pipelex.pipes.usage import Meter

WRITTEN_JOB: Final = "`pipelex build job TARGET -i …` writes the arguments of a run."
"""The advice if an argument of a workflow is not valid."""

_BUG: Final = "runtime.unexpected"


async def run_pipe(
    host: Host,
    job: PipeJob,
    crate: bytes,
    large: LargeInputs | None,
    *,
    pipe_type: str | None = None,
) -> Execution:
    """Run the pipe of a job to its end.

    Args:
        host: the workflow that runs it.
        job: the call, and what shapes it.
        crate: JSON of the closure crate of the pipe.
        large: inputs of the call that the job leaves out.
        pipe_type: the type of pipes that the workflow runs; None for any type.

    Raises:
        BaseException: the pipe failed or was cancelled; see `Host.failure`.
    """
    call = whole(job.call, large)
    with failing_with_reports(host, call):
        library = linked_libraries().get(crate)
        if pipe_type is not None:
            _check_type(library, call, pipe_type)
        if not call.path:  # a child's inputs have been checked by its parent workflow
            _check_inputs(library, call)
        workflow = WorkflowRun(host, library, job.options, job.run)
        execution = await DurableRuntime(workflow, call).execute()
        workflow.check(execution.outcome, what=f"the result of pipe '{call.pipe}'")
        return execution


async def run_slice(
    host: Host, job: SliceJob, crate: bytes, items: list[Any] | None, large: LargeInputs | None
) -> BatchOutcome:
    """Run one slice of a batch: its items in a window, or its own slices.

    Args:
        host: the workflow that runs it.
        job: the slice.
        crate: JSON of the crate of the batch's pipe.
        items: the slice's items, if the job holds them by reference.
        large: inputs of the batch's call that the job leaves out.

    Raises:
        BaseException: an item failed, the slice was cancelled, or it continues as new because its history is long; see
            `Host.failure` and `Host.go_on`.
    """
    batch = job.batch.model_copy(update={"call": whole(job.batch.call, large)})
    with failing_with_reports(host, batch.call):
        library = linked_libraries().get(crate)
        workflow = WorkflowRun(host, library, job.options, job.run)
        batches = DurableRuntime(workflow, batch.call).batches
        if not batches.is_leaf(batch):
            return await batches.run(batch, travels=True)
        at_hand = batch if items is None else batch.of_items(Stuff.of_list(batch.items.concept, items), batch.offset)
        spent, size = Meter(), batches.list_size(batch)
        if job.done is not None:
            spent.absorb(job.done)
            if size is not None:
                size.add(job.done.values.count, json_size(job.done.values.content))
        with spent.telling(), spent.counting():
            outcome, done = await batches.run_within(HistoryBudget(host), at_hand, job.skip, size=size)
        outcome = await batches.kept(outcome)
        if job.done is not None:
            outcome = joined(library, batch, [job.done, outcome])
        workflow.check(outcome, what=f"the results of a slice of pipe '{batch.call.pipe}'")
    if done == batch.items.count:
        return outcome
    rest = job.model_copy(update={"batch": batch, "skip": done, "done": outcome})
    await host.go_on(slice_envelope(rest, library.crate, workflow.large))


@contextmanager
def failing_with_reports(host: Host, call: PipeCall) -> Generator[None]:
    """Turn any failure in the block into a failure of the workflow, with a report.

    Args:
        host: the workflow.
        call: the call to run.
    """
    try:
        yield
    except PipelexError as failed:
        # Only the stack of a bug is worth its bytes in the history; other reports say what happened.
        raise host.failure(failed.report) from (failed.__cause__ if failed.code == _BUG else None)
    except Exception as bug:
        if host.is_cancellation(bug):
            raise
        # A bug of ours must fail the run, because an engine would otherwise repeat the workflow task for ever.
        host.log_bug(f"pipe '{call.pipe}' failed unexpectedly")
        raise host.failure(unexpected_failure(call, bug).report) from bug


# --- what somebody may have written by hand ----------------------------------------------------------------------------


def _check_type(library: Library, call: PipeCall, pipe_type: str) -> None:
    """Refuse a pipe of another type than the workflow's, because workflow types decide which worker runs what.

    Raises:
        PipelexError: `request.malformed`.
    """
    pipe = library.pipe(call.pipe)
    if pipe.type != pipe_type:
        raise PipelexError(
            "request.malformed",
            f"a workflow of type '{pipe_type}' runs pipes of that type, and '{pipe.ref}' is a {pipe.type}",
            category=ErrorCategory.CONTENT,
            params={"reason": "invalid_argument"},
            advice=WRITTEN_JOB,
        )


def _check_inputs(library: Library, call: PipeCall) -> None:
    """Refuse inputs that do not match the pipe's declarations, before any model is called.

    Lists by reference are checked when they are read.

    Raises:
        PipelexError: `input.missing`, `input.unexpected`, `input.wrong_concept`, `input.wrong_multiplicity` or
            `input.invalid`.
    """
    slots = library.pipe(call.pipe).inputs
    for name in call.inputs:
        if name not in slots:
            raise _refused("input.unexpected", not_an_input(name, slots, near_names(name, slots)), name)
    for name, slot in slots.items():
        stuff = call.inputs.get(name)
        if stuff is not None:
            _check_slot(library, name, slot, stuff)
            if not parts_of(stuff):
                _check_content(library, name, stuff)
            _check_count(name, slot, stuff)
        elif slot.presence != "optional":
            raise _refused("input.missing", f"the input '{name}' ({slot}) is missing", name)


def _check_slot(library: Library, name: str, slot: Slot, stuff: Stuff) -> None:
    try:
        given = library.resolve(stuff.concept)
    except UnresolvedConcept as unknown:
        raise _refused(
            "input.wrong_concept",
            f"the input '{name}': {unknown}",
            name,
            expected=slot.concept,
            provided=stuff.concept,
        ) from None
    if not library.is_compatible(given, slot.concept):
        detail = f"the input '{name}' takes a {slot.concept}, not a {given}"
        raise _refused("input.wrong_concept", detail, name, expected=slot.concept, provided=given)
    if slot.is_list != stuff.is_list:
        expected = "list" if slot.is_list else "single"
        wanted = f"a list of {slot.concept}" if slot.is_list else "one value, not a list"
        raise _refused("input.wrong_multiplicity", f"the input '{name}' takes {wanted}", name, expected=expected)


def _check_count(name: str, slot: Slot, stuff: Stuff) -> None:
    if slot.count is not None and stuff.count != slot.count:
        raise _refused(
            "input.wrong_multiplicity",
            f"the input '{name}' takes exactly {slot.count} values of {slot.concept}, not {stuff.count}",
            name,
            expected="count",
            expected_count=slot.count,
        )


def _check_content(library: Library, name: str, stuff: Stuff) -> None:
    shape = library.shape(stuff.concept)
    try:
        if stuff.is_list:
            validate(ListShape(shape), stuff.items, where=name)
        else:
            validate(shape, stuff.content, where=name)
    except ContentError as wrong:
        place, message = wrong.faults[0]
        detail = f"the input '{name}' is not a valid {stuff.concept}: {place} {message}"
        field = place.removeprefix(name).removeprefix(".")
        raise _refused("input.invalid", detail, name, field=field) from None
    except (KeyError, TypeError) as wrong:
        detail = f"the input '{name}' is not a list of {stuff.concept}: {type(wrong).__name__}"
        raise _refused("input.invalid", detail, name, field="") from None


def _refused(code: str, detail: str, name: str, **params: Json) -> PipelexError:
    return PipelexError(
        code,
        detail,
        category=ErrorCategory.CONTENT,
        params={"input": name, **params},
        location=Location(input=name),
    )
