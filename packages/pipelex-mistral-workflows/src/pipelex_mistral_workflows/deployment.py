"""The settings, models and storage that the workflows and activities of this process share."""

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
    """A pipe that has its own workflow."""

    name: str
    """The name of the workflow."""
    pipe: Pipe
    library: Library


@dataclass(frozen=True)
class Deployment:
    """A configuration that the workers of this process can serve."""

    settings: Settings
    config: MistralWorkflowsConfig
    inference: Inference
    dispatcher: Dispatcher
    limits: EngineLimits
    values: CarriedValues
    performer: EffectPerformer
    kept: KeptTables
    """The results of earlier runs, which runs of the deployment reuse."""
    exposed: Mapping[str, ExposedPipe] = field(default_factory=dict[str, ExposedPipe])
    """The exposed pipes, by their references."""

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
            inference: performs the effects; made from the settings by default.
            exposed: the pipes that have their own workflows, by their references; none by default.

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
    """The results of a run, from the platform's events. They are read only once, so the connection is then closed."""
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
    """Make the workflows and activities of this process use a deployment.

    Returns:
        A function that restores the previous deployment.
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
        raise RuntimeError("this process does not serve a Pipelex deployment: start it with `pipelex worker`")
    return _serving.deployment
