"""Runs under seeded faults: a short version of `python -m bench.chaos`, and what its report calls a broken bound."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from bench.chaos.driver import Plan, carry_out
from bench.chaos.provider import Call
from bench.chaos.report import Fault, Report, explain
from bench.chaos.runs import KINDS, planned_runs

PLAN = Plan(seed=4, runs=8, minutes=1.5, pause=0.3, routers=1, kinds=("kill runner", "kill server", "storm"))


@pytest.mark.chaos
@pytest.mark.slow
async def test_faults_lose_nothing_and_repeat_only_what_was_in_flight(tmp_path: Path) -> None:
    report = await carry_out(PLAN, tmp_path)

    said = report.text()
    assert {fault.kind for fault in report.faults} >= {"kill worker", "kill server"}, said
    assert (report.lost, report.wrong, report.left_running) == ({}, {}, 0), said
    assert (report.unexplained, report.unexpected) == ([], []), said
    assert all(fault.repeated <= fault.in_flight for fault in report.kills), said
    assert report.calls >= report.labels


def test_a_seed_plans_the_same_runs() -> None:
    runs = planned_runs(20, Random("7 runs"))
    assert runs == planned_runs(20, Random("7 runs"))
    assert runs != planned_runs(20, Random("8 runs"))
    assert {run.kind for run in runs} == set(KINDS)


GOOD = Report(
    seed=1, runs=1, seconds=1, faults=[], lost={}, wrong={}, calls=1, labels=1, repeated={}, unexplained=[],
    unexpected=[], left_running=0, ended_alone={},
)  # fmt: skip


def test_what_breaks_a_bound() -> None:
    assert GOOD.is_good
    slow = Fault("kill worker", "runner", at=1.0, until=1.0, recovery=60.0)
    for broken in (
        replace(GOOD, lost={"r": "never ended"}),
        replace(GOOD, wrong={"r": "1 instead of 2"}),
        replace(GOOD, unexplained=["one r"]),
        replace(GOOD, unexpected=["one r"]),
        replace(GOOD, left_running=1),
        replace(GOOD, faults=[slow]),
        replace(GOOD, faults=[replace(slow, recovery=1.0, in_flight=1, repeated=2)]),
    ):
        assert not broken.is_good
        assert "FAIL" in broken.text()


def test_why_a_call_was_made_again() -> None:
    killed = Fault("kill worker", "runner", at=10.0, until=10.0, lives=("a",))
    calls = [
        Call("lost r", "a", arrived=9.0),  # never answered
        Call("lost r", "b", arrived=20.0, ended=21.0),
        Call("unreported r", "a", arrived=8.0, ended=9.9),
        Call("unreported r", "b", arrived=20.0, ended=21.0),
        Call("stormy r", "b", arrived=1.0, ended=2.0, fault="500"),
        Call("stormy r", "b", arrived=3.0, ended=4.0),
        Call("long ago r", "a", arrived=1.0, ended=2.0),
        Call("long ago r", "b", arrived=20.0, ended=21.0),
        Call("elsewhere r", "b", arrived=9.0, ended=11.0),
        Call("elsewhere r", "b", arrived=20.0, ended=21.0),
    ]
    reasons, unexplained = explain(calls, [killed])
    assert reasons == {"kill worker": 2, "the provider's failure": 1}
    assert unexplained == ["long ago r", "elsewhere r"]
    assert (killed.in_flight, killed.repeated) == (2, 2)
