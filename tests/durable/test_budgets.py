"""The budgets of one workflow, over a host that has nothing but limits and a history."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest

from pipelex.durable.budgets import HistoryBudget, RenderingBudget, RequestBudget, fits
from pipelex.durable.host import History, Host
from pipelex.durable.limits import EngineLimits
from pipelex.pipes.rendering import is_used_up, share
from tests.durable.memory_engine import LIMITS


@dataclass
class Recorded:
    """The part of a host that budgets ask."""

    limits: EngineLimits = LIMITS
    events: int = 0
    size: int = 0
    tasks: int = 0

    def history(self) -> History:
        return History(self.events, self.size)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0)

    async def end_task(self) -> None:
        self.tasks += 1
        self.events += 3

    @property
    def host(self) -> Host:
        return cast("Host", self)


@pytest.mark.parametrize(
    ("change", "does_fit"),
    [
        ({}, True),
        ({"events": LIMITS.run_events - 10 * LIMITS.child_events}, True),
        ({"events": LIMITS.run_events - 10 * LIMITS.child_events + 1}, False),
        ({"size": LIMITS.run_bytes - 10 * (LIMITS.child_bytes + 100)}, True),
        ({"size": LIMITS.run_bytes - 10 * (LIMITS.child_bytes + 100) + 1}, False),
    ],
)
def test_children_fit_by_events_and_by_bytes(change: dict[str, int], does_fit: bool) -> None:
    assert fits(replace(Recorded(), **change).host, 10, 100) is does_fit


def test_the_first_child_always_fits_and_later_ones_as_large_as_the_largest_so_far() -> None:
    recorded = Recorded(size=LIMITS.run_bytes)
    budget = HistoryBudget(recorded.host)
    assert budget.allows_one_more, "or nothing would ever be done"
    budget.begin(1_000)
    assert not budget.allows_one_more
    recorded.size = 0
    assert budget.allows_one_more
    budget.end(1_000, LIMITS.run_bytes, 0)
    assert not budget.allows_one_more, "the next result may be as large as this one"


def test_results_in_memory_are_bounded_too() -> None:
    budget = HistoryBudget(replace(Recorded(), limits=replace(LIMITS, held_bytes=1_000)).host)
    for held, allows in ((999, True), (1, False)):
        budget.begin(1)
        budget.end(1, 1, held)
        assert budget.allows_one_more is allows


def test_what_was_found_to_fit_beforehand_is_not_asked_again() -> None:
    budget = HistoryBudget(Recorded(size=LIMITS.run_bytes).host, is_bounded=False)
    budget.begin(LIMITS.run_bytes)
    assert budget.allows_one_more


async def test_what_is_sent_waits_for_what_was_sent_before() -> None:
    budget = RequestBudget(replace(Recorded(), limits=replace(LIMITS, request_bytes=100)).host)
    began: list[str] = []
    accepted = {name: asyncio.Event() for name in "abc"}

    async def send(name: str, size: int) -> None:
        async with budget.taking(size):
            began.append(name)
            await accepted[name].wait()

    async def turns() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    sent = [asyncio.create_task(send(name, size)) for name, size in (("a", 500), ("b", 60), ("c", 40))]
    await turns()
    assert began == ["a"], "one that is larger than the budget goes alone"
    accepted["a"].set()
    await turns()
    assert began == ["a", "b", "c"]
    accepted["b"].set()
    accepted["c"].set()
    await asyncio.gather(*sent)


async def test_a_failed_sending_gives_its_bytes_back() -> None:
    budget = RequestBudget(replace(Recorded(), limits=replace(LIMITS, request_bytes=100)).host)
    with pytest.raises(ValueError, match="refused"):
        async with budget.taking(100):
            raise ValueError("refused")
    async with asyncio.timeout(5), budget.taking(100):
        pass


async def test_templates_share_what_a_task_allows_and_the_next_task_allows_as_much_again() -> None:
    recorded = Recorded(events=3)
    budget = RenderingBudget(recorded.host)
    first = await budget.share()
    first.turns -= 10
    assert (await budget.share()).turns == share().turns - 10
    first.turns = 0
    assert is_used_up(first)
    assert (await budget.share()).turns == share().turns
    assert recorded.tasks == 1
    recorded.events += 3  # a later task, for another reason
    assert (await budget.share()).turns == share().turns
    assert recorded.tasks == 1
