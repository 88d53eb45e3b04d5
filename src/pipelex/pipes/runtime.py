"""The runtime port, through which pipes run child pipes and ask for effects.

The semantics of pipes are written once against `Runtime`, which each orchestrator implements.
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
    """The port through which an orchestrator serves one pipe run.

    Every method raises `PipelexError` when the effect fails permanently; a pipe never retries one itself.
    """

    @property
    def options(self) -> RunOptions: ...

    @property
    def in_place_chars(self) -> int:
        """The maximum size of a template's values, in characters; beyond it, the template is rendered as an effect."""
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
        """The value with its content, which is fetched if the value is held by reference."""
        ...

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        """Await several efforts concurrently, and return their results in order.

        The first failure cancels the others.
        """
        ...

    async def rendering(self) -> Budget:
        """The work that templates may still do in the code of pipes.

        If it is used up, this first waits until other code has run.
        """
        ...

    async def ask(self, kind: EffectKind[Q, R], request: Q, model: ModelChoice | None = None) -> R:
        """Have an effect performed.

        Args:
            kind: the kind of effect; see `pipelex.pipes.effects.kinds`.
            request: the request.
            model: the choice of a model of the kind's family; None for a kind that needs none.
        """
        ...
