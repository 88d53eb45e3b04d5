"""Checks that the server still waits for an attempt that begins late, before the attempt costs anything."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from temporalio import activity
from temporalio.client import AsyncActivityCancelledError
from temporalio.service import RPCError, RPCStatusCode

LATE_SHARE: Final = 1 / 5
"""An attempt is late once this share of its heartbeat time-out has passed since the server handed it out."""


async def check_it_is_awaited() -> None:
    """Stop an attempt that the server gave up before it began here, because another one already pays for the call.

    A busy worker may begin an attempt long after the server handed it out. Only then is the server asked.

    Raises:
        CancelledError: the server no longer waits for this attempt.
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
