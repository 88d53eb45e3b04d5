"""Mistral Workflows as the settings name it: the API, the deployment, and where large values are."""

from dataclasses import dataclass
from typing import Final

from pipelex.config import Settings
from pipelex.mistral_workflows.api import MistralAPI
from pipelex.mistral_workflows.config import MistralWorkflowsConfig, api_key
from pipelex.mistral_workflows.values import CarriedValues
from pipelex.orchestration.wiring import storage_of

NAME: Final = "mistral-workflows"
"""The orchestrator's name."""


@dataclass(frozen=True)
class Platform:
    """The platform that keeps the runs."""

    api: MistralAPI
    config: MistralWorkflowsConfig
    settings: Settings
    values: CarriedValues

    @classmethod
    def of(cls, settings: Settings, config: MistralWorkflowsConfig) -> "Platform":
        """The platform that the settings name; nothing is connected yet.

        Raises:
            ConfigurationError: there is no key.
        """
        api = MistralAPI(config.server_url, api_key(config, settings))
        return cls(api, config, settings, CarriedValues(lambda: storage_of(settings), config.stored_above))

    @property
    def deployment(self) -> str:
        """The deployment that runs are started in."""
        return self.config.deployment_name

    @property
    def place(self) -> str:
        """The place of the runs, for people."""
        return f"deployment '{self.deployment}'"

    @property
    def worker_command(self) -> str:
        """The command that starts a worker of the deployment."""
        return f"pipelex worker --orchestrator {NAME}"

    async def has_workers(self) -> bool:
        """Whether a worker of the deployment told the platform lately that it is there."""
        found = await self.api.deployment(self.deployment)
        return found is not None and bool(found.get("is_active"))
