"""The part of a run that Temporal Cloud bills: its actions, as a development server with metrics counts them."""

import asyncio
import re
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from pipelex.temporal.dev_server import DevServer

T = TypeVar("T")

_SAMPLE: Final = re.compile(r"^action\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')

_TWICE: Final = "command_StartChildWorkflowExecution_Extra"
"""The second of the server's two counts of one started child workflow; Cloud bills only the first."""

_REST: Final = 3.0
"""Seconds without a change after which the counts are final. The server reports its metrics once a second."""


def counted(server: DevServer) -> Counter[str]:
    """The actions so far in the server's own namespace, by type.

    Args:
        server: the server, started with a `metrics_port`.
    """
    with urllib.request.urlopen(f"http://{server.host}:{server.metrics_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found: Counter[str] = Counter()
    for sample in _SAMPLE.finditer(text):
        labels = dict(_LABEL.findall(sample["labels"]))
        if labels["namespace"] == server.namespace and labels["action_type"] != _TWICE:
            found[labels["action_type"]] += int(float(sample["count"]))
    return found


async def at_rest(server: DevServer) -> Counter[str]:
    """The actions, once the server has stopped reporting more."""
    loop = asyncio.get_running_loop()
    found, since = await asyncio.to_thread(counted, server), loop.time()
    while loop.time() - since < _REST:
        await asyncio.sleep(0.5)
        now = await asyncio.to_thread(counted, server)
        if now != found:
            found, since = now, loop.time()
    return found


async def actions_of(server: DevServer, work: Callable[[], Awaitable[T]]) -> tuple[T, Counter[str]]:
    """The result of some work, and the actions that it takes."""
    before = await at_rest(server)
    result = await work()
    return result, await at_rest(server) - before
