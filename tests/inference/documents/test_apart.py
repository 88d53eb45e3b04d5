"""Printing in a process of its own: its limits, and its end."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipelex.errors import PipelexError
from pipelex.inference.documents import DocumentAsk, apart
from pipelex.inference.documents.provider import Pictures, PrintLimits
from pipelex.inference.extract.process import ReadingProcess
from pipelex.pipes.effects.requests import DocumentRequest
from tests.support.project import write_project

pytestmark = pytest.mark.slow

LONG = "<table>" + "<tr><td>a</td><td>b</td></tr>" * 60_000 + "</table>"


def page(html: str, limits: PrintLimits = PrintLimits()) -> DocumentAsk:  # noqa: B008 it is frozen
    return DocumentAsk(DocumentRequest(format="pdf", filename="x", source="html", html=html), limits=limits)


async def no_pictures(urls: Sequence[str]) -> Pictures:
    return {}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ReadingProcess]:
    """The processes that were started."""
    found: list[ReadingProcess] = []

    class Recorded(ReadingProcess):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # pyright: ignore[reportArgumentType]
            found.append(self)

    monkeypatch.setattr(apart, "ReadingProcess", Recorded)
    return found


async def test_a_cancel_ends_the_process(started: list[ReadingProcess]):
    is_asked = asyncio.Event()

    async def pictures(urls: Sequence[str]) -> Pictures:
        is_asked.set()
        return {}

    printing = asyncio.create_task(apart.print_apart("pdf", page(LONG), pictures))
    await is_asked.wait()
    printing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await printing
    assert await asyncio.to_thread(started[0].wait) == -9


@pytest.mark.parametrize(
    ("html", "limit"), [(lambda: LONG, 30_000_000), (lambda: "<p>" + "x " * 4_000_000 + "</p>", 30_000_000)]
)
async def test_a_document_takes_no_more_memory_than_it_may(
    started: list[ReadingProcess], html: Callable[[], str], limit: int
):
    with pytest.raises(PipelexError, match=r"[Mm]emory"):
        await apart.print_apart("pdf", page(html(), PrintLimits(max_memory=limit)), no_pictures)
    assert await asyncio.to_thread(started[0].wait) is not None


async def test_a_document_takes_no_more_time_than_it_may(started: list[ReadingProcess]):
    with pytest.raises(PipelexError, match="longer than"):
        await apart.print_apart("pdf", page(LONG, PrintLimits(seconds=0.2)), no_pictures)
    assert all([await asyncio.to_thread(one.wait) in (-9, 0) for one in started])


METHOD = """
domain = "quay"
main_pipe = "print"
[pipe.print]
type = "PipeDocGen"
description = "Print"
inputs = { text = "Text" }
output = "Document"
format = "pdf"
template = "<p>$text</p>"
"""


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("timeout_seconds", 0.0001, "longer than 0.0001 seconds"),
        ("max_memory_bytes", 1, "memory"),
    ],
)
async def test_limits_are_settings(tmp_path: Path, key: str, value: float, said: str):
    project = write_project(tmp_path, stub="http://127.0.0.1:1/v1")
    async with project.app("direct", overrides={f"inference.doc_gen.{key}": value}) as app:
        with pytest.raises(PipelexError, match=said):
            await app.load(project.method(METHOD)).run({"text": "word " * 400_000})


async def test_what_is_told_of_images_is_limited_by_a_setting(tmp_path: Path, started: list[ReadingProcess]):
    project = write_project(tmp_path, stub="http://127.0.0.1:1/v1")
    async with project.app("direct", overrides={"inference.doc_gen.max_text_characters": 1}) as app:
        limits = app.inference.documents.limits
        assert limits.max_text == 1
        assert (await app.load(project.method(METHOD)).run({"text": "x"})).value is not None
        many = "".join(f"<img src='https://example.invalid/{number}/{'x' * 2_000}.png'>" for number in range(600))
        with pytest.raises(PipelexError, match="the process that printed the document died"):
            await apart.print_apart("pdf", page(many, limits), no_pictures)
