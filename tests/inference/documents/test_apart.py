"""Printing in a process of its own: its limits, and its end."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from pipelex.errors import PipelexError
from pipelex.inference.documents import DocumentAsk, apart
from pipelex.inference.documents.provider import Pictures
from pipelex.inference.extract.process import ReadingProcess
from pipelex.pipes.effects.requests import DocumentRequest

LONG = "<table>" + "<tr><td>a</td><td>b</td></tr>" * 60_000 + "</table>"


def page(html: str) -> DocumentAsk:
    return DocumentAsk(DocumentRequest(format="pdf", filename="x", source="html", html=html))


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
    monkeypatch: pytest.MonkeyPatch, started: list[ReadingProcess], html: Callable[[], str], limit: int
):
    monkeypatch.setattr(apart, "_MAX_MEMORY", limit)
    with pytest.raises(PipelexError, match=r"[Mm]emory"):
        await apart.print_apart("pdf", page(html()), no_pictures)
    assert await asyncio.to_thread(started[0].wait) is not None


async def test_a_document_takes_no_more_time_than_it_may(
    monkeypatch: pytest.MonkeyPatch, started: list[ReadingProcess]
):
    monkeypatch.setattr(apart, "_MAX_SECONDS", 0.2)
    with pytest.raises(PipelexError, match="longer than"):
        await apart.print_apart("pdf", page(LONG), no_pictures)
    assert all([await asyncio.to_thread(one.wait) in (-9, 0) for one in started])
