"""Pipelex as a Temporal plugin: give it to a client, and that client's workers run methods.

`pipelex worker` is a thin command on top of it. A worker of your own can use the same plugin beside your workflows:

```python
plugin = PipelexPlugin.from_settings()
client = await Client.connect("localhost:7233", plugins=[plugin])
worker = Worker(client, task_queue=plugin.task_queue)
```
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Self, cast

from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker import ReplayerConfig, UnsandboxedWorkflowRunner, Worker, WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from pipelex.config import Settings, load_settings
from pipelex.durable.dispatch import Dispatcher
from pipelex.durable.limits import EngineLimits
from pipelex.errors import ConfigurationError, PipelexError
from pipelex.inference import Inference
from pipelex.orchestration.wiring import inference_of
from pipelex.temporal.codec import bounded_by_task, data_converter, without_size_warnings
from pipelex.temporal.config import PayloadCodecConfig, TemporalConfig, connection, parse_temporal_config
from pipelex.temporal.tracing import interceptors
from pipelex.temporal.worker.activities import activities_of
from pipelex.temporal.worker.list_activities import LOCAL_ACTIVITIES
from pipelex.temporal.worker.quiet import quieten_expected_failures
from pipelex.temporal.worker.scopes import ScopeContent, resolve_scope
from pipelex.temporal.worker.subjects import ReadingSubjects
from pipelex.temporal.worker.workflow_types import workflow_classes
from pipelex.temporal.workflow.handover import HandingOver, Handover
from pipelex.temporal.workflow.limits import LIMITS
from pipelex.temporal.workflow.payloads import CompactPayloadConverter

PASSED_THROUGH: Final = (
    # Pure, as an import contract ensures, and costly to load again for every run.
    "pipelex.errors",
    "pipelex.exits",
    "pipelex.language",
    "pipelex.content",
    "pipelex.templating",
    "pipelex.library",
    "pipelex.pipes",
    "pipelex.durable",
    # Deterministic glue between the pipes and the SDK, and the worker's own configuration.
    "pipelex.temporal.config",
    "pipelex.temporal.workflow",
    "pipelex.config",
    # Validation and rendering: pure as used here.
    "annotated_types",
    "jinja2",
    "markdown_it",
    "markupsafe",
    "mdurl",
    "opentelemetry",
    "pydantic",
    "pydantic_core",
    "typing_inspection",
)
"""The modules that workflow code shares with the process; `pipelex.temporal.workflows` is not among them."""

LONGEST_ACTIVATION: Final = 60.0
"""The maximum time, in seconds, that workflow code may run without yielding. The SDK's own limit is 2 seconds."""


