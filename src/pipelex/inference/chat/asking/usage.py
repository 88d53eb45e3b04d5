"""The usage of one answer of a language model."""

from collections.abc import Generator
from contextlib import contextmanager

from pipelex.inference.calls.heard import HeardTokens, heard_tokens, listening
from pipelex.inference.calls.logical import current_ledger
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


@contextmanager
def paying_for_unread(entry: ModelEntry) -> Generator[None]:
    """If the block fails, count what the answers to its requests cost in the call's ledger.

    An answer is paid for even if a client library cannot read it.
    """
    with listening() as tails:
        try:
            yield
        except Exception:
            for heard in heard_tokens(tails):
                current_ledger().spend(_heard_usage(entry, heard))
            raise


def _heard_usage(entry: ModelEntry, heard: HeardTokens) -> ModelUsage:
    """The tokens and the price of an answer of which only the token counts could be read."""
    counts = (heard.input, heard.output, heard.cached)
    return call_usage(
        entry,
        Answer(usage=TokenCounts(*counts), listed_price=lambda: listed_price(entry.model_id, counts, entry.backend)),
    )
