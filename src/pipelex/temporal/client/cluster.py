"""The connection to the cluster that the settings name, with the settings for runs on it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client

from pipelex.config import Settings
from pipelex.temporal.client.connect import connect
from pipelex.temporal.codec import data_converter
from pipelex.temporal.config import ConnectionSettings, TemporalConfig, connection

ENVIRONMENT_PREFIXES: Final = {"unit_testing": "ut-", "ci": "ci-", "cc": "cc-", "cct": "cct-"}
"""Name of a special environment → the prefix that its workflow ids have before the pipeline run id."""

LONGEST_POLL: Final = timedelta(seconds=75)
"""The maximum time since the last poll of a running worker. A worker polls again after a minute at most; the rest
allows for clocks that differ."""

_QUERY: Final = timedelta(seconds=10)

_TASK_KINDS: Final = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


@dataclass(frozen=True)
class Cluster:
    """A connected client, and the settings of runs on its cluster."""

    client: Client
    """The client, connected with Pipelex's data converter."""
    config: TemporalConfig
    id_prefix: str = ""
    """The prefix that turns a pipeline run id into a workflow id."""
    server: str = "local"
    """The name of the server's profile."""
    ui_url: str | None = None
    """The address of the server's web UI; None if it is not known."""

    @classmethod
    async def open(cls, settings: Settings, config: TemporalConfig) -> "Cluster":
        """Connect to the selected server.

        Raises:
            EngineUnavailable: nothing answers, the credentials are refused, or there is no such namespace.
        """
        target = connection(config, settings)
        client = await connect(target, data_converter(config, settings, target))
        prefix = ENVIRONMENT_PREFIXES.get(settings.environment or "", "")
        return cls(client, config, prefix, target.server, target.ui_url or await _usual_ui(target))

    @property
    def queue(self) -> str:
        """The task queue that runs are started on."""
        return self.config.worker_config.default_task_queue

    def link(self, workflow_id: str) -> str | None:
        """The address of a workflow in Temporal's web UI; None if the UI is not known."""
        if self.ui_url is None:
            return None
        namespace = quote(self.client.namespace, safe="")
        return f"{self.ui_url}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}"

    @property
    def unlinked(self) -> str:
        """The advice on how to get links to runs; empty if there are links already."""
        table = f"[temporal.temporal_config.temporal_server_configs.{self.server}]"
        return "" if self.ui_url is not None else f"set `ui_url` in {table} to the address of Temporal's web UI"

    @property
    def place(self) -> str:
        """The place of the runs, for people."""
        return f"namespace '{self.client.namespace}'"

    async def has_workers(self) -> bool:
        """Whether a workflow worker polls the queue of runs, or did a moment ago; see `is_polled`."""
        return await is_polled(self.client, self.queue)


def worker_command(queue: str, *, scope: str | None = None) -> str:
    """The command that starts a worker on a queue."""
    return f"pipelex worker --task-queue {queue}" + ("" if scope is None else f" --scope {scope}")


async def is_polled(client: Client, task_queue: str, kind: Literal["workflow", "activity"] = "workflow") -> bool:
    """Whether a worker polls a queue for tasks of that kind.

    The server forgets a poller five minutes after its last poll. A running worker polls at least once a minute, so a
    poller that has not done so has ended. In the first minute after its end, a worker still counts as polling; only
    tasks that nobody takes show that it has ended.
    """
    return bool(_present(await _described(client, task_queue, kind)))


class Version(NamedTuple):
    """A version of a worker deployment."""

    deployment_name: str
    build_id: str


async def lacking_version(client: Client, task_queue: str) -> Version | None:
    """A version that polls a queue in vain, because all workers there are versioned and no version is current."""
    answer = await _described(client, task_queue, "workflow")
    pollers = _present(answer)
    versions = [
        Version(poller.deployment_options.deployment_name, poller.deployment_options.build_id)
        for poller in pollers
        if poller.deployment_options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    ]
    is_routed = bool(answer.versioning_info.current_deployment_version.build_id)
    return None if is_routed or not versions or len(versions) < len(pollers) else versions[0]


def _present(answer: DescribeTaskQueueResponse) -> list[PollerInfo]:
    now = datetime.now(UTC)
    return [each for each in answer.pollers if now - each.last_access_time.ToDatetime(UTC) < LONGEST_POLL]


async def _described(
    client: Client, task_queue: str, kind: Literal["workflow", "activity"]
) -> DescribeTaskQueueResponse:
    return await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=_TASK_KINDS[kind]
        ),
        timeout=_QUERY,
    )


_USUAL_UI: Final = ("localhost", 8233)
"""The host and port of the UI of `temporal server start-dev`, if its frontend is on port 7233."""


async def _usual_ui(target: ConnectionSettings) -> str | None:
    """The address of that UI, if the target may be that server and something listens there; otherwise None."""
    if not target.is_local or not target.target_host.endswith(":7233"):
        return None
    try:
        async with asyncio.timeout(0.5):
            _, writer = await asyncio.open_connection(*_USUAL_UI)
    except (OSError, TimeoutError):
        return None
    writer.close()
    return "http://{}:{}".format(*_USUAL_UI)
