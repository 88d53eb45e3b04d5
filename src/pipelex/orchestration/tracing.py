"""Tracing on engines that replay code: entry points name providers that make each span only once."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

TRACING: Final = "pipelex.tracing"
"""The entry-point group; the name of an entry is that of the orchestrator, its value names an `EngineTracing`."""


class EngineTracing(Protocol):
    """The tracing of an engine that replays code: the object that an entry point names.

    Its module must load nothing heavy.
    """

    def is_installed(self) -> bool:
        """Whether the engine's SDK is installed."""
        ...

    def create_provider(self, resource: "Resource") -> "TracerProvider":
        """A provider that makes each span once, however often its code is replayed."""
        ...

    def is_replay_safe(self, provider: object) -> bool:
        """Whether a provider, made here or elsewhere, makes such spans."""
        ...


@cache
def engine_tracings() -> Sequence[EngineTracing]:
    """The tracings of the engines whose SDK is installed, sorted by the orchestrators' names."""
    entries = sorted(entry_points(group=TRACING), key=lambda entry: entry.name)
    found = [cast("EngineTracing", entry.load()) for entry in entries]
    return [tracing for tracing in found if tracing.is_installed()]
