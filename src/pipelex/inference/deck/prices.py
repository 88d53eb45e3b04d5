"""The price of a call, by the prices in a backend file or in public lists."""

from datetime import datetime

from pipelex.inference.deck.schema import Costs

_MILLION = 1_000_000


def priced(costs: Costs, input_tokens: int, output_tokens: int, cached_tokens: int) -> float | None:
    """The price of one call in USD; None when the file has prices for only some of its tokens."""
    if costs.is_free:
        return 0.0
    fresh = costs.input_non_cached if costs.input_non_cached is not None else costs.input
    cached = costs.input_cached if costs.input_cached is not None else fresh
    if fresh is None or cached is None or costs.output is None:
        return None
    new_tokens = max(input_tokens - cached_tokens, 0)
    return (new_tokens * fresh + cached_tokens * cached + output_tokens * costs.output) / _MILLION


def listed_price(
    model: str,
    counts: tuple[int, int, int],
    provider: str,
    address: str | None = None,
    when: datetime | None = None,
) -> float | None:
    """The price of one call in USD by public lists; None if they do not have the model.

    Args:
        model: the model, as its provider names it.
        counts: the tokens of the input, of the output, and those of the input that came from the cache.
        provider: the provider whose list applies, unless there is one for the address.
        address: the endpoint.
        when: the time of the call; now when None.
    """
    from genai_prices import Usage, calc_price

    asked = Usage(input_tokens=counts[0], output_tokens=counts[1], cache_read_tokens=counts[2])
    tries = (
        lambda: calc_price(asked, model, provider_api_url=address, genai_request_timestamp=when),
        lambda: calc_price(asked, model, provider_id=provider, genai_request_timestamp=when),
    )
    for attempt in tries if address else tries[1:]:
        try:
            return float(attempt().total_price)
        except (LookupError, ValueError, AssertionError):
            continue
    return None
