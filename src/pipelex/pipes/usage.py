"""Adding up what model calls used."""

from collections.abc import Iterable

from pipelex.pipes.runtime import ModelUsage, PipeOutcome


class UsageMeter:
    """What one pipe run used so far: its own effects and its children's."""

    def __init__(self) -> None:
        self._by_model: dict[tuple[str, str], ModelUsage] = {}

    def add(self, usages: Iterable[ModelUsage]) -> None:
        for usage in usages:
            key = (usage.backend, usage.handle)
            known = self._by_model.get(key)
            self._by_model[key] = usage if known is None else add_usage(known, usage)

    @property
    def total(self) -> tuple[ModelUsage, ...]:
        """One entry per model, in the order of first use."""
        return tuple(self._by_model.values())

    def close(self, outcome: PipeOutcome) -> PipeOutcome:
        """The outcome with everything that was used to make it."""
        return outcome.model_copy(update={"usage": self.total}) if self._by_model else outcome


def add_usage(first: ModelUsage, second: ModelUsage) -> ModelUsage:
    """The sum of two usages of one model; the cost is unknown once a part of it is."""
    cost: float | None = None
    if first.cost_usd is not None and second.cost_usd is not None:
        cost = first.cost_usd + second.cost_usd
    return ModelUsage(
        handle=first.handle,
        backend=first.backend,
        calls=first.calls + second.calls,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        cached_tokens=first.cached_tokens + second.cached_tokens,
        cost_usd=cost,
    )
