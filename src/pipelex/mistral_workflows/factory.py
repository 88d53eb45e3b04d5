"""The entry point of the Mistral Workflows orchestrator. It does not need the client or the SDK."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelex.config import Settings
from pipelex.errors import Fault, PipelexError
from pipelex.mistral_workflows.config import ROOT, MistralWorkflowsConfig, parse_mistral_config
from pipelex.mistral_workflows.environment import conflicts, no_worker, require_client
from pipelex.orchestration import OrchestratorSetup

if TYPE_CHECKING:
    from pipelex.mistral_workflows.orchestrator import MistralOrchestrator


class MistralFactory:
    """The factory of the Mistral Workflows orchestrator; see `OrchestratorFactory`."""

    is_durable = True

    def __init__(self) -> None:
        self._parsed: tuple[Settings, MistralWorkflowsConfig] | None = None

    def config_of(self, settings: Settings) -> MistralWorkflowsConfig:
        """The `[mistral_workflows]` tables.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        if self._parsed is None or self._parsed[0] is not settings:
            self._parsed = settings, parse_mistral_config(settings)
        return self._parsed[1]

    def is_chosen(self, settings: Settings) -> bool:
        """Whether `[mistral_workflows] is_enabled` is true."""
        return self.config_of(settings).is_enabled

    def warnings(self, settings: Settings) -> Sequence[Fault]:
        """See `OrchestratorFactory.warnings`. Here, some are about installed packages that conflict."""
        return (*conflicts(), *self.warnings_of_routes(settings))

    def warnings_of_routes(self, settings: Settings) -> Sequence[Fault]:
        """Warnings about models and backends in the routes that do not exist.

        Raises:
            ConfigurationError: the `[mistral_workflows]` table is invalid.
        """
        from pipelex.orchestration.routed_models import unknown_models

        return unknown_models(settings, (*ROOT, "activities"), self.config_of(settings).routing.routes)

    def require(self) -> None:
        """See `OrchestratorFactory.require`: check that the client is installed.

        Raises:
            PipelexError: the client is missing; the advice says what to install.
        """
        require_client()

    def missing_worker(self) -> PipelexError:
        """See `OrchestratorFactory.missing_worker`. The worker is in a separate distribution."""
        return no_worker()

    def open(self, setup: OrchestratorSetup) -> "MistralOrchestrator":
        """See `OrchestratorFactory.open`."""
        from pipelex.mistral_workflows.orchestrator import MistralOrchestrator

        return MistralOrchestrator(setup.settings, self.config_of(setup.settings))


FACTORY = MistralFactory()
