"""The entry point of the Temporal orchestrator. It can be imported without the Temporal SDK."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipelex.config import Settings
from pipelex.config.distribution import install_command
from pipelex.errors import ErrorCategory, Fault, PipelexError
from pipelex.orchestration import OrchestratorSetup
from pipelex.temporal.config import TemporalConfig, parse_temporal_config

if TYPE_CHECKING:
    from pipelex.temporal.client.orchestrator import TemporalOrchestrator


class TemporalFactory:
    """The factory of the Temporal orchestrator; see `OrchestratorFactory`."""

    is_durable = True

    def __init__(self) -> None:
        self._parsed: tuple[Settings, TemporalConfig] | None = None

    def config_of(self, settings: Settings) -> TemporalConfig:
        """The parsed `[temporal]` tables of the settings.

        Raises:
            TemporalConfigError: the tables are not valid.
        """
        if self._parsed is None or self._parsed[0] is not settings:
            self._parsed = settings, parse_temporal_config(settings)
        return self._parsed[1]

    def is_chosen(self, settings: Settings) -> bool:
        """Whether `[temporal] is_enabled` is true; see `OrchestratorFactory.is_chosen`."""
        return self.config_of(settings).is_enabled

    def warnings(self, settings: Settings) -> Sequence[Fault]:
        """See `OrchestratorFactory.warnings`."""
        from pipelex.orchestration.routed_models import unknown_models

        config = self.config_of(settings)
        return (*config.warnings, *unknown_models(settings, config.routes_table, config.activity_queues))

    def require(self) -> None:
        """Check that the Temporal SDK is installed.

        Raises:
            PipelexError: the SDK is missing; the error says what to install.
        """
        if find_spec("temporalio") is None:
            raise _missing("durable execution needs the Temporal SDK, which is not installed", "Install it with")

    def missing_worker(self) -> PipelexError:
        """See `OrchestratorFactory.missing_worker`; the worker is installed together with the orchestrator."""
        return _missing("this installation of pipelex has no worker for Temporal", "Install it again")

    def open(self, setup: OrchestratorSetup) -> "TemporalOrchestrator":
        """See `OrchestratorFactory.open`."""
        from pipelex.temporal.client.orchestrator import TemporalOrchestrator

        return TemporalOrchestrator(setup.settings, self.config_of(setup.settings))


def _missing(detail: str, what_to_do: str) -> PipelexError:
    return PipelexError(
        "runtime.misconfigured",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"component": "temporal"},
        advice=f"{what_to_do}: {install_command('temporal')}",
    )


FACTORY = TemporalFactory()
