"""Adds up the usage of model calls, and collects failed items of batches."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

from pydantic import ValidationError

from pipelex.content.stuff import Json
from pipelex.errors import PipelexError
from pipelex.pipes.calls import MOST_REPORTED, BatchOutcome, ItemFailure, ItemFailures, PipeOutcome
from pipelex.pipes.models import ModelUsage


class Meter:
    """Counts the usage and the omitted items of one pipe run: of its own effects and of its children."""

    def __init__(self) -> None:
        self._by_model: dict[tuple[str, str], ModelUsage] = {}
        self._failures: ItemFailures | None = None

    def add(self, usages: Iterable[ModelUsage]) -> None:
        """Count what calls used."""
        for usage in usages:
            key = (usage.backend, usage.handle)
            known = self._by_model.get(key)
            self._by_model[key] = usage if known is None else add_usage(known, usage)

    def add_failures(self, failures: ItemFailures | None) -> None:
        """Count items that were left out."""
        if failures is None:
            return
        known = self._failures
        count, first = (0, tuple[ItemFailure, ...]()) if known is None else (known.count, known.first)
        self._failures = ItemFailures(count=count + failures.count, first=(first + failures.first)[:MOST_REPORTED])

    def add_failed(self, failed: PipelexError) -> None:
        """Count the usage in the report of a failure."""
        self.add(usages_from_json(failed.report.usage))

    def absorb(self, outcome: PipeOutcome | BatchOutcome) -> None:
        """Count what a child used and left out."""
        self.add(outcome.usage)
        self.add_failures(outcome.failures)

    @property
    def total(self) -> tuple[ModelUsage, ...]:
        """The usage so far, one entry for each model, in the order of first use."""
        return tuple(self._by_model.values())

    @property
    def failures(self) -> ItemFailures | None:
        """The items that were left out; None when there are none."""
        return self._failures

    @contextmanager
    def counting(self) -> Generator[None]:
        """Count what the block used, if it fails."""
        try:
            yield
        except PipelexError as failed:
            self.add_failed(failed)
            raise

    @contextmanager
    def telling(self) -> Generator[None]:
        """Have a failure of the block report everything that was counted so far, instead of only its own usage."""
        try:
            yield
        except PipelexError as failed:
            raise failed.with_report(usage=tuple(usages_to_json(self.total))) from failed.__cause__

    def close(self, outcome: PipeOutcome) -> PipeOutcome:
        """The outcome, with the counted usage and omitted items."""
        found: dict[str, object] = {}
        if self._by_model:
            found["usage"] = self.total
        if self._failures is not None:
            found["failures"] = self._failures
        return outcome.model_copy(update=found) if found else outcome


def add_usage(first: ModelUsage, second: ModelUsage) -> ModelUsage:
    """The sum of two usages of one model; the cost is unknown if either cost is."""
    cost: float | None = None
    if first.cost_usd is not None and second.cost_usd is not None:
        cost = first.cost_usd + second.cost_usd
    return ModelUsage.sparse(
        handle=first.handle,
        backend=first.backend,
        calls=first.calls + second.calls,
        input_tokens=first.input_tokens + second.input_tokens,
        output_tokens=first.output_tokens + second.output_tokens,
        cached_tokens=first.cached_tokens + second.cached_tokens,
        cost_usd=cost,
    )


def usages_to_json(usages: Iterable[ModelUsage]) -> list[Json]:
    """Usages as plain JSON, as error reports hold them."""
    return [usage.model_dump(mode="json", exclude_none=True) for usage in usages]


def usages_from_json(data: object) -> tuple[ModelUsage, ...]:
    """The usages that `usages_to_json` wrote; invalid entries are left out."""
    found: list[ModelUsage] = []
    for item in cast("list[Any]", data) if isinstance(data, list | tuple) else ():
        try:
            found.append(ModelUsage.model_validate(item))
        except ValidationError:
            continue
    return tuple(found)


def cost_of(usages: Iterable[ModelUsage]) -> float | None:
    """The total cost of some usages, in US dollars; None if one price is not known."""
    costs = [usage.cost_usd for usage in usages]
    return None if None in costs else sum(cost for cost in costs if cost is not None)
