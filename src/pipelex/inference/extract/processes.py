"""Reading documents in child processes, with limits on memory, time, pages and text.

A process is killed if its caller stops early. Otherwise it is kept for the next document, so that a small document does
not cost a start. At most two documents are read at the same time.
"""

import asyncio
import atexit
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from threading import Lock
from typing import Any, Final, TypeVar

from pipelex.errors import ErrorReport, InputError, PipelexError
from pipelex.inference.extract.process import ReadingProcess
from pipelex.inference.extract.provider import ExtractAsk, SourceFile, logger, missing_extra
from pipelex.inference.extract.slots import Slots
from pipelex.reading.limits import TOOK_TOO_MUCH
from pipelex.reading.source import ReadingLimits, ReadPage, limited, too_large, too_much_memory, unreadable
from pipelex.reading.wire import BrokenWire, page_of

T = TypeVar("T")

_MOST_AT_ONCE: Final = 2
_slots: Final = Slots(_MOST_AT_ONCE)


async def read_pages(
    source: SourceFile, wanted: ExtractAsk, limits: ReadingLimits, *, is_optical: bool = False
) -> AsyncGenerator[ReadPage]:
    """The pages of a document, one after the other. If the caller stops early, the process is killed.

    Args:
        source: the document.
        wanted: what to extract.
        limits: the limits of reading.
        is_optical: whether text is also read from images.

    Raises:
        PipelexError: the document is broken, locked or over a limit, or a library is not installed.
    """
    await _slots.acquire()
    process: ReadingProcess | None = None
    is_whole = False
    try:
        process = await _in_thread(_at_rest)
        process.limit_messages(limits.max_text)
        task = {
            "source": {key: value for key, value in asdict(source).items() if key not in ("data", "url")},
            "wanted": asdict(wanted),
            "is_optical": is_optical,
            "max_memory": limits.max_memory,
            "max_pages": limits.max_pages,
        }
        await _asked(process, source, limits, partial(process.send, task, [source.data]))
        room = _Room(source, limits)
        while isinstance(found := await _next(process, source, limits), ReadPage):
            room.take(found)
            yield found
        is_whole = True
        if found is not None:
            raise found
    finally:
        if process is not None:
            _give_back(process, is_usable=is_whole)
        _slots.release()


class _Room:
    """The pages and the text that a document may still have."""

    def __init__(self, source: SourceFile, limits: ReadingLimits) -> None:
        self._source, self._limits = source, limits
        self._pages = self._text = 0

    def take(self, page: ReadPage) -> None:
        self._pages += 1
        self._text += len(page.text) + len(page.raw_html or "")
        source, limits = self._source, self._limits
        if self._pages > limits.max_pages:
            raise too_large(source, f"has more than {limits.max_pages} pages", limits.max_pages)
        if self._text > limits.max_text:
            what = f"has more than {limits.max_text:,} characters of text"
            raise too_large(source, what, limits.max_text, self._text)


async def _next(process: ReadingProcess, source: SourceFile, limits: ReadingLimits) -> ReadPage | PipelexError | None:
    """The next page. After the last one, it is None, or the failure that stopped the reading."""
    failure: PipelexError | None = None
    while True:
        head, blobs = await _asked(process, source, limits, process.receive)
        if "warning" in head:
            logger.warning("%s", head["warning"])
        elif "page" in head:
            return page_of(head["page"], blobs)
        elif "end" in head:
            process.is_worn = bool(head.get("is_worn"))
            return failure
        else:
            failure = _failure(head)


def _failure(head: dict[str, Any]) -> PipelexError:
    if "missing" in head:
        return missing_extra(head["missing"]["extra"], head["missing"]["what"])
    report = ErrorReport.from_json(head["failed"])
    return InputError(report.code, report.detail).with_report(params=report.params, advice=report.advice)


async def _asked(process: ReadingProcess, source: SourceFile, limits: ReadingLimits, talk: Callable[[], T]) -> T:
    """The result of an exchange with the process, within the time limit."""
    try:
        async with asyncio.timeout(limits.seconds):
            return await _in_thread(talk)
    except TimeoutError:
        why = f"its next page took longer than {limits.seconds:g} seconds"
        raise limited(unreadable(source, "too_slow", why), "timeout_seconds") from None
    except (BrokenWire, OSError, ValueError):
        process.kill()
        code = await _in_thread(process.wait)
        if code == TOOK_TOO_MUCH:
            raise too_much_memory(source, limits.max_memory) from None
        raise unreadable(source, "crashed", f"the process that read it died (exit {code})") from None
    finally:
        # After a cancellation or a time-out, a thread still waits for the process; killing it frees the thread.
        if process.is_asked:
            process.kill()


# --- idle processes ---------------------------------------------------------------------------------------------------

_rest: Final[list[ReadingProcess]] = []
_lock: Final = Lock()


def _at_rest() -> ReadingProcess:
    """An idle process, or a new one if there is none."""
    while True:
        with _lock:
            found = _rest.pop() if _rest else None
        if found is None:
            return ReadingProcess()
        if found.is_alive:
            return found
        found.kill()
        found.close()


def _give_back(process: ReadingProcess, *, is_usable: bool) -> None:
    if is_usable and not process.is_worn:
        with _lock:
            if len(_rest) < _MOST_AT_ONCE:
                _rest.append(process)
                return
    process.kill()
    _threads().submit(process.close)


@atexit.register
def end_processes() -> None:
    """End the idle processes."""
    with _lock:
        ending, _rest[:] = list(_rest), []
    for process in ending:
        process.kill()
        process.close()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST_AT_ONCE + 1, thread_name_prefix="documents")


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)
