"""The Temporal orchestrator: one workflow per pipe run, one activity per effect.

`PipelexPlugin` puts Pipelex into a worker of one's own. It is imported when it is asked for, so that the configuration can
be read without the Temporal SDK.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelex.temporal.plugin import PipelexPlugin

__all__ = ["PipelexPlugin"]


def __getattr__(name: str) -> type["PipelexPlugin"]:
    """The plugin, imported on first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name != "PipelexPlugin":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipelex.temporal.plugin import PipelexPlugin

    return PipelexPlugin
