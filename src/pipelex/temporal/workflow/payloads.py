"""The form of travelling values as Temporal's payloads.

Payloads are readable JSON; only members that were set are written, and nothing executable is ever read.
"""

from collections.abc import Sequence
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions

from pipelex.durable.jobs import Envelope, SliceJob
from pipelex.durable.large import WrittenInputs
from pipelex.library import LibraryCrate
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.large_inputs import parts_payload
from pipelex.temporal.workflow.references import reference_payload
from pipelex.temporal.workflow.refusals import malformed, too_large

MARKS: Final = 5_000_000
"""The maximum number of commas and opening brackets in payloads that come together. Each may begin a value of its own, which takes up to a
hundred bytes of memory however short its text; fifty megabytes of prose have about a million."""


class CompactPayloadConverter(PydanticPayloadConverter):
    """Pydantic's JSON, without the members nobody set; and none that takes far more memory than its text."""

    def __init__(self) -> None:
        super().__init__(ToJsonOptions(exclude_unset=True))

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """See base class.

        Raises:
            PipelexError: the payloads hold too many values (`request.too_large`).
            ApplicationError: a payload without a type is not JSON (`request.malformed`).
        """
        _check_marks(payloads)
        try:
            return super().from_payloads(payloads, type_hints)
        except Exception as unreadable:
            if type_hints is not None:
                raise  # another release may know the type's new members
            # Fewer arguments than a workflow takes are read as plain JSON. No release can read what is none.
            refused = malformed(f"a payload cannot be read: {unreadable}", "invalid_argument")
            raise to_application_error(refused.report, may_retry=False) from None


def _check_marks(payloads: Sequence[Payload]) -> None:
    if sum(len(payload.data) for payload in payloads) <= MARKS:
        return
    marks = sum(payload.data.count(mark) for payload in payloads for mark in (b",", b"[", b"{"))
    if marks > MARKS:
        raise too_large(f"its JSON has {marks:,} separators, and at most {MARKS:,} are read", MARKS, marks)


def crate_payload(crate: LibraryCrate) -> RawValue:
    """A crate as a payload; its bytes are made once per crate and process."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=crate.json_bytes))


class Arguments:
    """Envelopes as arguments; what was written once is not written again, as long as the same follows the same."""

    def __init__(self) -> None:
        self._last: tuple[WrittenInputs, RawValue] | None = None

    def of(self, envelope: Envelope[Any]) -> list[Any]:
        """The arguments of a workflow, or of the activity that renders.

        There are always as many as parameters: the SDK reads arguments by their types only then.
        """
        large = None if envelope.large is None else self._large(envelope.large)
        if not isinstance(envelope.job, SliceJob):
            return [envelope.job, crate_payload(envelope.crate), large]
        items = None if envelope.items is None else RawValue(reference_payload(envelope.items))
        return [envelope.job, crate_payload(envelope.crate), items, large]

    def _large(self, large: WrittenInputs) -> RawValue:
        if self._last is None or self._last[0] is not large:
            self._last = (large, RawValue(parts_payload(large.values)))
        return self._last[1]
