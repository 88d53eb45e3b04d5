"""The tables of `pipelex.toml` that only orchestrators read and check."""

from importlib.metadata import entry_points
from typing import Final

GROUP: Final = "pipelex.orchestrators"
"""The entry-point group of orchestrators; an entry has the orchestrator's name."""

PACKAGED: Final = ("temporal", "mistral_workflows")
"""The tables of the orchestrators that this distribution has."""


def is_engine_table(key: str) -> bool:
    """Whether a table is an orchestrator's: its key is the orchestrator's name, with `_` for `-`."""
    return key in PACKAGED or key in engine_tables()


def engine_tables() -> tuple[str, ...]:
    """The tables of all installed orchestrators, the packaged ones first."""
    installed = (entry.name.replace("-", "_") for entry in entry_points(group=GROUP))
    return tuple(dict.fromkeys((*PACKAGED, *installed)))
