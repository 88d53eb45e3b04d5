"""Dry runs: results of effects are made up from the declared types, on any orchestrator."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from pipelex.content.stuff import Stuff
from pipelex.library import Library
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunOptions
from pipelex.pipes.effects.kind import EffectKind, Q, R
from pipelex.pipes.models import ModelChoice
from pipelex.pipes.runtime import Runtime
from pipelex.templating import Budget

T = TypeVar("T")


class DryRuntime:
    """A runtime that makes up results of effects. The real runtime runs child pipes, and effects without a mock."""

    def __init__(self, library: Library, runtime: Runtime) -> None:
        self._library = library
        self._runtime = runtime

    @property
    def options(self) -> RunOptions:
        return self._runtime.options

    @property
    def in_place_chars(self) -> int:
        return self._runtime.in_place_chars

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        return await self._runtime.run_pipe(call)

    async def run_batch(self, batch: BatchCall) -> BatchOutcome:
        return await self._runtime.run_batch(batch)

    async def load(self, value: Stuff) -> Stuff:
        return await self._runtime.load(value)

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        return await self._runtime.together(efforts)

    async def rendering(self) -> Budget:
        return await self._runtime.rendering()

    async def ask(self, kind: EffectKind[Q, R], request: Q, model: ModelChoice | None = None) -> R:
        if kind.mock is None:
            return await self._runtime.ask(kind, request, model)
        return kind.mock(request, self._library, self.options)
