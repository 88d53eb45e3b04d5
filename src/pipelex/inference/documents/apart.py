"""Printing a document in a child process, with limits on memory and time; it is killed when the caller is cancelled."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from pipelex.errors import ErrorCategory, ErrorReport, PipelexError
from pipelex.inference.documents.provider import DocumentAsk, ReadPictures, content_failure
from pipelex.inference.extract.process import ReadingProcess
from pipelex.inference.extract.slots import Slots
from pipelex.reading.limits import TOOK_TOO_MUCH
from pipelex.reading.wire import BrokenWire

logger = logging.getLogger("pipelex.inference")

T = TypeVar("T")

_CHILD: Final = Path(__file__).with_name("child.py")
_MOST_AT_ONCE: Final = 2
_slots: Final = Slots(_MOST_AT_ONCE)

Message = tuple[dict[str, Any], list[bytes]]


async def print_apart(printer: str, ask: DocumentAsk, pictures: ReadPictures) -> bytes:
    """Print a document in a child process, and return the file. Cancelling the call kills the process.

    Args:
        printer: the printer's name, see `pipelex.inference.documents.serve`.
        ask: the document to print.
        pictures: reads the images that the document shows.

    Raises:
        PipelexError: the document cannot be printed, or is over a limit.
    """
    await _slots.acquire()
    process: ReadingProcess | None = None
    try:
        with TemporaryDirectory(prefix="pipelex-print-", ignore_cleanup_errors=True) as scratch:
            try:
                process = await _in_thread(partial(ReadingProcess, _CHILD))
                async with asyncio.timeout(ask.limits.seconds):
                    return await _printed(process, _task(printer, ask, scratch), ask, pictures)
            except TimeoutError:
                raise content_failure(
                    f"the document took longer than {ask.limits.seconds:g} seconds to print"
                ).with_report(advice=_advice("timeout_seconds")) from None
            except (BrokenWire, OSError, ValueError):
                raise await _ended(process, ask) from None
            finally:
                if process is not None:
                    process.kill()
                    _threads().submit(process.close)
    finally:
        _slots.release()


def _task(printer: str, ask: DocumentAsk, scratch: str) -> dict[str, Any]:
    return {
        "printer": printer,
        "request": ask.request.model_dump(mode="json", exclude_unset=True),
        "root": None if ask.root is None else str(ask.root.absolute()),
        "scratch": scratch,
        "max_memory": ask.limits.max_memory,
    }


async def _printed(process: ReadingProcess, task: dict[str, Any], ask: DocumentAsk, pictures: ReadPictures) -> bytes:
    process.limit_messages(ask.limits.max_text)
    await _in_thread(partial(process.send, task, [] if ask.template is None else [ask.template]))
    while True:
        head, blobs = await _in_thread(process.receive)
        if "printed" in head:
            for line in head.get("warned", ()):
                logger.warning("%s", line)
            return blobs[0]
        if "failed" in head:
            raise _failure(ErrorReport.from_json(head["failed"]))
        found = await pictures([str(url) for url in head["pictures"]])
        told = [{"url": url, "mime_type": image.mime_type} for url, image in found.items()]
        await _in_thread(partial(process.send, {"pictures": told}, [image.data for image in found.values()]))


def _failure(report: ErrorReport) -> PipelexError:
    category = report.category or ErrorCategory.CONTENT
    return PipelexError(report.code, report.detail, category=category, params=report.params).with_report(
        advice=report.advice
    )


async def _ended(process: ReadingProcess | None, ask: DocumentAsk) -> PipelexError:
    if process is None:
        return content_failure("the process that prints documents cannot be started")
    process.kill()
    code = await _in_thread(process.wait)
    if code == TOOK_TOO_MUCH:
        detail = f"the document takes more than {ask.limits.max_memory:,} bytes of memory to print"
        return content_failure(detail).with_report(advice=_advice("max_memory_bytes"))
    return content_failure(f"the process that printed the document died (exit {code})")


def _advice(key: str) -> str:
    return f"Print less in one document, or raise {key} of [inference.doc_gen]."


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST_AT_ONCE + 1, thread_name_prefix="printing")


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)
