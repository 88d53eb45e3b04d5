from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, InputError, PipelexError
from pipelex.inference.calls.http import Provider, check_credentials
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.extract.azure import AzureExtractor
from pipelex.inference.extract.linkup import LinkupReader
from pipelex.inference.extract.local import TEXT_KINDS, LocalExtractor
from pipelex.inference.extract.mistral import MistralExtractor
from pipelex.inference.extract.ocr import LocalReader
from pipelex.inference.extract.source import Extractor, Keeper, Page, Source, Wanted, incapable, logger
from pipelex.inference.extract.views import page_views
from pipelex.pipes.effects.jobs import ContentListResult, ExtractJob
from pipelex.pipes.effects.requests import ViewsRequest
from pipelex.pipes.models import ModelUsage
from pipelex.storage import FetchPolicy, Loaded, Storage, file_kind, load
from pipelex.storage._fetch import shown

_IN_PROCESS: Mapping[str, bool] = {"pypdfium2": False, "rapidocr": True, "docling_sdk": True}
"""`sdk` → whether it reads images; `docling_sdk` is the reference's local reader, for which ours stands in."""

_OVER_HTTP: Mapping[str, tuple[Callable[[Provider], Extractor], Callable[[str], dict[str, str]]]] = {
    "mistral": (MistralExtractor, lambda key: {"Authorization": f"Bearer {key}"}),
    "azure_document_intelligence": (AzureExtractor, lambda key: {"Ocp-Apim-Subscription-Key": key}),
}
_WEB_READER = "linkup_fetch"


@dataclass(frozen=True)
class ExtractionOptions:
    """How documents are read."""

    default_page_views_dpi: int = 150
    request_timeout: float = 600.0
    """Seconds for one request to a provider."""


class Extraction:
    """Reads documents with the extractors of a model deck.

    Args:
        deck: which extractors there are.
        storage: where images of pages go, and where stored documents come from.
        policy: what may be fetched.
        options: how documents are read.
    """

    def __init__(
        self, deck: ModelDeck, storage: Storage, policy: FetchPolicy, options: ExtractionOptions | None = None
    ) -> None:
        self.deck = deck
        self.storage = storage
        self.policy = policy
        self.options = options or ExtractionOptions()

    async def extract_pages(self, job: ExtractJob) -> ContentListResult:
        """The pages of a document or an image, as Page contents; one attempt.

        Raises:
            PipelexError: the source cannot be read, the model cannot do it, or its provider failed.
        """
        entry = self.deck.entry(job.model, "extract")
        settings = job.model.settings
        wanted = Wanted.of(job.request, settings, self.options.default_page_views_dpi)
        url = str(job.request.source.get("url", ""))
        if entry.table.sdk == _WEB_READER:
            pages = [await self._web_page(entry, url, wanted)]
            return _result(entry, pages, is_priced=True)
        found = await load(
            url,
            storage=self.storage,
            policy=self.policy,
            mime_type=job.request.source.get("mime_type"),
            filename=job.request.source.get("filename"),
        )
        source = _source(found, url)
        is_taken = self._is_taken(entry, source)
        extractor = self._extractor(entry) if is_taken else LocalExtractor(entry.handle)
        pages = await extractor.extract(source, wanted, Keeper(self.storage))
        return _result(entry, pages, is_priced=is_taken)

    async def render_page_views(self, request: ViewsRequest) -> ContentListResult:
        """An Image content of each page of a document, or of an image.

        Raises:
            PipelexError: the source cannot be read, or not be shown.
        """
        url = str(request.source.get("url", ""))
        wanted = Wanted(views_dpi=request.dpi or self.options.default_page_views_dpi)
        found = await load(
            url,
            storage=self.storage,
            policy=self.policy,
            mime_type=request.source.get("mime_type"),
            filename=request.source.get("filename"),
        )
        return ContentListResult(contents=tuple(await page_views(_source(found, url), wanted, Keeper(self.storage))))

    def _is_taken(self, entry: ModelEntry, source: Source) -> bool:
        """Whether the model takes the source; a file that is text already needs no model, so it is read here.

        Raises:
            PipelexError: it does not, and nobody else can.
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
                f"the model {entry.handle!r} of {entry.backend!r} reads no images, and {source.name} is one",
                "Name a model that reads images, for example '@default-extract-image'.",
            )
        raise InputError(
            "input.file_type_unsupported",
            f"the model {entry.handle!r} of {entry.backend!r} reads {', '.join(inputs)}, but {source.name} is of type "
            f"{source.mime_type}",
            format=source.kind,
            model=entry.handle,
        )

    def _extractor(self, entry: ModelEntry) -> Extractor:
        sdk = entry.table.sdk
        if sdk in _IN_PROCESS:
            return LocalExtractor(entry.handle, LocalReader() if _IN_PROCESS[sdk] else None)
        if sdk not in _OVER_HTTP:
            known = ", ".join(sorted([*_IN_PROCESS, *_OVER_HTTP, _WEB_READER]))
            raise PipelexError(
                "model.unavailable",
                f"no text extractor is called {sdk!r}; known are {known}",
                category=ErrorCategory.CONFIGURATION,
                params={"model": entry.handle, "model_type": "extract", "reason": "sdk_unknown"},
                model=entry.handle,
                advice=f"Correct 'sdk' of {entry.handle!r} in backends/{entry.backend}.toml.",
            )
        make, auth = _OVER_HTTP[sdk]
        return make(self._provider(entry, auth))

    def _provider(self, entry: ModelEntry, auth: Callable[[str], dict[str, str]]) -> Provider:
        check_credentials(entry, self.deck.catalog.missing(entry))
        backend = self.deck.catalog.backends[entry.backend]
        headers = auth(backend.table.api_key) if backend.table.api_key else {}
        return Provider(entry, backend, headers, self.options.request_timeout)

    async def _web_page(self, entry: ModelEntry, url: str, wanted: Wanted) -> Page:
        if not url.lower().startswith(("http://", "https://")):
            raise InputError(
                "input.file_type_unsupported",
                f"the model {entry.handle!r} reads web pages by their address, but {shown(url)!r} is none",
                format="file",
                model=entry.handle,
            )
        if wanted.views_dpi is not None:
            detail = f"the model {entry.handle!r} gives no views of web pages"
            raise incapable(entry.handle, "page_views", detail, "Leave out 'page_views'.")
        provider = self._provider(entry, lambda key: {"Authorization": f"Bearer {key}"})
        return await LinkupReader(provider).read(url, wanted)


def _source(found: Loaded, url: str) -> Source:
    name = repr(found.filename) if found.filename else f"the document {shown(url)!r}"
    return Source(found.data, found.mime_type, file_kind(found.mime_type), name, found.base_url)


def _result(entry: ModelEntry, pages: list[Page], *, is_priced: bool) -> ContentListResult:
    cost = _price(entry, len(pages)) if is_priced else 0.0
    usage = ModelUsage(handle=entry.handle, backend=entry.backend, cost_usd=cost)
    contents: tuple[Json, ...] = tuple(page.content() for page in pages)
    return ContentListResult(contents=contents, usage=usage)


def _price(entry: ModelEntry, pages: int) -> float | None:
    """USD for so many pages; None when the backend's file gives no price."""
    costs = entry.table.costs
    if costs is None:
        return None
    return pages * ((costs.input or 0.0) + (costs.output or 0.0))
