"""Presets in the user's own deck files that lead to a model that no backend serves here."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, cast

from pipelex.config import describe
from pipelex.config.toml_files import Table, TomlFile
from pipelex.errors import ConfigurationError, Fault
from pipelex.inference.deck.deck_files import own_deck_files
from pipelex.inference.deck.model_deck import NOT_SERVED, ModelDeck
from pipelex.inference.deck.schema import PRESETS
from pipelex.pipes.models import ModelChoice

logger = logging.getLogger("pipelex.inference")

_told: set[str] = set()
"""The faults that this process has already logged."""


def react_to_missing_presets(deck: ModelDeck, dirs: Sequence[Path], reaction: Literal["raise", "log", "none"]) -> None:
    """React to presets that no backend serves, as `inference.model_deck.missing_presets_reaction` says.

    Args:
        deck: the deck that resolves the presets.
        dirs: the `inference` directories that the deck was read from. Packaged presets are not checked, because they
            are not the user's mistake.
        reaction: `raise` refuses the configuration, `log` warns once about each preset, and `none` does nothing.

    Raises:
        ConfigurationError: the reaction is `raise`, and no backend serves some preset.
    """
    if reaction == "none":
        return
    faults = list(_missing(deck, own_deck_files(dirs)))
    if faults and reaction == "raise":
        raise ConfigurationError(
            describe(faults),
            faults=faults,
            advice="Enable a backend that serves them, or set inference.model_deck.missing_presets_reaction.",
        )
    for line in (describe([fault]) for fault in faults):
        if line not in _told:
            _told.add(line)
            logger.warning("%s", line)


def _missing(deck: ModelDeck, files: Sequence[TomlFile]) -> Iterator[Fault]:
    for file in files:
        for family in PRESETS:
            presets = cast("Table", file.data.get(family, {})).get("presets", {})
            for name in presets:
                choice = ModelChoice(family=family, choice=f"${name}")
                for fault in deck.check(choice):
                    if fault.params.get("reason") in NOT_SERVED:
                        yield fault.at(file.location((family, "presets", name)))
