"""Keys of what the commands of one invocation tell each other in `ctx.meta`."""

from typing import Final

DEBUG_KEY: Final = "pipelex.debug"
"""Whether tracebacks are wanted; a bool."""
JSON_KEY: Final = "pipelex.json"
"""Whether results and problems are JSON; a bool."""
TOLD_KEY: Final = "pipelex.told"
"""The warnings that were printed already; a set of lines."""
ARGS_KEY: Final = "pipelex.args"
"""The arguments as they were typed; a list of texts."""
ORCHESTRATOR_KEY: Final = "pipelex.orchestrator"
"""The name of the orchestrator whose runs are meant; None: the one that the settings choose."""
