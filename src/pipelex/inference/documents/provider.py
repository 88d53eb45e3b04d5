"""The interface of a document engine, with its request."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.effects.requests import DocumentRequest
from pipelex.storage import Loaded

Pictures = Mapping[str, Loaded]
"""The images of a document by URL. They are read before it is printed, because an engine never fetches anything."""

ReadPictures = Callable[[Sequence[str]], Awaitable[Pictures]]
"""Reads images by URL, each one once, under the run's policy for fetching; relative URLs are left out."""


@dataclass(frozen=True)
class PrintLimits:
    """The limits of printing one document in a process of its own."""

    seconds: float = 300.0
    """The time limit, in seconds, including the time to read images."""
    max_memory: int = 512 * 1024 * 1024
    """The memory that the process may take for the document, in bytes."""
    max_text: int = 20_000_000
    """The maximum length of a message from the process, in characters; it may list the addresses of images."""


@dataclass(frozen=True)
class DocumentAsk:
    """A document to print."""

    request: DocumentRequest
    template: bytes | None = None
    """The content of the template file, if the request names one."""
    root: Path | None = None
    """The method's folder, the only one whose files may be read; None if the method is not on disk."""

    limits: PrintLimits = field(default_factory=PrintLimits)

    @property
    def folder(self) -> Path | None:
        """The folder that relative paths in the template start from."""
        return None if self.root is None or self.request.file is None else (self.root / self.request.file.path).parent


class DocumentEngine(Protocol):
    """A way to print documents. Its factory is called for each call, with the `ModelCall`."""

    async def print(self, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
        """The printed file. The same request produces the same bytes.

        Raises:
            PipelexError: the template cannot be filled in, a value cannot be printed, or an image cannot be read.
        """
        ...


def content_failure(detail: str, **params: Json) -> PipelexError:
    """The error for a template or a value that cannot be printed."""
    return PipelexError("pipe.template_render_failed", detail, category=ErrorCategory.CONTENT, params=params)
