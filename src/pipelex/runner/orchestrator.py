"""The orchestrator port as the runner offers it, and which implementation is in force."""

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
    """The orchestrator in force; nothing is connected yet.

    Args:
        settings: the configuration.
        name: the name; the one that the settings choose when None.
        inference: gives who performs effects in this process.

    Raises:
        ConfigurationError: the settings are wrong.
        PipelexError: there is no orchestrator of that name, or something is not installed.
    """
    factory = factory_of(name or chosen_name(settings))
    factory.require()
    start_telemetry(settings)  # before any connection, which carries the spans' context
    return factory.open(OrchestratorSetup(settings, inference))
