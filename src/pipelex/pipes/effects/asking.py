"""Makes the job of an effect from a pipe's request.

Orchestrators share this code, and differ only in where a job is performed.

`EffectRuntime` implements the effects of the runtime port on top of two methods of an orchestrator: one resolves a
model choice, and the other performs a job.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from pipelex.content.stuff import Stuff
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunOptions
from pipelex.pipes.effects.jobs import usages_of
from pipelex.pipes.effects.kind import Effect, EffectKind, Q, R
from pipelex.pipes.models import ModelChoice, ResolvedModel
from pipelex.pipes.templates import IN_PLACE_CHARS
from pipelex.pipes.usage import Meter
from pipelex.templating import Budget

T = TypeVar("T")


class EffectRuntime(ABC):
    """The runtime port for one pipe run, except how children run and jobs are performed.

    Args:
        pipe: reference of the pipe that runs.
        options: the options of the run.
        item: the rank of the item that it runs on; None if it is not run by a batch.
    """

    def __init__(self, pipe: str, options: RunOptions, item: int | None = None) -> None:
        self._pipe = pipe
        self._item = item
        self._options = options
        self.meter = Meter()

    @property
    def options(self) -> RunOptions:
        return self._options

    @property
    def in_place_chars(self) -> int:
        return IN_PLACE_CHARS

    async def ask(self, kind: EffectKind[Q, R], request: Q, model: ModelChoice | None = None) -> R:
        """See `Runtime.ask`."""
        resolved = None if model is None else self.resolve(model)
        with self.meter.counting():
            result = await self.perform(kind.effect(self._pipe, request, resolved, self._item))
        self.meter.add(usages_of(result))
        return result

    # --- implemented by orchestrators ---------------------------------------------------------------------------------

    @abstractmethod
    def resolve(self, model: ModelChoice) -> ResolvedModel:
        """The model that a choice stands for in this configuration.

        Raises:
            PipelexError: there is no such model, or no backend serves it.
        """

    @abstractmethod
    async def perform(self, effect: Effect[R]) -> R:
        """Have a job performed; transient failures are retried.

        Raises:
            PipelexError: it failed permanently.
        """

    @abstractmethod
    async def run_pipe(self, call: PipeCall) -> PipeOutcome: ...

    @abstractmethod
    async def run_batch(self, batch: BatchCall) -> BatchOutcome: ...

    @abstractmethod
    async def load(self, value: Stuff) -> Stuff: ...

    @abstractmethod
    async def rendering(self) -> Budget: ...

    @abstractmethod
    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]: ...
