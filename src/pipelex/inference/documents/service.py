import asyncio
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from pipelex.config.distribution import install_command
from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.pipes.effects.jobs import ContentResult, DocumentJob
from pipelex.pipes.effects.requests import DocumentRequest
from pipelex.pipes.layout import Block
from pipelex.storage import Loaded, load

if TYPE_CHECKING:
    from pipelex.inference.effects import Effects

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
MIME_TYPES: Final = {
    "pdf": "application/pdf",
    "docx": _OFFICE + "wordprocessingml.document",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "pptx": _OFFICE + "presentationml.presentation",
}
_LIBRARIES: Final = {"reportlab": "xhtml2pdf", "python_docx": "docx", "openpyxl": "openpyxl", "ooxml_template": "lxml"}
"""`sdk` → the module it stands on."""
SOURCES: Final = re.compile(r"""(<img\b[^>]*?\bsrc\s*=\s*)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE | re.DOTALL)
_MAX_IMAGES: Final = 500
_printing = Lock()
"""The PDF library keeps its fonts and settings in globals."""


@dataclass(frozen=True)
class Pictures:
    """The images a document shows, read before it is printed: an engine never fetches anything."""

    found: Mapping[str, Loaded]
    """URL → bytes."""

    def get(self, url: str) -> Loaded | None:
        return self.found.get(url)


async def generate_document(effects: "Effects", job: DocumentJob) -> ContentResult:
    """Print a document and store it: its Document content.

    Args:
        effects: the deck, the store, and the methods' folders.
        job: what to print.

    Raises:
        PipelexError: the engine cannot print the format or is not installed, a template cannot be filled, or an image
            cannot be read.
    """
    request = job.request
    entry = effects.deck.entry(job.model, "doc_gen")
    _check(entry, request)
    template, root = _template(effects, request)
    if request.format == "pdf":
        text = request.html or ""
        if request.source == "layout":
            from pipelex.inference.documents.html import page

            text = page(request.blocks)
        elif template is not None:
            from pipelex.inference.documents.templates import filled_html

            text = filled_html(request, template)
        pictures = await _pictures(effects, _images_of(text))
        data = await asyncio.to_thread(_pdf, text, pictures, root, request)
    else:
        pictures = await _pictures(effects, [_url(block) for block in request.blocks if block["kind"] == "image"])
        data = await asyncio.to_thread(_office, request, template, pictures)
    filename = f"{_safe(request.filename)}.{request.format}"
    blob = await effects.storage.put(data, mime_type=MIME_TYPES[request.format], filename=filename)
    return ContentResult(content=blob.content())


def _url(block: Block) -> str:
    return str(block["content"].get("url", ""))


def _pdf(text: str, pictures: Pictures, root: Path | None, request: DocumentRequest) -> bytes:
    from pipelex.inference.documents.pdf import printed

    with _printing:
        folder = None if root is None or request.file is None else (root / request.file.path).parent
        return printed(text, pictures.get, root, folder)


def _office(request: DocumentRequest, template: bytes | None, pictures: Pictures) -> bytes:
    if template is not None:
        from pipelex.inference.documents.templates import filled

        return filled(request, template)
    if request.format == "docx":
        from pipelex.inference.documents.docx import printed as printed_docx

        return printed_docx(request.blocks, pictures.get)
    from pipelex.inference.documents.xlsx import printed as printed_xlsx

    return printed_xlsx(request.blocks)


def _template(effects: "Effects", request: DocumentRequest) -> tuple[bytes | None, Path | None]:
    if request.source != "template_file":
        return None, None
    tree, content = effects.trees.find(request.file, f"the template of '{request.filename}.{request.format}'")
    return content, tree.root


async def _pictures(effects: "Effects", urls: Sequence[str]) -> Pictures:
    """Images by URL, each read once.

    Raises:
        PipelexError: one cannot be read, or there are too many.
    """
    wanted = [url for url in dict.fromkeys(urls) if ":" in url]
    if len(wanted) > _MAX_IMAGES:
        raise PipelexError(
            "input.too_large",
            f"a document shows at most {_MAX_IMAGES} images, not {len(wanted)}",
            category=ErrorCategory.CONTENT,
            params={"limit": _MAX_IMAGES, "size": len(wanted)},
        )
    return Pictures({url: await load(url, storage=effects.storage, policy=effects.policy) for url in wanted})


def _images_of(text: str) -> list[str]:
    return [html.unescape(double or single) for _, double, single in SOURCES.findall(text)]


def _check(entry: ModelEntry, request: DocumentRequest) -> None:
    """Refuse what the engine cannot print.

    Raises:
        PipelexError: `model.capability_unsupported`, `runtime.unsupported`, or `runtime.misconfigured` where its
            libraries are not installed.
    """
    import importlib.util

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
    module = _LIBRARIES.get(entry.table.sdk)
    if module is None:
        raise PipelexError(
            "runtime.unsupported",
            f"document engines of the sdk {entry.table.sdk!r} cannot be called by this release",
            category=ErrorCategory.CONFIGURATION,
            params={"capability": f"sdk:{entry.table.sdk}"},
        )
    if importlib.util.find_spec(module) is None:
        raise PipelexError(
            "runtime.misconfigured",
            f"printing {request.format} files needs libraries that are not installed",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "documents"},
            advice=f"Install them with: {install_command('documents')}",
        )


def _safe(name: str) -> str:
    """A file name without what file systems dislike."""
    plain = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "_", name).strip(" .")
    return plain[:120] or "document"


def content_failure(detail: str, **params: Json) -> PipelexError:
    """A template or a value cannot be printed."""
    return PipelexError("pipe.template_render_failed", detail, category=ErrorCategory.CONTENT, params=params)
