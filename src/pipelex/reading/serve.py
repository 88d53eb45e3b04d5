"""The loop of a reading process: it reads one file after the other, page by page, under a memory limit."""

import gc
import logging
from dataclasses import fields
from typing import Any, BinaryIO, Final

from pipelex.errors import InputError
from pipelex.reading.limits import MemoryWatch, deny_files, resident
from pipelex.reading.read import pages_of
from pipelex.reading.source import (
    ExtractAsk,
    MissingExtra,
    PictureFit,
    SourceFile,
    logger,
    too_much_memory,
    unreadable,
)
from pipelex.reading.wire import page_message, receive, send

_MOST_FILES: Final = 50
"""The number of files that a process reads before another one replaces it."""
_WORN: Final = 128 * 1024 * 1024
"""The growth of a process's memory, in bytes, above which another process replaces it."""
_MAX_HEAD: Final = 1024 * 1024
_MAX_SOURCE: Final = 4 * 1024**3


class _Telling(logging.Handler):
    """Sends warnings to the process that started this one."""

    def __init__(self, answers: BinaryIO) -> None:
        super().__init__(logging.WARNING)
        self._answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        send(self._answers, {"warning": record.getMessage()})


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Read files until the other side ends."""
    logger.addHandler(_Telling(answers))
    logger.propagate = False
    deny_files()
    watch, at_rest, count = MemoryWatch(), resident(), 0
    while (task := receive(tasks, max_head=_MAX_HEAD, max_blobs=_MAX_SOURCE)) is not None:
        head, blobs = task
        if "hello" in head:
            send(answers, {"hello": True})
            continue
        count += 1
        try:
            is_spent = _answer(head, blobs, answers, watch)
        finally:
            watch.rest()
        del task, blobs
        gc.collect()
        is_worn = is_spent or count >= _MOST_FILES or resident() > at_rest + _WORN
        send(answers, {"end": True, "is_worn": is_worn})


def _wanted(told: dict[str, Any]) -> ExtractAsk:
    members = {field.name: told[field.name] for field in fields(ExtractAsk)}
    members["fit"] = None if members["fit"] is None else PictureFit(**members["fit"])
    return ExtractAsk(**members)


def _answer(head: dict[str, Any], blobs: list[bytes], answers: BinaryIO, watch: MemoryWatch) -> bool:
    """Read one file; return whether memory ran short."""
    source = SourceFile(blobs[0], **head["source"])
    wanted = _wanted(head["wanted"])
    try:
        if head["is_optical"]:
            from pipelex.reading.ocr import prepare

            prepare()  # the memory of the OCR models does not count
        watch.allow(head["max_memory"])
        for page in pages_of(source, wanted, is_optical=head["is_optical"], max_pages=head["max_pages"]):
            send(answers, *page_message(page))
    except MissingExtra as missing:
        send(answers, {"missing": {"extra": missing.extra, "what": missing.what}})
    except InputError as refused:
        send(answers, {"failed": refused.report.to_json()})
    except MemoryError:
        watch.rest()
        send(answers, {"failed": too_much_memory(source, head["max_memory"]).report.to_json()})
        return True
    except RecursionError:
        send(answers, {"failed": unreadable(source, "nesting", "it is nested too deeply").report.to_json()})
    except Exception as error:  # an unchecked file can make a library raise anything
        why = f"{type(error).__name__}: {error}"[:300]
        send(answers, {"failed": unreadable(source, "damaged", why).report.to_json()})
    return False
