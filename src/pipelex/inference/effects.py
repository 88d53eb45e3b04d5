"""The effects that are no language model's: functions, documents, searches and images."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.functions import FunctionOptions, call_function
from pipelex.inference.images import ImageOptions, generate_images
from pipelex.inference.method_trees import MethodTrees
from pipelex.pipes.effects.jobs import ContentListResult, ContentResult, DocumentJob, ImageJob, SearchJob
from pipelex.pipes.effects.requests import FunctionRequest
from pipelex.storage import FetchPolicy, Storage


@dataclass
class Effects:
    """Performs functions, documents, searches and images; each call is one attempt.

    Every failure is a `PipelexError` whose category says whether trying again can help.
    """

    deck: ModelDeck
    storage: Storage
    """Where images and documents go; only their URIs travel."""
    policy: FetchPolicy
    """What may be fetched: reference images, the images of a document."""
    trees: MethodTrees = field(default_factory=MethodTrees)
    """The methods' folders this process holds."""
    functions: FunctionOptions = field(default_factory=FunctionOptions)
    images: ImageOptions = field(default_factory=ImageOptions)
    """What an image is like where nobody says."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """Where the variables that functions may see are looked up."""
    request_timeout: float = 600.0
    """Seconds for one request to a provider."""

    async def call_function(self, request: FunctionRequest) -> ContentResult:
        """See `pipelex.inference.functions`."""
        return await call_function(request, self.trees, self.functions, self.environ)

    async def generate_document(self, job: DocumentJob) -> ContentResult:
        """See `pipelex.inference.documents`."""
        from pipelex.inference.documents import generate_document

        return await generate_document(self, job)

    async def search(self, job: SearchJob) -> ContentResult:
        """See `pipelex.inference.search`."""
        from pipelex.inference.search import search

        return await search(self, job)

    async def generate_images(self, job: ImageJob) -> ContentListResult:
        """See `pipelex.inference.images`."""
        return await generate_images(self, job)
