"""The keys in `ctx.meta` under which the parts of one invocation share values."""

from typing import Final

DEBUG_KEY: Final = "pipelex.debug"
"""Whether tracebacks are wanted; a bool."""
JSON_KEY: Final = "pipelex.json"
"""Whether results and problems are JSON; a bool."""
TOLD_KEY: Final = "pipelex.told"
"""The warnings that have been printed so far; a set of lines."""
ARGS_KEY: Final = "pipelex.args"
"""The arguments as they were typed; a list of texts."""
OWN_ARGS_KEY: Final = "pipelex.own_args"
"""The arguments behind the name of the command, as they were typed; a list of texts."""
PIPE_OPTION_KEY: Final = "pipelex.pipe_option"
"""Whether the command takes `--pipe`; a bool."""
ORCHESTRATOR_KEY: Final = "pipelex.orchestrator"
"""The name of the orchestrator whose runs the command is about; None means the one that the settings choose."""
