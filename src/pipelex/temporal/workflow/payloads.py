"""What travels between submitter, workflows and activities, and how it is written.

Payloads are readable JSON; only members that were set are written, and nothing executable is ever read.
"""

from collections.abc import Sequence
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions

from pipelex.library import Library, LibraryCrate
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, RunIdentity, RunOptions
from pipelex.pipes.wire import Wire
from pipelex.temporal.workflow.refusals import too_large


class PipeJob(Wire):
    """The first argument of every workflow; the second is the closure crate of its pipe, the third its `LargeInputs`.

    There are always three: the SDK reads arguments by their types only where their number is that of the parameters.
    """

    call: PipeCall
    run: RunIdentity | None = None
    """None: the workflow's search attributes tell it, and it need not travel twice."""
    options: RunOptions = RunOptions()


class SliceJob(Wire):
    """The first argument of a workflow that runs a slice of a batch.

    The second is the crate of the batch's pipe; the third, where the items are held by reference, the items; the last its
    `LargeInputs`.
    """

    batch: BatchCall
    run: RunIdentity | None = None
    options: RunOptions = RunOptions()
    skip: int = 0
    """Items that earlier runs of the workflow did."""
    done: BatchOutcome | None = None
    """What they gave."""


MARKS: Final = 5_000_000
"""The maximum number of commas and opening brackets in one payload. Each may begin a value of its own, which takes up to a
hundred bytes of memory however short its text; fifty megabytes of prose have about a million."""


class CompactPayloadConverter(PydanticPayloadConverter):
    """Pydantic's JSON, without the members nobody set; and none that takes far more memory than its text."""

    def __init__(self) -> None:
        super().__init__(ToJsonOptions(exclude_unset=True))

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """See base class.

        Raises:
            PipelexError: a payload holds too many values (`request.too_large`).
        """
        for payload in payloads:
            _check_marks(payload.data)
        return super().from_payloads(payloads, type_hints)


def _check_marks(data: bytes) -> None:
    if len(data) <= MARKS:
        return
    marks = sum(data.count(mark) for mark in (b",", b"[", b"{"))
    if marks > MARKS:
        raise too_large(f"its JSON has {marks:,} separators, and at most {MARKS:,} are read", MARKS, marks)


def crate_payload(crate: LibraryCrate) -> RawValue:
    """A crate as a payload; its bytes are made once per crate and process."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=crate.json_bytes))


def crate_of(library: Library, call: PipeCall, *others: str) -> LibraryCrate:
    """What a call's pipe needs of the library: its closure, and the concepts of the very values it is given.

    Args:
        library: has the pipe.
        call: the pipe and its inputs.
        others: concepts of values that it is given later.
    """
    concepts = [*(stuff.concept for stuff in call.inputs.values()), *others]
    if call.dynamic_output is not None:
        concepts.append(call.dynamic_output)
    return library.closure(call.pipe, concepts)
