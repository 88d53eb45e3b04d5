"""The benchmark's numbers are sound where they are exact, and its page holds all of them."""

from dataclasses import replace

import pytest

from bench.calls import CALL_SCENARIOS, CallRow, call_rows
from bench.page import Measure, Row, page, surroundings
from bench.run import SCENARIOS, rows
from bench.startup import StartUp


@pytest.mark.server
async def test_one_round_beside_the_floor() -> None:
    one = replace(SCENARIOS[0], rounds=1, is_warmed=False)
    (row,) = [row async for row in rows([one])]
    assert row.ours.events <= row.floor.events == 11
    assert row.ours.actions == row.floor.actions == 2
    assert 0 < row.floor.size <= row.ours.size < 1.5 * row.shown
    assert min(row.ours.wall, row.floor.wall, row.in_process) > 0


def test_the_page() -> None:
    row = Row("one LLM pipe", Measure(11, 2, 3_000, 50.0, 30.0), Measure(11, 2, 1_500, 40.0, 20.0), 2_000, 5.0)
    text = page(
        [row],
        [StartUp("pipelex --help", [0.2, 0.4, 0.3], 60.0, [0.1, 0.2])],
        [CallRow("one", 3.0, 2.0)],
        command="python -m bench.run --write",
    )
    assert (
        "| one LLM pipe | 11 / 11 / 1.00× | 2 / 2 / 1.00× | 3,000 / 1,500 / 2.00× | 2,000 / 1.50× | 50 / 40 / 1.25× | 30 / 20 / 1.50× | 5 |"
        in text
    )
    assert "| pipelex --help | 200 | 300 | 100 | 60 |" in text
    assert "| one | 3.0 | 2.0 | 1.50× |" in text
    assert "`python -m bench.run --write`" in text
    for name, value in surroundings().items():
        assert f"- {name}: {value}" in text
        assert "unknown" not in value


@pytest.mark.server
async def test_one_round_beside_the_bare_client() -> None:
    (row,) = [row async for row in call_rows(CALL_SCENARIOS[:1], 3)]
    assert row.name == "one LLM pipe"
    assert min(row.ours, row.bare, row.ratio) > 0
