import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from pipelex.content.stuff import Stuff
from pipelex.durable.attempts import Attempt, attempted
from pipelex.durable.heartbeats import beat_until_done
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.calls import PipeCall
from tests.durable.memory_engine import LIMITS


def attempt_of(
    *, beat: Callable[[], None] = lambda: None, beats: float | None = None, seconds: float | None = None
) -> Attempt:
    return Attempt(
        activity="act",
        call="c",
        number=3,
        beat=beat,
        heartbeat_timeout=None if beats is None else timedelta(seconds=beats),
        time_limit=None if seconds is None else timedelta(seconds=seconds),
        limits=LIMITS,
        stored_above=None,
    )


async def result(size: int = 1) -> PipeCall:
    return PipeCall(pipe="d.p", inputs={"a": Stuff("native.Text", {"text": "x" * size})})


async def never() -> PipeCall:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def failing(error: Exception) -> PipeCall:
    raise error


async def test_a_result_comes_back_as_it_is() -> None:
    assert (await attempted(result(), attempt_of())).pipe == "d.p"


async def test_a_failure_says_how_often_it_was_tried() -> None:
    down = PipelexError("provider.unavailable", "down", category=ErrorCategory.TRANSIENT)
    with pytest.raises(PipelexError, match="down") as failed:
        await attempted(failing(down), attempt_of(seconds=600))
    assert (failed.value.code, failed.value.report.attempts) == ("provider.unavailable", 3)


async def test_what_takes_too_long_is_told_before_the_engine_finds_it() -> None:
    with pytest.raises(PipelexError, match="activity 'act' took longer than one attempt may") as failed:
        await attempted(never(), attempt_of(seconds=0.1))
    assert (failed.value.code, failed.value.report.attempts) == ("run.timed_out", 3)


async def test_a_timeout_of_the_work_itself_is_its_own() -> None:
    with pytest.raises(TimeoutError, match="the provider's"):
        await attempted(failing(TimeoutError("the provider's")), attempt_of(seconds=600))


async def test_a_result_too_large_to_travel_fails_once_it_is_there() -> None:
    with pytest.raises(PipelexError, match="the result of act take") as failed:
        await attempted(result(3_000_000), attempt_of())
    assert (failed.value.code, failed.value.report.attempts) == ("input.too_large", 3)


async def test_heartbeats_go_on_until_the_task_is_done() -> None:
    beats: list[int] = []
    enough, kept = asyncio.Event(), asyncio.Event()

    def beat() -> None:
        beats.append(len(beats))
        if len(beats) >= 3:
            enough.set()

    async def activity() -> None:
        await attempted(result(), attempt_of(beat=beat, beats=0.03))
        await enough.wait()  # the effect is over, and its result is still being kept
        kept.set()

    running = asyncio.create_task(activity())
    async with asyncio.timeout(30):
        await running
    await asyncio.sleep(0)
    seen = len(beats)
    await asyncio.sleep(0.1)
    assert len(beats) == seen, "and no longer"
    assert kept.is_set()


async def test_without_a_time_out_nothing_is_sent() -> None:
    before = asyncio.all_tasks()
    beat_until_done(lambda: None, None)
    assert asyncio.all_tasks() == before
