from typing import TYPE_CHECKING

from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.schema import Costs
from pipelex.pipes.models import ModelUsage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse

_MILLION = 1_000_000


def call_usage(entry: ModelEntry, response: "ModelResponse") -> ModelUsage:
    """Tokens and price of one call: the price of the backend file, else the public price list, else unknown."""
    usage = response.usage
    costs = entry.table.costs
    cost = (
        _listed(response)
        if costs is None
        else priced(costs, usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
    )
    return ModelUsage.sparse(
        handle=entry.handle,
        backend=entry.backend,
        calls=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cache_read_tokens,
        cost_usd=cost,
    )


def priced(costs: Costs, input_tokens: int, output_tokens: int, cached_tokens: int) -> float | None:
    """USD of one call, or None when the file prices some of its tokens and not others."""
    if not costs.model_dump(exclude_none=True):
        return 0.0
    fresh = costs.input_non_cached if costs.input_non_cached is not None else costs.input
    cached = costs.input_cached if costs.input_cached is not None else fresh
    if fresh is None or cached is None or costs.output is None:
        return None
    new_tokens = max(input_tokens - cached_tokens, 0)
    return (new_tokens * fresh + cached_tokens * cached + output_tokens * costs.output) / _MILLION


def _listed(response: "ModelResponse") -> float | None:
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None
