"""The input of a workflow: its job, and the values that travel beside it."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pipelex.durable.large import WrittenInputs
from pipelex.durable.options import EngineOptions
from pipelex.durable.stored import StoredPayload
from pipelex.library import Library, LibraryCrate
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, RunIdentity
from pipelex.pipes.wire import Wire

SLICE_WORKFLOW: Final = "PipeBatchSlice"
"""The type of the workflow that runs a slice of a batch; a pipe's workflow is named after the pipe's type."""

J = TypeVar("J", bound=Wire)


class PipeJob(Wire):
    """One pipe run; beside it travel the closure crate of its pipe and its large inputs."""

    call: PipeCall
    run: RunIdentity | None = None
    """The run; None where the engine tells it of the workflow, so that it need not travel twice.

    In the job of a schedule, the run id is empty, because each of its runs has an id of its own.
    """
    options: EngineOptions = EngineOptions()
    root: str | None = None
    """The id of the workflow of the run's entry pipe, where the engine does not tell it; see `Host.told_root`."""


class SliceJob(Wire):
    """A slice of a batch; beside it travel the crate of the batch's pipe and its large inputs.

    The slice's items do, too, where they are held by reference.
    """

    batch: BatchCall
    run: RunIdentity | None = None
    """See `PipeJob.run`."""
    options: EngineOptions = EngineOptions()
    root: str | None = None
    """See `PipeJob.root`."""
    skip: int = 0
    """The number of items that earlier runs of the workflow did."""
    done: BatchOutcome | None = None
    """The outcome of those items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope(Generic[J]):
    """A job with everything that travels beside it; each engine writes it as arguments of a workflow or an activity."""

    job: J
    crate: LibraryCrate
    """The part of the library that the job needs."""
    large: WrittenInputs | None = None
    """Inputs that the job leaves out."""
    items: StoredPayload | None = None
    """The items of a slice, if they are in the store; the worker that runs the slice fetches them."""


def owner_of(told: RunIdentity | None, run_id: str) -> RunIdentity:
    """The owner of a run: what its job or workflow says, with the run's id if that is missing; see `PipeJob.run`."""
    if told is None:
        return RunIdentity(run_id=run_id)
    return told if told.run_id else told.model_copy(update={"run_id": run_id})


def crate_of(library: Library, call: PipeCall, *others: str) -> LibraryCrate:
    """The part of the library that a call needs: the closure of its pipe, and the concepts of its input values.

    Args:
        library: the library that has the pipe.
        call: the pipe and its inputs.
        others: concepts of values that it is given later.
    """
    concepts = [*(stuff.concept for stuff in call.inputs.values()), *others]
    if call.dynamic_output is not None:
        concepts.append(call.dynamic_output)
    return library.closure(call.pipe, concepts)
