"""Converts values that travel to and from Temporal's payloads.

Payloads are readable JSON, and contain only members that were set. Reading a payload never executes code from it.
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
"""The most commas and opening brackets in payloads that are read together. Each may start a value, which takes up to a
hundred bytes of memory however short its text is. Fifty megabytes of prose have about a million."""


class CompactPayloadConverter(PydanticPayloadConverter):
    """Writes pydantic's JSON without members that were not set, and refuses JSON that would take too much memory."""

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
                raise  # another release may know new members of the type
            # The SDK reads plain JSON if a workflow gets too few arguments. No release can read anything else.
            refused = malformed(f"a payload cannot be read: {unreadable}", "invalid_argument")
            raise to_application_error(refused.report, may_retry=False) from None


def _check_marks(payloads: Sequence[Payload]) -> None:
    if sum(len(payload.data) for payload in payloads) <= MARKS:
        return
    marks = sum(payload.data.count(mark) for payload in payloads for mark in (b",", b"[", b"{"))
    if marks > MARKS:
        raise too_large(f"its JSON has {marks:,} separators, and at most {MARKS:,} are read", MARKS, marks)


def crate_payload(crate: LibraryCrate) -> RawValue:
    """A crate as a payload; its bytes are made once for each crate in a process."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=crate.json_bytes))


class Arguments:
    """Writes envelopes as arguments. Large inputs are not written again if they are those of the envelope before."""

    def __init__(self) -> None:
        self._last: tuple[WrittenInputs, RawValue] | None = None

    def of(self, envelope: Envelope[Any]) -> list[Any]:
        """The arguments of a workflow, or of an activity that reads the run's values.

        There is always one for each parameter, because the SDK otherwise ignores the types of the parameters.
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
