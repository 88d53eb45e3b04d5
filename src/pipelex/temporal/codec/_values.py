"""Stores and loads single values, which code puts into the payload store itself."""

from typing import Any, TypeVar, cast

from temporalio.converter import DataConverter, WorkflowSerializationContext

from pipelex.durable.stored import StoredPayload
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.codec._driver import PayloadStore

T = TypeVar("T")


def store_of(converter: DataConverter) -> PayloadStore | None:
    """The payload store of a client or worker; None if payloads are not stored."""
    drivers = () if converter.external_storage is None else converter.external_storage.drivers
    return next((driver for driver in drivers if isinstance(driver, PayloadStore)), None)


def stored_above(converter: DataConverter) -> int | None:
    """The size in bytes from which a client's or worker's payloads are stored; None if they are not stored."""
    storage = converter.external_storage
    return None if storage is None else storage.payload_size_threshold


def in_run(converter: DataConverter, namespace: str, workflow_id: str) -> DataConverter:
    """The converter for `store_value` and `load_value` in a run, with which encryption binds the values to the run."""
    return converter.with_context(WorkflowSerializationContext(namespace=namespace, workflow_id=workflow_id))


async def store_value(converter: DataConverter, value: Any) -> StoredPayload:
    """Put a value into the payload store, whatever its size. For activities and clients, never for workflow code.

    Args:
        converter: the converter of the client, or of the activity's worker (`activity.client().data_converter`).
        value: anything that could be an argument.

    Raises:
        PipelexError: payloads are not stored here, or the store cannot take the value.
    """
    store = _required(converter)
    (payload,) = converter.payload_converter.to_payloads([value])
    if converter.payload_codec is not None:
        (payload,) = await converter.payload_codec.encode([payload])
    return await store.put(payload)


async def load_value(converter: DataConverter, stored: StoredPayload, type_hint: type[T]) -> T:
    """The value that is stored in the payload store. For activities and clients, never for workflow code.

    Raises:
        PipelexError: payloads are not stored here, or the store does not have the value.
    """
    store = _required(converter)
    payload = await store.get(stored)
    if converter.payload_codec is not None:
        (payload,) = await converter.payload_codec.decode([payload])
    (value,) = converter.payload_converter.from_payloads([payload], [type_hint])
    return cast("T", value)


def _required(converter: DataConverter) -> PayloadStore:
    store = store_of(converter)
    if store is None:
        raise PipelexError(
            "runtime.misconfigured",
            "a value must go to the payload store, but none is configured here",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "payload_storage"},
            advice="Set `[temporal.payload_codec_config] is_enabled = true`, and the same store on every worker and client.",
        )
    return store
