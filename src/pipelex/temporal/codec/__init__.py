"""The codec of payloads: large ones go into a store, secret ones are encrypted, long ones compressed.

All of this does I/O or costs time, and is done by the SDK outside of workflow code, which never imports it; what workflow
code may know of a stored value is in `pipelex.durable.stored`.
"""

from pipelex.temporal.codec._converter import data_converter, without_size_warnings
from pipelex.temporal.codec._driver import PayloadStore
from pipelex.temporal.codec._lists import load_parts, loaded, loaded_memory, stored_as_parts
from pipelex.temporal.codec._tasks import bounded_by_task
from pipelex.temporal.codec._values import in_run, load_value, store_of, store_value, stored_above

__all__ = [
    "PayloadStore",
    "bounded_by_task",
    "data_converter",
    "in_run",
    "load_parts",
    "load_value",
    "loaded",
    "loaded_memory",
    "store_of",
    "store_value",
    "stored_above",
    "stored_as_parts",
    "without_size_warnings",
]
