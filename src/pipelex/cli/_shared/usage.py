"""The usage of a run, for programs: by model for the whole run, and by pipe and call if the tree is known."""

from collections.abc import Iterable

from pipelex.content.stuff import Json
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.trace import PipeTrace


def usage_json(usages: Iterable[ModelUsage]) -> dict[str, Json]:
    """The figures of each model, and their total cost; the total is null if any price is unknown."""
    known = list(usages)
    costs = [usage.cost_usd for usage in known]
    total = None if None in costs else sum(cost for cost in costs if cost is not None)
    return {"cost_usd": total, "models": [model_json(usage) for usage in known]}


def cost_text(usages: Iterable[ModelUsage]) -> str:
    """The cost of a run, for people; a question mark stands for calls without a known price."""
    costs = [usage.cost_usd for usage in usages]
    known = sum(cost for cost in costs if cost is not None)
    return f"${known:.4f}" if None not in costs else f"${known:.4f} + ?" if any(costs) else "unknown"


def model_json(usage: ModelUsage) -> dict[str, Json]:
    """The usage of the calls of one model."""
    return usage.model_dump(exclude_none=True)


def trace_usage_json(trace: PipeTrace) -> dict[str, Json]:
    """The usage of each pipe of a tree, everything below it included, and of each of its calls."""
    found: dict[str, Json] = {"id": trace.id, "pipe": trace.pipe, "type": trace.type, **usage_json(trace.usage)}
    calls = [
        {"activity": effect.name, "summary": effect.summary, "attempts": effect.attempts, **model_json(usage)}
        for effect in trace.effects
        for usage in effect.usage
    ]
    if calls:
        found["calls_of_models"] = calls
    if trace.children:
        found["pipes"] = [trace_usage_json(child) for child in trace.children]
    return found
