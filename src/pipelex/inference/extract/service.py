"""Extracting the pages of a document or an image, with the provider of the model or with local software."""

from dataclasses import dataclass, field
from typing import cast

from pipelex.errors import InputError
from pipelex.errors.json import Json
from pipelex.inference.calls.model_call import SECONDS, ModelCall, call_of, check_credentials
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.extract.local import TEXT_KINDS, LocalExtractor
from pipelex.inference.extract.provider import (
    ExtractAsk,
    ExtractedPage,
    Extractor,
    Keeper,
    SourceFile,
    asked,
    incapable,
    logger,
)
from pipelex.inference.extract.usage import pages_usage
from pipelex.inference.extract.views import page_views
from pipelex.inference.extract.whole import check_image
from pipelex.inference.providers import factory
from pipelex.pipes.effects.jobs import ContentListResult, ExtractJob
from pipelex.pipes.effects.requests import ViewsRequest
from pipelex.pipes.models import ModelUsage
from pipelex.reading.source import ReadingLimits, unreadable
from pipelex.storage import FetchPolicy, Storage, file_kind, load_content, shown_url


@dataclass(frozen=True)
class ExtractionOptions:
    """The options for reading documents."""

    default_page_views_dpi: int = 150
    """The resolution of page views if the pipe sets none, in dots per inch."""
    limits: ReadingLimits = field(default_factory=ReadingLimits)


class Extraction:
    """Reads documents with the extractors of a model deck.

    Args:
        deck: the deck with the extractors.
        storage: the storage for images of pages, which also holds stored documents.
        policy: the policy for fetching documents.
        options: the options for reading documents.
        seconds: the time limit of each request to a provider.
    """

    def __init__(
        self,
        deck: ModelDeck,
        storage: Storage,
        policy: FetchPolicy,
        options: ExtractionOptions | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self.deck = deck
        self.storage = storage
        self.policy = policy
        self.options = options or ExtractionOptions()
        self.seconds = seconds

    async def extract_pages(self, job: ExtractJob) -> ContentListResult:
        """The pages of a document or an image, as ExtractedPage contents, in one attempt.

        Raises:
            PipelexError: the source cannot be read, the model lacks a capability, or its provider failed.
        """
        call = call_of(self.deck, job.model, "extract", self.seconds)
        entry, keeper = call.entry, self._keeper
        wanted = asked(job.request, job.model.settings, self.options.default_page_views_dpi)
        extractor: Extractor = factory("extract", entry.table.sdk, entry.backend)(call)
        if extractor.reads_by_address:
            check_credentials(self.deck, call)
            source = _by_address(call, str(job.request.source.get("url", "")))
            return _result(entry, wanted, await extractor.extract(source, wanted, keeper), is_priced=True)
        source = await self._loaded(job.request.source)
        is_taken = self._is_taken(entry, source)
        if is_taken:
            check_credentials(self.deck, call)
            if not isinstance(extractor, LocalExtractor):
                await check_image(source, self.options.limits)
        reading = extractor if is_taken else LocalExtractor(entry.handle)
        return _result(entry, wanted, await reading.extract(source, wanted, keeper), is_priced=is_taken)

    async def render_page_views(self, request: ViewsRequest) -> ContentListResult:
        """An Image content for each page of a document, or for an image.

        Raises:
            PipelexError: the source cannot be read, or has no views.
        """
        wanted = ExtractAsk(views_dpi=request.dpi or self.options.default_page_views_dpi)
        source = await self._loaded(request.source)
        return ContentListResult(contents=tuple(await page_views(source, wanted, self._keeper)))

    @property
    def _keeper(self) -> Keeper:
        return Keeper(self.storage, self.options.limits)

    def _is_taken(self, entry: ModelEntry, source: SourceFile) -> bool:
        """Whether the model takes the source. If not, a file that is already text is read by local software.

        Raises:
            PipelexError: the model does not take the source, which is not text.
        """
        inputs = cast("list[str]", entry.table.inputs)
        if source.kind in inputs or (source.kind == "html" and source.base_url is not None and "web_page" in inputs):
            return True
        if source.kind in TEXT_KINDS:
            logger.info("The model %r takes no %s files; it is read in this process.", entry.handle, source.kind)
            return False
        if source.kind == "image":
            raise incapable(
                entry.handle,
                "images",
                f"the model {entry.handle!r} of {entry.backend!r} reads no images, but {source.name} is one",
                "Name a model that reads images, for example '@default-extract-image'.",
            )
        raise InputError(
            "input.file_type_unsupported",
            f"the model {entry.handle!r} of {entry.backend!r} reads {', '.join(inputs)}, but {source.name} is of type "
            f"{source.mime_type}",
            format=source.kind,
            model=entry.handle,
        )

    async def _loaded(self, content: dict[str, Json]) -> SourceFile:
        url = str(content.get("url", ""))
        found = await load_content(content, storage=self.storage, policy=self.policy)
        name = repr(found.filename) if found.filename else f"the document {shown_url(url)!r}"
        source = SourceFile(found.data, found.mime_type, file_kind(found.mime_type), name, found.base_url, url)
        if not found.data:
            raise unreadable(source, "empty", "it is empty: it has 0 bytes")
        return source


def _by_address(call: ModelCall, url: str) -> SourceFile:
    """A web page that the provider fetches itself.

    Raises:
        InputError: the address is not a web address.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise InputError(
            "input.file_type_unsupported",
            f"the model {call.entry.handle!r} reads web pages by their address, but {shown_url(url)!r} is not one",
            format="file",
            model=call.entry.handle,
        )
    return SourceFile(b"", "text/html", "html", f"the page {shown_url(url)!r}", url=url)


def _result(entry: ModelEntry, wanted: ExtractAsk, pages: list[ExtractedPage], *, is_priced: bool) -> ContentListResult:
    free = ModelUsage(handle=entry.handle, backend=entry.backend, cost_usd=0.0)
    contents: tuple[Json, ...] = tuple(page.content() for page in pages)
    return ContentListResult(contents=contents, usage=pages_usage(entry, wanted, len(pages)) if is_priced else free)
