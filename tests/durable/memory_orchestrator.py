"""The engine in memory behind the port of orchestrators, as far as running a method to its end needs it."""

from dataclasses import dataclass
from typing import Any

from pipelex.content.stuff import WorkingMemory
from pipelex.durable.options import EngineOptions
from pipelex.orchestration import RunRequest, StartedRun
from pipelex.pipes.calls import PipeOutcome
from tests.durable.memory_engine import MemoryEngine


class MemoryOrchestrator:
    """Starts runs on an engine in memory.

    Args:
        engine: the engine.
        options: members of every run's options.
    """

    name = "memory"
    is_durable = True

    def __init__(self, engine: MemoryEngine, options: dict[str, Any]) -> None:
        self._engine = engine
        self._options = options

    async def start(self, request: RunRequest) -> StartedRun:
        said = {name: getattr(request.options, name) for name in request.options.model_fields_set}
        options = EngineOptions(**said, **self._options)
        run: Any = MemoryRun(self._engine, request, options)
        return StartedRun(run)

    async def aclose(self) -> None:
        """Nothing is held."""


@dataclass
class MemoryRun:
    """A run that goes while somebody waits for its result."""

    engine: MemoryEngine
    request: RunRequest
    options: EngineOptions
    memory: WorkingMemory | None = None

    @property
    def run_id(self) -> str:
        return self.request.identity.run_id

    async def result(self) -> PipeOutcome:
        request = self.request
        outcome, self.memory = await self.engine.execute(request.library, request.call, request.identity, self.options)
        return outcome

    async def working_memory(self) -> WorkingMemory | None:
        return self.memory
