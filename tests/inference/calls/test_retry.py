from dataclasses import replace

import pytest

from pipelex.errors import NOT_CONNECTED, ErrorCategory, PipelexError
from pipelex.inference import RetryPolicy, with_retries
from pipelex.inference.calls.retry import Pause, within_wait

POLICY = RetryPolicy(max_attempts=4, initial_interval=1, backoff_coefficient=3, maximum_interval=5, jitter=0)


class Effect:
    """Fails with the given errors, one after the other, then succeeds; notes the waits between."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.waits: list[float] = []

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def failure(category: ErrorCategory = ErrorCategory.TRANSIENT, retry_after: float | None = None) -> PipelexError:
    return PipelexError("provider.failed", "it failed", category=category, retry_after=retry_after)


async def test_a_transient_failure_is_tried_again_with_growing_waits():
    effect = Effect(failure(), failure(), failure())
    assert await with_retries(effect, POLICY, sleep=effect.sleep) == "done"
    assert effect.waits == [1, 3, 5]


async def test_the_last_failure_counts_the_attempts():
    effect = Effect(*[failure() for _ in range(9)])
    with pytest.raises(PipelexError) as caught:
        await with_retries(effect, POLICY, sleep=effect.sleep)
    assert (effect.calls, caught.value.report.attempts) == (4, 4)


def unreached() -> PipelexError:
    return PipelexError(
        "provider.unavailable",
        "no connection",
        category=ErrorCategory.TRANSIENT,
        params={"provider": "openai", "reason": NOT_CONNECTED},
    )


@pytest.mark.parametrize(
    ("seconds", "waits", "calls"), [(0, [1, 3, 5], 4), (4, [1, 3, 1, 3, 5], 6), (9, [1, 3, 5, 1, 3, 5], 7)]
)
async def test_attempts_that_reach_no_provider_are_not_counted(seconds: int, waits: list[int], calls: int):
    effect = Effect(*[unreached() for _ in range(20)])
    with pytest.raises(PipelexError) as caught:
        await with_retries(effect, replace(POLICY, outage_seconds=seconds), sleep=effect.sleep)
    assert (effect.waits, effect.calls, caught.value.report.attempts) == (waits, calls, calls)


async def test_failures_are_counted_between_outages():
    effect = Effect(failure(), unreached(), failure(), unreached(), failure(), unreached(), failure())
    with pytest.raises(PipelexError):
        await with_retries(effect, replace(POLICY, outage_seconds=60), sleep=effect.sleep)
    assert effect.calls == 7
    assert sum(effect.waits) == (1 + 3 + 5) * 2


@pytest.mark.parametrize("category", [kind for kind in ErrorCategory if kind is not ErrorCategory.TRANSIENT])
async def test_other_failures_stand_at_once(category: ErrorCategory):
    effect = Effect(failure(category))
    with pytest.raises(PipelexError) as caught:
        await with_retries(effect, POLICY, sleep=effect.sleep)
    assert (effect.calls, effect.waits, caught.value.report.attempts) == (1, [], 1)


async def test_an_error_that_is_not_ours_is_not_held_back():
    effect = Effect(KeyError("x"))
    with pytest.raises(KeyError):
        await with_retries(effect, POLICY, sleep=effect.sleep)
    assert effect.calls == 1


async def test_the_wait_a_provider_asks_for_is_honoured():
    effect = Effect(failure(retry_after=20), failure(retry_after=0.1))
    await with_retries(effect, POLICY, sleep=effect.sleep)
    assert effect.waits == [20, 3]


async def test_the_wait_a_provider_asks_for_is_spread_by_our_own_alone():
    effect = Effect(failure(retry_after=800), failure())
    await with_retries(effect, replace(POLICY, jitter=0.5), sleep=effect.sleep, chance=lambda: 1.0)
    assert effect.waits == [800.5, 4.5]


async def test_each_pause_is_told_before_it():
    effect, told = Effect(failure(retry_after=20), unreached(), failure()), list[tuple[float, int, str]]()

    def pausing(pause: Pause) -> None:
        assert len(told) == len(effect.waits)
        told.append((pause.seconds, pause.failures, pause.report.code))

    await with_retries(effect, replace(POLICY, outage_seconds=60), sleep=effect.sleep, pausing=pausing)
    assert told == [(20, 1, "provider.failed"), (1, 1, "provider.unavailable"), (3, 2, "provider.failed")]


@pytest.mark.parametrize(("asked", "longest", "stands"), [(300, 300, False), (301, 300, True), (1e300, 10**18, True)])
def test_a_wait_that_is_too_long_is_a_failure(asked: float, longest: int, stands: bool):
    found = within_wait(failure(retry_after=asked), longest)
    assert found.report.is_retryable is not stands
    assert ("it asks for a retry in" in found.report.detail) is stands
    assert found.report.retry_after == asked


@pytest.mark.parametrize("failed", [failure(), failure(ErrorCategory.CONTENT, retry_after=9999)])
def test_other_failures_stay_as_they_are(failed: PipelexError):
    assert within_wait(failed, 300) is failed


async def test_jitter_only_lengthens_a_wait():
    effect = Effect(failure(), failure())
    policy = RetryPolicy(initial_interval=2, backoff_coefficient=1, jitter=0.5)
    chances = iter([0.0, 1.0])
    await with_retries(effect, policy, sleep=effect.sleep, chance=lambda: next(chances))
    assert effect.waits == [2, 3]


def test_at_least_one_attempt():
    with pytest.raises(ValueError, match="max_attempts"):
        RetryPolicy(max_attempts=0)
