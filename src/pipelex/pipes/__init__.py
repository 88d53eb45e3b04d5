"""The meaning of each pipe type, written once against the runtime port (`pipelex.pipes.runtime`)."""

from pipelex.pipes._execute import NESTING_LIMIT, Execution, execute_pipe, unexpected_failure

__all__ = ["NESTING_LIMIT", "Execution", "execute_pipe", "unexpected_failure"]
