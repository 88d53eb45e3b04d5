"""The local activities that store and load long lists.

The worker that runs a workflow performs them itself. They are short, use no task queue, and add one history event each.
"""

from typing import Any, Final

from temporalio import activity
from temporalio.converter import DataConverter

from pipelex.durable.stored import LOAD_LIST, STORE_LIST, StoredList, StoredPayload
from pipelex.temporal.codec import in_run, load_parts, store_value


@activity.defn(name=STORE_LIST)
async def store_list(items: list[Any]) -> StoredPayload:
    """Put the items of a list into the payload store."""
    return await store_value(_converter(), items)


@activity.defn(name=LOAD_LIST)
async def load_list(stored: StoredList) -> list[Any]:
    """Load the items of a list from the payload store."""
    return await load_parts(_converter(), stored.parts)


def _converter() -> DataConverter:
    info = activity.info()
    assert info.workflow_id is not None  # only workflows schedule them
    client = activity.client()
    return in_run(client.data_converter, client.namespace, info.workflow_id)


LOCAL_ACTIVITIES: Final = (store_list, load_list)
"""The activities that every worker with workflows has, whatever its scope."""
