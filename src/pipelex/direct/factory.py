"""The entry point of the in-process orchestrator."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelex.config import Settings
from pipelex.errors import Fault
from pipelex.orchestration import OrchestratorSetup

if TYPE_CHECKING:
    from pipelex.direct._orchestrator import DirectOrchestrator


class DirectFactory:
    """The factory of the in-process orchestrator; see `OrchestratorFactory`."""

    is_durable = False

    def is_chosen(self, settings: Settings) -> bool:
        """Always false: this orchestrator is the default if the settings choose no other."""
        return False

    def warnings(self, settings: Settings) -> Sequence[Fault]:
        """Always empty: this orchestrator has no settings of its own."""
        return ()

    def require(self) -> None:
        """Do nothing, because everything is installed."""

    def missing_worker(self) -> None:
        """Always None, because runs in this process need no worker."""

    def open(self, setup: OrchestratorSetup) -> "DirectOrchestrator":
        """See `OrchestratorFactory.open`."""
        from pipelex.direct._orchestrator import DirectOrchestrator

        return DirectOrchestrator(setup)


FACTORY = DirectFactory()
