"""What travels between submitter, workflows and activities, and how it is written.

Payloads are readable JSON; only members that were set are written, and nothing executable is ever read.
"""

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions
from temporalio.converter import DataConverter

from pipelex.library import LibraryCrate
from pipelex.pipes.runtime import PipeCall, RunIdentity, RunOptions, Wire


class PipeJob(Wire):
    """The first argument of every workflow; the second is the closure crate of its pipe."""

    call: PipeCall
    run: RunIdentity
    options: RunOptions


class CompactPayloadConverter(PydanticPayloadConverter):
    """Pydantic's JSON, without the members nobody set."""

    def __init__(self) -> None:
        super().__init__(ToJsonOptions(exclude_unset=True))


def data_converter() -> DataConverter:
    """The converter of every client and worker of ours."""
    return DataConverter(payload_converter_class=CompactPayloadConverter)


def crate_payload(crate: LibraryCrate) -> RawValue:
    """A crate as a payload; its bytes are made once per crate and process."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=crate.json_bytes))