class PipelexPlugin(SimplePlugin):
    """Sets up the converter, workflows, activities, sandbox and failure types of a Pipelex worker.

    Args:
        config: the configuration of dispatch and scopes.
        inference: the service that performs the effects and knows the models.
        converter: the data converter of a client that gets this plugin, and so of the client's workers; see
            `pipelex.temporal.codec.data_converter`. None for one without a codec or a store.
        scope: the name of the scope that the worker serves; the configured default when None.
        is_sandboxed: whether workflows run in Temporal's sandbox; False is for debugging.
    """

    limits: EngineLimits = LIMITS
    """The limits of the server. Set them on the plugin if the server's limits were changed."""

    def __init__(
        self,
        config: TemporalConfig,
        inference: Inference,
        converter: DataConverter | None = None,
        *,
        scope: str | None = None,
        is_sandboxed: bool = True,
    ) -> None:
        self.scope: ScopeContent = resolve_scope(config, scope)
        self._config = config
        self._inference = inference
        self._owns_inference = False
        """Whether the plugin closes the connections to providers when its last worker ends."""
        self._workers = 0
        cancel_check = config.worker_config.cancellation_check_interval
        activities = activities_of(inference, lambda: self.limits, cancel_check=cancel_check)
        super().__init__(  # pyright: ignore[reportUnknownMemberType] the SDK leaves its callables open
            "pipelex.Pipelex",
            data_converter=converter
            or DataConverter(payload_converter_class=CompactPayloadConverter, **without_size_warnings()),
            workflows=workflow_classes(self.scope.workflows),
            activities=[
                *(activities[name] for name in self.scope.activities),
                *(LOCAL_ACTIVITIES if self.scope.workflows else ()),
            ],
            workflow_runner=lambda runner: pipelex_runner(runner, is_sandboxed=is_sandboxed),
            workflow_failure_exception_types=[PipelexError],
            interceptors=interceptors(),
        )

    @classmethod
    def from_settings(
        cls, settings: Settings | None = None, *, scope: str | None = None, is_sandboxed: bool = True
    ) -> Self:
        """The plugin, configured by the settings.

        Args:
            settings: the settings; those of the working directory's project when None.
            scope: the name of the scope that the worker serves; the configured default when None.
            is_sandboxed: whether workflows run in Temporal's sandbox; False is for debugging.

        Raises:
            ConfigurationError: a settings file is wrong, or a key or a package of the payload codec is missing.
        """
        settings = settings or load_settings()
        config = parse_temporal_config(settings)
        converter = data_converter(config, settings, connection(config, settings))
        plugin = cls(config, inference_of(settings), converter, scope=scope, is_sandboxed=is_sandboxed)
        plugin._owns_inference = True
        return plugin

    @property
    def task_queue(self) -> str:
        """The task queue of workflows, as configured."""
        return self._config.worker_config.default_task_queue

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See base class. An interceptor gives workflows the dispatcher of their activities and the server's limits."""
        configured: dict[str, Any] = {**super().configure_worker(config)}
        client: Client = configured["client"]
        has_store = client.data_converter.external_storage is not None
        handing = HandingOver(self._handover(configured["task_queue"], has_store=has_store))
        configured["interceptors"] = [*configured.get("interceptors", ()), handing, ReadingSubjects()]
        return cast("WorkerConfig", configured)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """See base class. Replayed workflows get the same dispatcher as on a worker of the default task queue."""
        configured: dict[str, Any] = {**super().configure_replayer(config)}
        handing = HandingOver(self._handover(self._config.worker_config.default_task_queue))
        configured["interceptors"] = [*(configured.get("interceptors") or ()), handing]
        return cast("ReplayerConfig", configured)

    def _handover(self, task_queue: str, *, has_store: bool = True) -> Callable[[], Handover]:
        dispatcher = Dispatcher(
            self._config.routing,
            self._inference,
            task_queue,
            has_store=has_store,
            is_fair_by_user=self._config.worker_config.fairness_by_user,
            is_traced=self._config.log.is_dispatch_resolution_traced,
        )
        return lambda: Handover(dispatcher, self.limits)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """See base class.

        Raises:
            ConfigurationError: the client's data converter lacks the configured encryption or store.
        """
        _require_converter(self._config.payload_codec_config, worker.client.data_converter)
        _grant_time(worker)
        _bound_tasks(worker)
        quieten_expected_failures()
        self._workers += 1
        try:
            await next(worker)
        finally:
            self._workers -= 1
            if self._owns_inference and not self._workers:
                await self._inference.aclose()


def _require_converter(config: PayloadCodecConfig, converter: DataConverter) -> None:
    """Refuse to run if payloads would be written without the configured encryption or store."""
    lacking = {
        "encryption": config.encryption is not None and converter.payload_codec is None,
        "is_enabled": config.is_enabled is True and converter.external_storage is None,
    }
    for key, is_lacking in lacking.items():
        if is_lacking:
            raise ConfigurationError(
                f"[temporal.payload_codec_config] sets '{key}', but the client of this worker has a data converter "
                "that ignores it",
                advice="Give the client `pipelex.temporal.codec.data_converter(config, settings, target)`, through "
                "PipelexPlugin or directly.",
            )


def _grant_time(worker: Worker) -> None:
    """Let workflow code read and write values of hundreds of megabytes, which takes seconds on a busy machine.

    The SDK reports a deadlock if the code does not yield for two seconds, and it has no setting for that time.
    """
    workflows: Any = getattr(worker, "_workflow_worker", None)
    if getattr(workflows, "_deadlock_timeout_seconds", None) is not None:
        workflows._deadlock_timeout_seconds = LONGEST_ACTIVATION


def _bound_tasks(worker: Worker) -> None:
    """Give everything that one task decodes a common allowance.

    Only the converters in the worker's own parts are replaced. The client's converter stays as it is, because
    activities use it to load long lists piece by piece.
    """
    parts: list[Any] = [getattr(worker, "_workflow_worker", None), getattr(worker, "_activity_worker", None)]
    for part in parts:
        if getattr(part, "_data_converter", None) is not None:
            part._data_converter = bounded_by_task(worker.client.data_converter)


def pipelex_runner(runner: WorkflowRunner | None, *, is_sandboxed: bool) -> WorkflowRunner:
    """A workflow runner whose sandbox passes `PASSED_THROUGH` through, besides the modules that it already passes."""
    if not is_sandboxed:
        return UnsandboxedWorkflowRunner()
    restrictions = runner.restrictions if isinstance(runner, SandboxedWorkflowRunner) else SandboxRestrictions.default
    return SandboxedWorkflowRunner(restrictions=restrictions.with_passthrough_modules(*PASSED_THROUGH))
