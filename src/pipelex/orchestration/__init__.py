"""The outside of a run: the port that every orchestrator implements, its values, and the look-up of one by name.

An orchestrator runs methods in this process (`direct`) or durably on an engine (`temporal`). Code that starts, follows
or ends runs uses only the port, and nothing of an engine. A distribution adds an engine by an entry point in the group
`pipelex.orchestrators` that names an `OrchestratorFactory`.
"""

from pipelex.orchestration.jobs import Attributes, RunRequest, RunSource
from pipelex.orchestration.port import OrchestratedRun, Orchestrator, OrchestratorFactory, OrchestratorSetup, StartedRun
from pipelex.orchestration.refusals import EngineUnavailable
from pipelex.orchestration.registry import GROUP, IN_PROCESS, chosen_name, factory_of, names
from pipelex.orchestration.runs import PATIENCE, ReadinessCheck, RunCounts, RunDescription, RunFilter, Wait, WaitKind
from pipelex.pipes.trace import RunState

__all__ = [
    "GROUP",
    "IN_PROCESS",
    "PATIENCE",
    "Attributes",
    "EngineUnavailable",
    "OrchestratedRun",
    "Orchestrator",
    "OrchestratorFactory",
    "OrchestratorSetup",
    "ReadinessCheck",
    "RunCounts",
    "RunDescription",
    "RunFilter",
    "RunRequest",
    "RunSource",
    "RunState",
    "StartedRun",
    "Wait",
    "WaitKind",
    "chosen_name",
    "factory_of",
    "names",
]
