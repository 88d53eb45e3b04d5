"""An attempt that begins late: whether the server still waits for it, before it costs anything."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from temporalio import activity
from temporalio.client import AsyncActivityCancelledError
from temporalio.service import RPCError, RPCStatusCode

LATE_SHARE: Final = 1 / 5
"""The share of the heartbeat time-out that may pass between the server's start of an attempt and its beginning here."""


async def check_it_is_awaited() -> None:
    """Leave an attempt that the server gave up before it began here: another one is under way, and pays for the call.

    A busy worker may begin an attempt long after the server gave it out. Only then is the server asked.

    Raises:
        CancelledError: the server does not wait for this attempt any more.
    """
    info = activity.info()
    limit = info.heartbeat_timeout
    if limit is None or datetime.now(UTC) - info.started_time < limit * LATE_SHARE:
        return
    given = activity.client().get_async_activity_handle(task_token=info.task_token)
    try:
        await given.heartbeat(*info.heartbeat_details)
    except AsyncActivityCancelledError:
        raise asyncio.CancelledError from None
    except RPCError as failed:
        if failed.status is RPCStatusCode.NOT_FOUND:
            raise asyncio.CancelledError from None
