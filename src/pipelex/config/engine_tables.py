"""The tables of `pipelex.toml` that orchestrators read by themselves, and nobody else checks."""

from importlib.metadata import entry_points
from typing import Final

GROUP: Final = "pipelex.orchestrators"
"""The entry-point group of orchestrators: the name of an entry is that of the orchestrator."""

PACKAGED: Final = ("temporal", "mistral_workflows")
"""The tables of the orchestrators that this distribution has."""


def is_engine_table(key: str) -> bool:
    """Whether a table is that of an orchestrator: it has the orchestrator's name, with `_` for `-`."""
    return key in PACKAGED or key in {entry.name.replace("-", "_") for entry in entry_points(group=GROUP)}
