"""The interface of a document engine, and its request."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.pipes.effects.requests import DocumentRequest
from pipelex.storage import Loaded

Pictures = Mapping[str, Loaded]
"""The images a document shows by URL, read before it is printed: an engine never fetches anything."""

ReadPictures = Callable[[Sequence[str]], Awaitable[Pictures]]
"""Reads images by their URLs, each once, under the run's policy; relative ones are left out."""


@dataclass(frozen=True)
class PrintLimits:
    """What printing one document may take, in a process of its own."""

    seconds: float = 300.0
    """The time, images included."""
    max_memory: int = 512 * 1024 * 1024
    """The memory, in bytes."""
    max_text: int = 20_000_000
    """The characters of what the process asks and answers: the addresses of the images it shows."""


@dataclass(frozen=True)
class DocumentAsk:
    """A document to print."""

    request: DocumentRequest
    template: bytes | None = None
    """The template file, where the request names one."""
    root: Path | None = None
    """The method's folder, the only one whose files may be read; None where the method has none on disk."""

    limits: PrintLimits = field(default_factory=PrintLimits)

    @property
    def folder(self) -> Path | None:
        """The folder that relative paths of the template start from."""
        return None if self.root is None or self.request.file is None else (self.root / self.request.file.path).parent


class DocumentEngine(Protocol):
    """A way to print documents; its factory is called with the `ModelCall`, for each call."""

    async def print(self, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
        """The file. The same request gives the same bytes.

        Raises:
            PipelexError: a template cannot be filled, a value not be printed, or an image not be read.
        """
        ...


def content_failure(detail: str, **params: Json) -> PipelexError:
    """A template or a value cannot be printed."""
    return PipelexError("pipe.template_render_failed", detail, category=ErrorCategory.CONTENT, params=params)
