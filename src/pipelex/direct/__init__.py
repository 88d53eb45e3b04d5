"""The in-process orchestrator: child pipes are awaited, effects are provider calls of this very process."""

from pipelex.direct._run import DirectRun

__all__ = ["DirectRun"]
