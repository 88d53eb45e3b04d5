"""The runtime port: every effect a pipe may ask for.

A pipe's meaning is written once against `Runtime`; an orchestrator is an implementation of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from pipelex.content.stuff import Stuff
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunOptions
from pipelex.pipes.effects.kind import EffectKind, Q, R
from pipelex.pipes.models import ModelChoice
from pipelex.templating import Budget

T = TypeVar("T")


class Runtime(Protocol):
    """The port by which an orchestrator serves the one pipe run it was made for.

    Every method raises `PipelexError` when the effect fails for good; a pipe never repeats one by itself.
    """

    @property
    def options(self) -> RunOptions: ...

    @property
    def in_place_chars(self) -> int:
        """Characters of values that a template may read in the pipe's own code; one that reads more is an effect."""
        ...

    async def run_pipe(self, call: PipeCall) -> PipeOutcome:
        """Run one child pipe to its end."""
        ...

    async def run_batch(self, batch: BatchCall) -> BatchOutcome:
        """Run a child pipe on every item, at most `options.max_concurrency` in flight.

        The first failure cancels the others and is raised, unless `options.on_item_failure` says otherwise.
        """
        ...

    async def load(self, value: Stuff) -> Stuff:
        """A value with its content, wherever it was."""
        ...

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Await several efforts side by side; results in order; the first failure cancels the others and is raised."""
        ...

    async def rendering(self) -> Budget:
        """The work that templates may still do in the code of pipes.

        Where it is used up, this waits until others had a turn.

        Where it is used up, this waits until others had a turn.
        """
        ...

    async def ask(self, kind: EffectKind[Q, R], request: Q, model: ModelChoice | None = None) -> R:
        """Have an effect done.

        Args:
            kind: the kind of effect; see `pipelex.pipes.effects.kinds`.
            request: the request.
            model: the choice of a model of the kind's family; None for a kind that needs none.
        """
        ...
