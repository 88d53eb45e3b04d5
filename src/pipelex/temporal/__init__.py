"""The Temporal orchestrator: one workflow per pipe run, one activity per effect.

`PipelexPlugin` adds Pipelex to a worker of your own. `MethodJob` holds a method's run as plain JSON, for programs that
start workflows themselves. Both are imported on first use, so that the configuration can be read without the Temporal
SDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pipelex.temporal.client.starting import MethodJob
    from pipelex.temporal.plugin import PipelexPlugin

__all__ = ["MethodJob", "PipelexPlugin"]

_PLACES: Final = {"MethodJob": "client.starting", "PipelexPlugin": "plugin"}


def __getattr__(name: str) -> Any:
    """The public object with the given name, imported on first use.

    Raises:
        AttributeError: the package has no such name.
    """
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"pipelex.temporal.{_PLACES[name]}"), name)
