"""The usage of one answer of a language model."""

from pipelex.inference.calls.heard import HeardTokens
from pipelex.inference.chat.messages import Answer, TokenCounts
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.prices import listed_price, priced
from pipelex.pipes.models import ModelUsage


def call_usage(entry: ModelEntry, answer: Answer) -> ModelUsage:
    """The tokens and the price of one call, by the backend file, or else by public price lists; otherwise unknown."""
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


def heard_usage(entry: ModelEntry, heard: HeardTokens) -> ModelUsage:
    """The tokens and the price of an answer of which only the token counts could be read."""
    counts = (heard.input, heard.output, heard.cached)
    return call_usage(
        entry,
        Answer(usage=TokenCounts(*counts), listed_price=lambda: listed_price(entry.model_id, counts, entry.backend)),
    )
