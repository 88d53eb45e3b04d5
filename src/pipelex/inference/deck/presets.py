"""Presets of the user's own deck files that lead to a model nobody serves here."""

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
"""Faults that the log of this process has already."""


def react_to_missing_presets(deck: ModelDeck, dirs: Sequence[Path], reaction: Literal["raise", "log", "none"]) -> None:
    """Do what `inference.model_deck.missing_presets_reaction` says about presets that nothing serves.

    Args:
        deck: the deck, which leads from a preset to a model.
        dirs: the `inference` directories the deck was read from; packaged presets are nobody's slip.
        reaction: refuse the configuration, tell each preset once in the log, or say nothing.

    Raises:
        ConfigurationError: the reaction is `raise`, and there are such presets.
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
