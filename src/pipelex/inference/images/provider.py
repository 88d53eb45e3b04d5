"""The interface of an image provider and its result; its request is an `ImageAsk`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.images.ask import ImageAsk
from pipelex.pipes.models import ModelUsage
from pipelex.storage import Loaded

Fetch = Callable[[str], Awaitable[Loaded]]
"""Reads an image that a provider tells the address of, or gives as a `data:` URL, under the run's policy."""


@dataclass(frozen=True)
class DrawnImages:
    """Images as bytes with their MIME types, and what they cost."""

    images: list[tuple[bytes, str]]
    usage: ModelUsage


class ImageProvider(Protocol):
    """A way to draw; its factory is called with the `ModelCall`, for each call."""

    async def draw(self, wanted: ImageAsk, fetch: Fetch) -> DrawnImages:
        """The images that are asked for.

        Raises:
            PipelexError: the provider refused or failed.
        """
        ...


def image_usage(entry: ModelEntry, calls: int, images: int) -> ModelUsage:
    """The usage of images at a price each, in millionths of USD as the backend file counts.

    The cost is unknown where the file names no price.
    """
    costs = entry.table.costs
    is_free = costs is not None and not costs.model_dump(exclude_none=True)
    price = None if costs is None or costs.output is None else images * costs.output / 1_000_000
    return ModelUsage(handle=entry.handle, backend=entry.backend, calls=calls, cost_usd=0.0 if is_free else price)
