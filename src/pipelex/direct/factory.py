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
        """Whether the settings choose it: never, it is the one that is left where they choose no other."""
        return False

    def warnings(self, settings: Settings) -> Sequence[Fault]:
        """No warnings: the settings have nothing of its own."""
        return ()

    def require(self) -> None:
        """Do nothing: nothing more need be installed."""

    def missing_worker(self) -> None:
        """Nothing: runs in this process need no worker."""

    def open(self, setup: OrchestratorSetup) -> "DirectOrchestrator":
        """See `OrchestratorFactory.open`."""
        from pipelex.direct._orchestrator import DirectOrchestrator

        return DirectOrchestrator(setup)


FACTORY = DirectFactory()
