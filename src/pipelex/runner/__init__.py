"""The public Python API's layer: load, validate, run, start, attach."""

from pipelex.orchestration.wiring import inference_of, options_of, retry_of, tree_rules_of
from pipelex.runner._app import Pipelex
from pipelex.runner._handle import RunHandle
from pipelex.runner._inputs import input_slots, mock_inputs, read_inputs_of
from pipelex.runner._method import Method, new_run_id, run_in_new_loop
from pipelex.runner._options import RunKeywords
from pipelex.runner._result import RunResult
from pipelex.runner._rows import ManyRows, RowRun
from pipelex.runner._schemas import CONFIG_SCHEMAS
from pipelex.runner.telemetry import start_telemetry

__all__ = [
    "CONFIG_SCHEMAS",
    "ManyRows",
    "Method",
    "Pipelex",
    "RowRun",
    "RunHandle",
    "RunKeywords",
    "RunResult",
    "inference_of",
    "input_slots",
    "mock_inputs",
    "new_run_id",
    "options_of",
    "read_inputs_of",
    "retry_of",
    "run_in_new_loop",
    "start_telemetry",
    "tree_rules_of",
]
