"""The interface of an image provider and its result; its request is an `ImageAsk`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.images.ask import ImageAsk
from pipelex.inference.members import tables
from pipelex.pipes.models import ModelUsage
from pipelex.storage import Loaded

Fetch = Callable[[str], Awaitable[Loaded]]
"""Reads an image from the address or `data:` URL that a provider returned, under the run's policy for fetching."""


@dataclass(frozen=True)
class DrawnImages:
    """Images as bytes with their MIME types, and their usage."""

    images: list[tuple[bytes, str]]
    usage: ModelUsage


class ImageProvider(Protocol):
    """A provider of image models; its factory is called with the `ModelCall`, once for each call."""

    async def draw(self, wanted: ImageAsk, fetch: Fetch) -> DrawnImages:
        """Draw the requested images.

        Raises:
            PipelexError: the provider refused or failed.
        """
        ...


def usage_in(member: str, entry: ModelEntry, count: int) -> Callable[[dict[str, Any]], ModelUsage]:
    """A function that returns the usage of one answer.

    Args:
        member: the member of an answer that lists its images.
        entry: the model.
        count: the number of images asked for; more are not charged.
    """
    return lambda answer: image_usage(entry, 1, min(count, len(tables(answer.get(member)))))


def image_usage(entry: ModelEntry, calls: int, images: int) -> ModelUsage:
    """The usage of images that have a fixed price each.

    The backend file gives the price as `costs.output`, in millionths of a USD. The cost is unknown if it gives none.
    """
    costs = entry.table.costs
    is_free = costs is not None and costs.is_free
    price = None if costs is None or costs.output is None else images * costs.output / 1_000_000
    return ModelUsage(handle=entry.handle, backend=entry.backend, calls=calls, cost_usd=0.0 if is_free else price)
