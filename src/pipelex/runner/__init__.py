"""The public Python API: load, validate, run, start, attach."""

from pipelex.runner._app import Method, Orchestrator, Pipelex, new_run_id, run_in_new_loop
from pipelex.runner._inputs import input_slots, mock_inputs
from pipelex.runner._result import RunResult
from pipelex.runner._schemas import CONFIG_SCHEMAS
from pipelex.runner._settings import inference_of, options_of, require_temporal, retry_of, tree_rules_of
from pipelex.runner._telemetry import start_telemetry

__all__ = [
    "CONFIG_SCHEMAS",
    "Method",
    "Orchestrator",
    "Pipelex",
    "RunResult",
    "inference_of",
    "input_slots",
    "mock_inputs",
    "new_run_id",
    "options_of",
    "require_temporal",
    "retry_of",
    "run_in_new_loop",
    "start_telemetry",
    "tree_rules_of",
]
