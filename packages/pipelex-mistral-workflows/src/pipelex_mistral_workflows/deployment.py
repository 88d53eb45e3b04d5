"""What the workflows and activities of this process share: settings, models, and where large values are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pipelex.config import Settings
from pipelex.durable.dispatch import Dispatcher
from pipelex.durable.limits import EngineLimits
from pipelex.inference import EffectPerformer, Inference, performers
from pipelex.inference.calls.kept import KeptResults, KeptTables
from pipelex.library import Library, Pipe
from pipelex.mistral_workflows.config import MistralWorkflowsConfig, parse_mistral_config
from pipelex.mistral_workflows.earlier.kept import read_kept
from pipelex.mistral_workflows.limits import limits_of
from pipelex.mistral_workflows.platform import Platform
from pipelex.mistral_workflows.values import CarriedValues
from pipelex.orchestration.wiring import inference_of, storage_of
from pipelex.pipes.calls import Reuse


@dataclass(frozen=True)
class ExposedPipe:
    """A pipe that is a workflow of its own."""

    name: str
    """The name of the workflow."""
    pipe: Pipe
    library: Library


@dataclass(frozen=True)
class Deployment:
    """One configuration of this process's workers."""

    settings: Settings
    config: MistralWorkflowsConfig
    inference: Inference
    dispatcher: Dispatcher
    limits: EngineLimits
    values: CarriedValues
    performer: EffectPerformer
    kept: KeptTables
    """The results of the runs that runs here take them from."""
    exposed: Mapping[str, ExposedPipe] = field(default_factory=dict[str, ExposedPipe])
    """By reference of the pipe."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        inference: Inference | None = None,
        exposed: Mapping[str, ExposedPipe] | None = None,
    ) -> "Deployment":
        """The deployment that the settings describe.

        Args:
            settings: the configuration.
            inference: who performs effects; made from the settings by default.
            exposed: the pipes that are workflows of their own.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        config = parse_mistral_config(settings)
        known = inference or inference_of(settings)
        storage = storage_of(settings)
        return cls(
            settings,
            config,
            known,
            Dispatcher(config.routing, known, config.deployment_name),
            limits_of(config.max_payload_bytes),
            CarriedValues(lambda: storage, config.stored_above),
            EffectPerformer(lambda: performers(known)),
            KeptTables(partial(_kept, settings, config)),
            exposed or {},
        )


async def _kept(settings: Settings, config: MistralWorkflowsConfig, reuse: Reuse) -> KeptResults:
    """What a run gave, as the platform's events tell it. It is asked for once, so that the connection does not stay."""
    platform = Platform.of(settings, config)
    try:
        return await read_kept(platform, reuse)
    finally:
        await platform.api.aclose()


@dataclass
class _Serving:
    deployment: Deployment | None = None


_serving = _Serving()


def serve(deployment: Deployment) -> Callable[[], None]:
    """Have this process's workflows and activities work with a deployment.

    Returns:
        What gives back the one before.
    """
    before, _serving.deployment = _serving.deployment, deployment

    def end() -> None:
        _serving.deployment = before

    return end


def served() -> Deployment:
    """The deployment that this process's workers serve.

    Raises:
        RuntimeError: there is none.
    """
    if _serving.deployment is None:
        raise RuntimeError("this process serves no deployment of Pipelex: start it with `pipelex worker`")
    return _serving.deployment
