"""The local activities of long lists by reference.

Whichever worker runs a workflow performs them: they take a moment, go to no queue, and leave one event each.
"""

from typing import Any, Final

from temporalio import activity
from temporalio.converter import DataConverter

from pipelex.durable.stored import LOAD_LIST, STORE_LIST, StoredList, StoredPayload
from pipelex.temporal.codec import in_run, load_parts, store_value


@activity.defn(name=STORE_LIST)
async def store_list(items: list[Any]) -> StoredPayload:
    """Put the items of a list into the store."""
    return await store_value(_converter(), items)


@activity.defn(name=LOAD_LIST)
async def load_list(stored: StoredList) -> list[Any]:
    """Take the items of a list out of the store."""
    return await load_parts(_converter(), stored.parts)


def _converter() -> DataConverter:
    info = activity.info()
    assert info.workflow_id is not None  # a workflow always schedules them
    client = activity.client()
    return in_run(client.data_converter, client.namespace, info.workflow_id)


LOCAL_ACTIVITIES: Final = (store_list, load_list)
"""The activities that every worker with workflows has, whatever its scope."""
