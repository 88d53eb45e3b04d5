"""The local activities of long lists by reference.

Whichever worker runs a workflow performs them: they take a moment, go to no queue, and leave one event each.
"""

from typing import Any, Final

from temporalio import activity

from pipelex.temporal.codec import load_parts, store_value
from pipelex.temporal.workflow.list_parts import LOAD_LIST, STORE_LIST, StoredList
from pipelex.temporal.workflow.references import StoredPayload


@activity.defn(name=STORE_LIST)
async def store_list(items: list[Any]) -> StoredPayload:
    """Put the items of a list into the store."""
    return await store_value(activity.client().data_converter, items)


@activity.defn(name=LOAD_LIST)
async def load_list(stored: StoredList) -> list[Any]:
    """Take the items of a list out of the store."""
    return await load_parts(activity.client().data_converter, stored.parts)


LOCAL_ACTIVITIES: Final = (store_list, load_list)
"""What every worker with workflows has, whatever its scope."""
