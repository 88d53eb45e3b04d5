"""The orchestrator port as the runner exports it, and the choice of its implementation."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelex.config import Settings
from pipelex.orchestration import (
    EngineUnavailable,
    OrchestratedRun,
    Orchestrator,
    OrchestratorFactory,
    OrchestratorSetup,
    StartedRun,
    chosen_name,
    factory_of,
    names,
)
from pipelex.runner.telemetry import start_telemetry

if TYPE_CHECKING:
    from pipelex.inference import Inference

__all__ = [
    "EngineUnavailable",
    "OrchestratedRun",
    "Orchestrator",
    "OrchestratorFactory",
    "OrchestratorSetup",
    "StartedRun",
    "chosen_name",
    "factory_of",
    "names",
    "open_orchestrator",
]


def open_orchestrator(settings: Settings, name: str | None, inference: "Callable[[], Inference]") -> Orchestrator:
    """Open the orchestrator; it does not connect yet.

    Args:
        settings: the configuration.
        name: the name of the orchestrator; the one that the settings choose when None.
        inference: returns the performer of effects in this process.

    Raises:
        ConfigurationError: the settings are wrong.
        PipelexError: there is no orchestrator of that name, or something is not installed.
    """
    factory = factory_of(name or chosen_name(settings))
    factory.require()
    start_telemetry(settings)  # must come before any connection, which carries the context of spans
    return factory.open(OrchestratorSetup(settings, inference))
