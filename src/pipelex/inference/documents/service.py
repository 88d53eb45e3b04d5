"""Printing documents with the engine that the model's entry names, and storing them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.model_call import call_of
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.model_deck import ModelDeck
from pipelex.inference.documents.provider import DocumentAsk, DocumentEngine, Pictures, PrintLimits
from pipelex.inference.method_trees import MethodTrees
from pipelex.inference.providers import factory
from pipelex.pipes.effects.jobs import ContentResult, DocumentJob
from pipelex.pipes.effects.requests import DocumentRequest
from pipelex.storage import FetchPolicy, Storage, load, safe_name

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_MIME_TYPES: Final = {
    "pdf": "application/pdf",
    "docx": _OFFICE + "wordprocessingml.document",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "pptx": _OFFICE + "presentationml.presentation",
}
_MAX_IMAGES: Final = 500


@dataclass(frozen=True)
class Documents:
    """Prints documents with the engines of a deck."""

    deck: ModelDeck
    storage: Storage
    """The storage for documents; results carry only their addresses."""
    policy: FetchPolicy
    """The policy for fetching the images in a document."""
    trees: MethodTrees = field(default_factory=MethodTrees)
    """The methods' folders, which hold the template files."""
    limits: PrintLimits = field(default_factory=PrintLimits)
    """The limits of printing one document."""

    async def generate_document(self, job: DocumentJob) -> ContentResult:
        """Print a document, store it, and return its Document content.

        Raises:
            PipelexError: the engine cannot print the format or is not installed, the template cannot be filled in, or
                an image cannot be read.
        """
        request, call = job.request, call_of(self.deck, job.model, "doc_gen")
        _check(call.entry, request)
        engine: DocumentEngine = factory("doc_gen", call.entry.table.sdk, call.entry.backend)(call)
        data = await engine.print(self._ask(request), self._pictures)
        filename = f"{safe_name(request.filename) or 'document'}.{request.format}"
        blob = await self.storage.put(data, mime_type=_MIME_TYPES[request.format], filename=filename)
        return ContentResult(content=blob.content())

    def _ask(self, request: DocumentRequest) -> DocumentAsk:
        if request.source != "template_file":
            return DocumentAsk(request, limits=self.limits)
        tree, content = self.trees.find(request.file, f"the template of '{request.filename}.{request.format}'")
        return DocumentAsk(request, content, tree.root, self.limits)

    async def _pictures(self, urls: Sequence[str]) -> Pictures:
        """See `ReadPictures`.

        Raises:
            PipelexError: an image cannot be read, or there are too many.
        """
        wanted = [url for url in dict.fromkeys(urls) if ":" in url]
        if len(wanted) > _MAX_IMAGES:
            raise PipelexError(
                "input.too_large",
                f"a document shows at most {_MAX_IMAGES} images, not {len(wanted)}",
                category=ErrorCategory.CONTENT,
                params={"limit": _MAX_IMAGES, "size": len(wanted)},
            )
        return {url: await load(url, storage=self.storage, policy=self.policy) for url in wanted}


def _check(entry: ModelEntry, request: DocumentRequest) -> None:
    """Refuse a format or a source that the engine does not support.

    Raises:
        PipelexError: `model.capability_unsupported`.
    """
    wanted = [(request.format, entry.table.outputs), (request.source, entry.table.inputs)]
    lacking = next((what for what, known in wanted if what not in known), None)
    if lacking is not None:
        raise PipelexError(
            "model.capability_unsupported",
            f"the document engine {entry.handle!r} does not print {request.format} from {request.source}",
            category=ErrorCategory.CONFIGURATION,
            params={"model": entry.handle, "capability": lacking},
            model=entry.handle,
            advice="Leave 'model' out, and the deck names an engine that does.",
        )
