"""PipeExtract in whole methods, in this process and on Temporal."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelex.content.stuff import Stuff
from pipelex.errors import PipelexError
from pipelex.pipes.trace import PipeTrace
from pipelex.runner import RunResult
from pipelex.temporal.dev_server import DevServer
from tests.distributed.inprocess import polling
from tests.support.documents import PdfPage, pdf, plain
from tests.support.project import Project, worker_of, write_project
from tests.support.untyped import untyped

METHOD = """
domain = "reports"
main_pipe = "read_report"

[pipe.read_report]
type = "PipeExtract"
description = "Read a report"
inputs = { report = "Document" }
output = "Page[]"
page_views = true
page_views_dpi = 72
"""
REPORT = pdf(PdfPage(["Quarterly report"], [plain(60, 40)]), PdfPage(["Second page"]))


@pytest.fixture
def project(tmp_path: Path, temporal_server: DevServer) -> Project:
    (tmp_path / "report.pdf").write_bytes(REPORT)
    return write_project(tmp_path, stub="http://127.0.0.1:1/v1", target=temporal_server.target, queue=tmp_path.name)


async def run_on(project: Project, orchestrator: str, inputs: dict[str, Any]) -> RunResult:
    app = project.app(orchestrator)
    method = app.load(project.method(METHOD))
    if orchestrator == "direct":
        return await method.run(inputs)
    async with worker_of(app):
        return await method.run(inputs)


def as_path(root: Path) -> str:
    return str(root / "report.pdf")


def as_data(root: Path) -> str:
    return "data:application/pdf;base64," + base64.b64encode(REPORT).decode()


@pytest.mark.parametrize("orchestrator", ["direct", "temporal"])
@pytest.mark.parametrize("written", [as_path, as_data])
async def test_a_report_is_read(project: Project, orchestrator: str, written: Callable[[Path], str]):
    result = await run_on(project, orchestrator, {"report": {"url": written(project.root)}})

    assert isinstance(result.value, Stuff)
    pages = untyped(result.value.items)
    assert result.value.concept == "native.Page"
    assert [page["text_and_images"]["text"]["text"] for page in pages] == ["Quarterly report", "Second page"]
    stored = {path.name for path in (project.root / ".pipelex" / "storage").iterdir()}
    urls = [page["page_view"]["url"] for page in pages] + [pages[0]["text_and_images"]["images"][0]["url"]]
    report = f"{hashlib.sha256(REPORT).hexdigest()}.pdf"  # moved into the store before it travelled
    assert stored == {report, *(url.removeprefix("pipelex-storage://") for url in urls)}
    assert [usage.handle for usage in result.usage] == ["pypdfium2-extract-pdf"]
    assert result.usage[0].cost_usd == 0.0


async def test_views_are_made_where_they_are_routed_to(project: Project):
    views = f"{project.queue}-views"
    routes = {
        "temporal.activity_queues.act_render_page_views.default": views,
        f'temporal.queue_options."{views}".start_to_close_timeout': "0:01:00",
    }
    app = project.app(overrides=routes)
    method = app.load(project.method(METHOD))
    async with polling(app), polling(app, scope="runner-img-gen", queue=views):
        run = await method.start({"report": str(project.root / "report.pdf")})
        result = await run.result()
    assert isinstance(result.value, Stuff)
    assert ["page_view" in page for page in untyped(result.value.items)] == [True, True]

    effects = (await run.trace()).effects
    assert [(effect.summary, effect.queue) for effect in effects] == [
        ("Render page views · pipe=read_report", views),
        ("Extract pages · pipe=read_report · handle=pypdfium2-extract-pdf", project.queue),
    ]


async def test_what_cannot_be_shown_is_refused_before_it_is_read(project: Project):
    (project.root / "report.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    app = project.app("direct")
    seen: list[PipeTrace] = []
    with pytest.raises(PipelexError) as caught:
        await app.load(project.method(METHOD)).run({"report": str(project.root / "report.csv")}, on_change=seen.append)
    assert caught.value.code == "model.capability_unsupported"
    assert "csv" in caught.value.report.detail
    assert [effect.name for effect in seen[-1].effects] == ["act_render_page_views"]


@pytest.mark.parametrize("orchestrator", ["direct", "temporal"])
async def test_an_address_of_this_machine_is_refused(project: Project, orchestrator: str):
    with pytest.raises(PipelexError) as caught:
        await run_on(project, orchestrator, {"report": {"url": "http://127.0.0.1:9/report.pdf"}})
    assert caught.value.code == "security.input_url_refused"
    assert caught.value.report.params["target_class"] == "loopback"
    assert caught.value.report.attempts == 1


async def test_the_guard_can_be_switched_off(project: Project):
    app = project.app("direct", overrides={"runtime.network.is_fetch_ssrf_guard_enabled": False})
    method = app.load(project.method(METHOD))
    with pytest.raises(PipelexError) as caught:
        await method.run({"report": {"url": "http://127.0.0.1:1/report.pdf"}})
    assert caught.value.code == "input.url_unreachable"


async def test_the_default_resolution_of_views_is_a_setting(project: Project):
    app = project.app("direct", overrides={"inference.extract.default_page_views_dpi": 36})
    result = await app.load(project.method(METHOD.replace("page_views_dpi = 72", ""))).run(
        {"report": str(project.root / "report.pdf")}
    )
    assert isinstance(result.value, Stuff)
    assert untyped(result.value.items)[0]["page_view"]["width"] == 150
