"""The codec of payloads: as configured, it puts large payloads into a store, compresses payloads and encrypts them.

All of this does I/O or takes time, so the SDK does it outside of workflow code. Workflow code never imports this
package; the types that it uses for stored values are in `pipelex.durable.stored`.
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
