"""The price of a call, by the prices in a backend file."""

from pipelex.inference.deck.schema import Costs

_MILLION = 1_000_000


def priced(costs: Costs, input_tokens: int, output_tokens: int, cached_tokens: int) -> float | None:
    """The price of one call in USD; None when the file has prices for only some of its tokens."""
    if not costs.model_dump(exclude_none=True):
        return 0.0
    fresh = costs.input_non_cached if costs.input_non_cached is not None else costs.input
    cached = costs.input_cached if costs.input_cached is not None else fresh
    if fresh is None or cached is None or costs.output is None:
        return None
    new_tokens = max(input_tokens - cached_tokens, 0)
    return (new_tokens * fresh + cached_tokens * cached + output_tokens * costs.output) / _MILLION
