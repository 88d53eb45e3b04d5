"""The platform that the settings describe: the API, the deployment, and the storage of large values."""

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
        """The platform that the settings describe; it does not connect yet.

        Raises:
            ConfigurationError: there is no API key.
        """
        api = MistralAPI(config.server_url, api_key(config, settings))
        return cls(api, config, settings, CarriedValues(lambda: storage_of(settings), config.stored_above))

    @property
    def deployment(self) -> str:
        """The deployment that runs are started in."""
        return self.config.deployment_name

    @property
    def place(self) -> str:
        """The place of the runs, as messages name it."""
        return f"deployment '{self.deployment}'"

    @property
    def worker_command(self) -> str:
        """The command that starts a worker of the deployment."""
        return f"pipelex worker --orchestrator {NAME}"

    async def has_workers(self) -> bool:
        """Whether the platform has recently heard from a worker of the deployment."""
        found = await self.api.deployment(self.deployment)
        return found is not None and bool(found.get("is_active"))
