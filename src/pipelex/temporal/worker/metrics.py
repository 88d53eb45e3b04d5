"""The metrics of a worker's calls: their number, outcome, duration, wait, usage and cost."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from temporalio import activity
from temporalio.common import MetricMeter
from temporalio.exceptions import ApplicationError

from pipelex.inference.calls.ledger import CallLedger
from pipelex.pipes.models import ModelUsage, ResolvedModel

NO_MODEL: Final = "none"
"""The value of the labels `provider` and `model` for a call without a model."""


@contextmanager
def measured(job: Any, ledger: CallLedger) -> Generator[None]:
    """Measure the attempt that the block makes.

    Args:
        job: the job, whose model becomes a label if it has one.
        ledger: the ledger of the call, which the attempt changes.
    """
    metrics = _Metrics(activity.metric_meter().with_additional_attributes(_labels(job)))
    metrics.waited(_waited())
    before, began, outcome = ledger.usage, time.monotonic(), "completed"
    try:
        yield
    except ApplicationError as failed:
        outcome = "failed"
        metrics.failed(_code(failed))
        raise
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    except BaseException:
        outcome = "failed"
        metrics.failed("unexpected")
        raise
    finally:
        metrics.ended(outcome, time.monotonic() - began)
        metrics.used(before, ledger.usage)


def _labels(job: Any) -> dict[str, str]:
    model = getattr(job, "model", None)
    if not isinstance(model, ResolvedModel):
        return {"provider": NO_MODEL, "model": NO_MODEL}
    return {"provider": model.backend, "model": model.handle}


def _waited() -> float:
    """The seconds that the attempt waited in its task queue."""
    info = activity.info()
    return max(0.0, (info.started_time - info.current_attempt_scheduled_time).total_seconds())


def _code(failed: ApplicationError) -> str:
    first = failed.details[0] if failed.details else None
    return str(first["code"]) if isinstance(first, dict) and "code" in first else failed.type or "unexpected"  # pyright: ignore[reportUnknownArgumentType]


class _Metrics:
    """The metrics of Pipelex. Alerts and dashboards depend on their names.

    Args:
        meter: a meter with the labels of the call.
    """

    def __init__(self, meter: MetricMeter) -> None:
        self._meter = meter

    def waited(self, seconds: float) -> None:
        self._meter.create_histogram_float(
            "pipelex_call_wait", "The time that an attempt of a call waited in its task queue", "seconds"
        ).record(seconds)

    def ended(self, outcome: str, seconds: float) -> None:
        told = {"outcome": outcome}
        self._meter.create_counter("pipelex_calls", "Attempts of calls, by how they ended").add(1, told)
        self._meter.create_histogram_float(
            "pipelex_call_duration", "The time of an attempt of a call", "seconds"
        ).record(seconds, told)

    def failed(self, code: str) -> None:
        self._meter.create_counter("pipelex_call_failures", "Attempts of calls that failed, by error code").add(
            1, {"error_code": code}
        )

    def used(self, before: tuple[ModelUsage, ...], after: tuple[ModelUsage, ...]) -> None:
        """Count the usage of an attempt under the models that it really used, whichever the call asked for."""
        known = {(each.backend, each.handle): each for each in before}
        for now in after:
            then = known.get((now.backend, now.handle))
            self._add(now, then)

    def _add(self, now: ModelUsage, then: ModelUsage | None) -> None:
        labels = {"provider": now.backend, "model": now.handle}
        tokens = self._meter.create_counter("pipelex_tokens", "Tokens that calls used, by kind")
        for kind in ("input", "output", "cached"):
            count = getattr(now, f"{kind}_tokens") - (0 if then is None else getattr(then, f"{kind}_tokens"))
            if count > 0:
                tokens.add(count, {**labels, "kind": kind})
        paid = now.calls - (0 if then is None else then.calls)
        if paid > 0:
            self._meter.create_counter("pipelex_paid_requests", "Requests to providers that were paid for").add(
                paid, labels
            )
        cost = (now.cost_usd or 0.0) - (0.0 if then is None else then.cost_usd or 0.0)
        if cost > 0:
            self._meter.create_histogram_float("pipelex_call_cost_usd", "What an attempt of a call cost").record(
                cost, labels
            )
