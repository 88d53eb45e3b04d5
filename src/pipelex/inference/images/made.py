from dataclasses import dataclass

from pipelex.inference.calls.http import Provider
from pipelex.inference.deck.catalog import Backend, ModelEntry
from pipelex.inference.images.options import ImageOptions
from pipelex.pipes.models import ModelUsage
from pipelex.storage import FetchPolicy, Loaded, Storage, load


@dataclass(frozen=True)
class Made:
    """Images as bytes with their MIME types, and what they cost."""

    images: list[tuple[bytes, str]]
    usage: ModelUsage


@dataclass(frozen=True)
class Drawing:
    """The model that draws, and how it is reached."""

    entry: ModelEntry
    backend: Backend
    timeout: float
    defaults: ImageOptions
    policy: FetchPolicy
    storage: Storage

    def provider(self, scheme: str) -> Provider:
        """For requests over plain HTTP; the scheme stands before the key."""
        key = self.backend.table.api_key
        auth = {"Authorization": f"{scheme} {key}"} if key else {}
        return Provider(self.entry, self.backend, auth, self.timeout, "img_gen")

    def usage(self, calls: int, images: int) -> ModelUsage:
        """At a price per image, in millionths of USD as the backend file counts; None when it names none."""
        costs = self.entry.table.costs
        is_free = costs is not None and not costs.model_dump(exclude_none=True)
        price = None if costs is None or costs.output is None else images * costs.output / 1_000_000
        return ModelUsage(
            handle=self.entry.handle, backend=self.entry.backend, calls=calls, cost_usd=0.0 if is_free else price
        )

    async def fetched(self, url: str) -> Loaded:
        """An image that the provider tells the address of, or gives as a `data:` URL."""
        return await load(url, storage=self.storage, policy=self.policy)
