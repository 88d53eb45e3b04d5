"""The parts that a configuration opens: settings, model deck, performers of effects, orchestrator."""

import secrets
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

from pipelex.config import Settings, load_settings
from pipelex.errors import Fault
from pipelex.orchestration import Orchestrator, chosen_name, factory_of
from pipelex.orchestration.wiring import deck_of, inference_of
from pipelex.runner.orchestrator import open_orchestrator

if TYPE_CHECKING:
    from pipelex.inference import Inference, ModelDeck


class Configured:
    """One configuration, with parts that are opened when they are needed: settings, models, an orchestrator.

    Args:
        settings: the configuration; by default that of the working directory's project.
        orchestrator: the name of the orchestrator that runs methods: `direct`, `temporal` or another installed one; by
            default the one that the settings choose (`[temporal] is_enabled`).
    """

    def __init__(self, settings: Settings | None = None, *, orchestrator: str | None = None) -> None:
        self._settings = settings
        self._orchestrator_name = orchestrator
        self.session_id = secrets.token_hex(6)

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            ConfigurationError: a settings file is wrong.
        """
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    @property
    def orchestrator_name(self) -> str:
        """The name of the orchestrator that runs methods.

        Raises:
            ConfigurationError: the settings of an orchestrator are wrong.
        """
        return self._orchestrator_name or chosen_name(self.settings)

    @cached_property
    def orchestrator(self) -> Orchestrator:
        """The orchestrator that runs methods; it connects when it is first needed.

        Raises:
            ConfigurationError: its settings are wrong.
            PipelexError: no orchestrator has that name, or something is not installed.
        """
        return open_orchestrator(self.settings, self.orchestrator_name, lambda: self.inference)

    @property
    def warnings(self) -> Sequence[Fault]:
        """Warnings of the orchestrator about its settings.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        return factory_of(self.orchestrator_name).warnings(self.settings)

    @cached_property
    def deck(self) -> "ModelDeck":
        """The models of the configuration.

        Raises:
            ConfigurationError: an inference file is wrong.
        """
        return deck_of(self.settings)

    @cached_property
    def inference(self) -> "Inference":
        """The performer of effects, with the models as configured.

        Raises:
            ConfigurationError: an inference file is wrong.
        """
        return inference_of(self.settings, self.deck)

    async def aclose(self) -> None:
        """Close the connections. Durable runs continue; runs in this process are cancelled."""
        if "orchestrator" in self.__dict__:
            await self.orchestrator.aclose()
        if "inference" in self.__dict__:
            await self.inference.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
