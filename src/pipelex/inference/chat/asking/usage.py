"""The usage of one answer of a language model."""

from pipelex.inference.calls.usage import priced
from pipelex.inference.chat.messages import Answer
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.pipes.models import ModelUsage


def call_usage(entry: ModelEntry, answer: Answer) -> ModelUsage:
    """Tokens and price of one call: the price of the backend file, else the public price list, else unknown."""
    usage, costs = answer.usage, entry.table.costs
    cost = (
        answer.listed_price()
        if costs is None
        else priced(costs, usage.input_tokens, usage.output_tokens, usage.cached_tokens)
    )
    return ModelUsage.sparse(
        handle=entry.handle,
        backend=entry.backend,
        calls=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cost_usd=cost,
    )
