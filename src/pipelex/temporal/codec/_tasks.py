"""The data converter of a worker, which gives everything that one task decodes a common allowance.

A task may bring thousands of payloads, such as arguments, signals and results, each of them small enough alone. The
worker makes a converter for each task with `with_context`, which gives the task its allowance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, ExternalStorage, SerializationContext, StorageDriver

from pipelex.temporal.codec._codec import PipelexCodec
from pipelex.temporal.codec._driver import PayloadStore
from pipelex.temporal.codec._limits import Allowance
from pipelex.temporal.workflow.failures import to_application_error
from pipelex.temporal.workflow.refusals import malformed

if TYPE_CHECKING:
    from temporalio.exceptions import ApplicationError


def bounded_by_task(converter: DataConverter) -> DataConverter:
    """The converter as a worker uses it; returned unchanged if it is not one of `data_converter`."""
    codec = converter.payload_codec
    if not isinstance(codec, PipelexCodec) or type(converter) is not DataConverter:
        return converter
    bounded = TaskConverter(
        payload_converter_class=converter.payload_converter_class,
        payload_codec=codec,
        failure_converter_class=converter.failure_converter_class,
        external_storage=_readable(converter.external_storage),
    )
    limits: Any = getattr(converter, "payload_limits", None)
    return bounded if limits is None else replace(bounded, payload_limits=limits)


@dataclass(frozen=True)
class TaskConverter(DataConverter):
    """A converter whose copy for a task has an allowance for that task alone."""

    def with_context(self, context: SerializationContext) -> Self:
        """See base class."""
        bound = super().with_context(context)
        if bound is self:
            bound = replace(self)
        codec = cast("PipelexCodec", bound.payload_codec)
        allowance = Allowance.of_task(codec.limit)
        object.__setattr__(bound, "payload_codec", replace(codec, task=allowance))
        if bound.external_storage is not None:
            object.__setattr__(bound, "external_storage", _within(bound.external_storage, allowance))
        return bound

    async def _decode_reference_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        try:
            return await super()._decode_reference_payload_sequence(payloads)
        except RuntimeError as unreadable:
            if self.external_storage is None:
                raise
            raise _ending(f"a reference to a stored payload cannot be read: {unreadable}") from None


@dataclass(frozen=True)
class ReadableReferences(ExternalStorage):
    """An external storage in which an unreadable reference fails the run; with the SDK's, the task would be retried."""

    def _decode_reference(self, payload: Payload) -> Any:
        try:
            return super()._decode_reference(payload)
        except Exception as unreadable:
            raise _ending(f"a reference to a stored payload cannot be read: {unreadable}") from None

    def _get_driver_by_name(self, name: str) -> StorageDriver:
        try:
            return super()._get_driver_by_name(name)
        except ValueError:
            raise _ending(f"a reference names the unknown store {name[:80]!r}") from None


def _readable(storage: ExternalStorage | None) -> ExternalStorage | None:
    if storage is None:
        return None
    return ReadableReferences(
        drivers=storage.drivers,
        driver_selector=storage.driver_selector,
        payload_size_threshold=storage.payload_size_threshold,
    )


def _within(storage: ExternalStorage, allowance: Allowance) -> ExternalStorage:
    drivers = [each.within(allowance) if isinstance(each, PayloadStore) else each for each in storage.drivers]
    return replace(storage, drivers=drivers)


def _ending(detail: str) -> "ApplicationError":
    return to_application_error(malformed(detail, "not_json").report, may_retry=False)
