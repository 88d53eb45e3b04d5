"""The work of a printing process: it prints one document within a memory limit, and requests images from its parent."""

import asyncio
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from pipelex.errors import PipelexError
from pipelex.inference.documents.docx import print_word
from pipelex.inference.documents.excel import print_sheets
from pipelex.inference.documents.pdf import print_pdf
from pipelex.inference.documents.provider import DocumentAsk, Pictures, content_failure
from pipelex.inference.documents.templates import print_template
from pipelex.pipes.effects.requests import DocumentRequest
from pipelex.reading.limits import MemoryWatch, limit_files
from pipelex.reading.wire import BrokenWire, receive, send
from pipelex.storage import Loaded

_PRINTERS: Final = {"pdf": print_pdf, "word": print_word, "sheets": print_sheets, "template": print_template}
_MAX_HEAD: Final = 1024**3
_MAX_BLOBS: Final = 4 * 1024**3
_MOST_WARNINGS: Final = 20
_MAX_SCRATCH: Final = 64 * 1024 * 1024
"""The maximum size of a file that a library writes, such as a font, in bytes."""


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Read one task, print its document, and send the file or the failure back."""
    limit_files(_MAX_SCRATCH)
    watch = MemoryWatch()
    task = receive(tasks, max_head=_MAX_HEAD, max_blobs=_MAX_BLOBS)
    if task is None:
        return
    head, blobs = task
    tempfile.tempdir = head["scratch"]
    watch.allow(head["max_memory"])
    try:
        asked, warned = _ask_of(head, blobs), _Warned()
        logging.getLogger("pipelex").addHandler(warned)
        data = asyncio.run(_PRINTERS[head["printer"]](asked, _Pictures(tasks, answers).read))
        send(answers, {"printed": True, "warned": warned.lines}, [data])
    except BrokenWire:
        return
    except PipelexError as failed:
        send(answers, {"failed": failed.report.to_json()})
    except (MemoryError, RecursionError) as short:
        watch.rest()
        send(answers, {"failed": content_failure(_SHORT[type(short)]).report.to_json()})
    except Exception as error:  # an unchecked value may make a library raise anything
        why = f"{type(error).__name__}: {error}"[:300]
        send(answers, {"failed": content_failure(f"the document cannot be printed: {why}").report.to_json()})


_SHORT: Final = {
    MemoryError: "the document takes more memory to print than the limit allows",
    RecursionError: "the document cannot be printed: it is nested too deeply",
}


def _ask_of(head: dict[str, Any], blobs: Sequence[bytes]) -> DocumentAsk:
    root = head["root"]
    request = DocumentRequest.model_validate(head["request"])
    return DocumentAsk(request, blobs[0] if blobs else None, None if root is None else Path(root))


class _Warned(logging.Handler):
    """Keeps warnings for the parent, which logs them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < _MOST_WARNINGS:
            self.lines.append(record.getMessage()[:500])


@dataclass(frozen=True)
class _Pictures:
    """Reads images through the process's parent."""

    tasks: BinaryIO
    answers: BinaryIO

    async def read(self, urls: Sequence[str]) -> Pictures:
        """See `ReadPictures`."""
        send(self.answers, {"pictures": list(urls)})
        found = receive(self.tasks, max_head=_MAX_HEAD, max_blobs=_MAX_BLOBS)
        if found is None:
            raise BrokenWire("nobody waits any more")
        head, blobs = found
        return {
            told["url"]: Loaded(data, told["mime_type"]) for told, data in zip(head["pictures"], blobs, strict=True)
        }
