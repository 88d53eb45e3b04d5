"""What travels between submitter, workflows and activities, and how it is written.

Payloads are readable JSON; only members that were set are written, and nothing executable is ever read.
"""

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions

from pipelex.library import Library, LibraryCrate
from pipelex.pipes.runtime import BatchCall, PipeCall, PipeOutcome, RunIdentity, RunOptions, Wire


class PipeJob(Wire):
    """The first argument of every workflow; the second is the closure crate of its pipe."""

    call: PipeCall
    run: RunIdentity
    options: RunOptions


class SliceJob(Wire):
    """The first argument of a workflow that runs a slice of a batch; the second is the crate of the batch's pipe."""

    batch: BatchCall
    run: RunIdentity
    options: RunOptions


class SliceOutcome(Wire):
    """What the items of a slice gave, in order."""

    outcomes: tuple[PipeOutcome, ...]


class CompactPayloadConverter(PydanticPayloadConverter):
    """Pydantic's JSON, without the members nobody set."""

    def __init__(self) -> None:
        super().__init__(ToJsonOptions(exclude_unset=True))


def crate_payload(crate: LibraryCrate) -> RawValue:
    """A crate as a payload; its bytes are made once per crate and process."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=crate.json_bytes))


def crate_of(library: Library, call: PipeCall) -> LibraryCrate:
    """What a call's pipe needs of the library: its closure, and the concepts of the very values it is given."""
    concepts = [stuff.concept for stuff in call.inputs.values()]
    if call.dynamic_output is not None:
        concepts.append(call.dynamic_output)
    return library.closure(call.pipe, concepts)
