"""The usage of an extraction: its pages, at the prices in the backend file."""

from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.schema import Costs
from pipelex.pipes.models import ModelUsage
from pipelex.reading.source import ExtractAsk


def pages_usage(entry: ModelEntry, wanted: ExtractAsk, pages: int) -> ModelUsage:
    """The usage of one request for some pages; its cost is unknown when the backend file has no prices."""
    price = _page_price(entry.table.costs, wanted)
    cost = None if price is None else pages * price
    return ModelUsage(handle=entry.handle, backend=entry.backend, cost_usd=cost)


def _page_price(costs: Costs | None, wanted: ExtractAsk) -> float | None:
    """The price in USD of a page with the requested options; None when the backend's file has no prices."""
    if costs is None:
        return None
    special = [
        price
        for price, is_wanted in (
            (costs.input_captioned, wanted.captions and wanted.room(0) != 0),
            (costs.input_rendered, wanted.render_js),
        )
        if is_wanted and price is not None
    ]
    return (max(special) if special else costs.input or 0.0) + (costs.output or 0.0)
