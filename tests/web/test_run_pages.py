"""The pages of real runs in a real browser: a large batch, a long sequence, a failure, the lighthouse, a replay."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelex.cli.main import app
from tests.support.browser import CHROMIUM, WITHOUT, Page, browser
from tests.support.methods import DESCRIBE_ALL, chain_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.project import Project, write_project

ROOT = Path(__file__).parents[2]
PICTURES = os.environ.get("PIPELEX_TEST_PICTURES")
"""A folder that keeps what the pages look like, for people."""

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT), pytest.mark.slow]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Project, OpenAIStub]]:
    with OpenAIStub() as stub:
        project = write_project(tmp_path, stub=stub.url)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("PIPELEX_TRUST_PROJECT", "1")
        yield project, stub


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path / "profile") as tab:
        yield tab


def pipelex(*args: str, code: int = 0) -> str:
    ended = CliRunner().invoke(app, list(args), prog_name="pipelex")
    assert ended.exit_code == code, ended.output
    return ended.stdout


def opened(tab: Page, page: Path, view: str, *texts: str) -> None:
    tab.open(f"about:blank#{view}")
    tab.open(f"{page.as_uri()}#{view}")
    tab.wait_for(*texts)


def picture(tab: Page, name: str) -> None:
    if PICTURES is not None:
        tab.save(Path(PICTURES) / f"{name}.png")


def nodes(tab: Page) -> int:
    return int(tab.evaluate("document.querySelectorAll('.react-flow__node').length"))


def edges(tab: Page) -> int:
    return int(tab.evaluate("document.querySelectorAll('.react-flow__edge').length"))


def test_a_batch_of_500(project: tuple[Project, OpenAIStub], tab: Page, tmp_path: Path) -> None:
    written, stub = project
    stub.on(matches=r"Describe word-(\d+)\.", text="about \\1", expand=True)
    written.method(DESCRIBE_ALL)
    words = tmp_path / "inputs.json"
    words.write_text('{"words": [' + ", ".join(f'"word-{number}"' for number in range(500)) + "]}", encoding="utf-8")
    pipelex("run", "method.mthds", "-i", str(words), "--json")
    page = tmp_path / "results" / "describe_all_output_01" / "run.html"
    opened(tab, page, "graph", "describe_all", "500")
    assert 0 < nodes(tab) < 50, "the items are folded"
    picture(tab, "batch-graph")
    opened(tab, page, "tree", "describe_all")
    for key in ("End", "ArrowRight"):  # the keyboard alone opens the line of the batch
        tab.press(key, "document.querySelector('.rows').focus()")
    tab.wait_for("describe[0]")
    assert int(tab.evaluate("document.querySelectorAll('[role=treeitem]').length")) < 200, "only what is seen is drawn"
    picture(tab, "batch-tree")
    opened(tab, page, "result", "about 0")
    picture(tab, "batch-result")
    opened(tab, page, "timeline", "describe")
    picture(tab, "batch-timeline")


def test_a_sequence_of_100(project: tuple[Project, OpenAIStub], tab: Page, tmp_path: Path) -> None:
    written, stub = project
    stub.on(matches=r"Do number (\d+) ", text="answer \\1", expand=True)
    written.method(chain_of(100))
    pipelex("run", "method.mthds", "-i", "text=sea", "--json")
    page = tmp_path / "results" / "chain_output_01" / "run.html"
    opened(tab, page, "graph", "step_1")
    picture(tab, "sequence-graph")
    drawn = "[...document.querySelectorAll('.react-flow__node')].map(each => each.getBoundingClientRect().width)"
    assert max(tab.evaluate(drawn)) > 60, "what is drawn can be read"
    assert edges(tab) > 0, "an arrow leads from a step to the next"
    opened(tab, page, "timeline", "step_1")
    picture(tab, "sequence-timeline")


def test_a_failed_run(project: tuple[Project, OpenAIStub], tab: Page, tmp_path: Path) -> None:
    written, stub = project
    stub.on("Do number 3", Reply(status=400, text="refused"))
    stub.on(matches=r"Do number (\d+) ", text="answer \\1", expand=True)
    written.method(chain_of(5))
    pipelex("run", "method.mthds", "-i", "text=sea", "--json", code=1)
    page = tmp_path / "results" / "chain_output_01" / "run.html"
    # The sequence and three of its steps ran; the two that never began are drawn, and are not counted.
    opened(tab, page, "graph", "failed", "provider.failed", "step_3", "step_5", "4 pipe runs")
    picture(tab, "failed-graph")
    assert edges(tab) == 4
    # A page of old leads to the same.
    tab.open((page.parent / "reactflow.html").as_uri())
    tab.wait_for("provider.failed")


PRINTED = """
domain = "quay"
main_pipe = "letter"
[pipe.letter]
type = "PipeDocGen"
description = "A letter"
inputs = { name = "Text" }
output = "Document"
format = "pdf"
filename = "Letter (é) to $name"
template = "<p>Dear $name</p>"
"""


def downloaded(file: Path, size: int) -> bytes:
    """The bytes of a download, once it is there."""
    deadline = time.monotonic() + 60
    while not file.exists() or file.stat().st_size != size:
        assert time.monotonic() < deadline, [each.name for each in file.parent.iterdir()]
        time.sleep(0.1)
    return file.read_bytes()


def test_a_file_is_downloaded_from_the_page(project: tuple[Project, OpenAIStub], tab: Page, tmp_path: Path) -> None:
    project[0].method(PRINTED)
    pipelex("run", "method.mthds", "-i", "name=Ana", "--run-id", "letter")
    later = tmp_path / "later.html"
    pipelex("runs", "open", "letter", "--no-browser", "-o", str(later))
    name = "Letter (é) to Ana.pdf"
    made = tmp_path / "results" / "letter_output_01" / "files" / name
    for page, link in ((made.parents[1] / "run.html", ".files a"), (later, ".media a")):
        folder = tmp_path / f"{page.stem}-downloads"
        folder.mkdir()
        opened(tab, page, "result", name)
        tab.download(folder)
        tab.click(link)
        assert downloaded(folder / name, made.stat().st_size) == made.read_bytes()
        assert str(tab.evaluate("location.href")).startswith(page.as_uri()), "the page stays"
    assert (tmp_path / "later_files" / name).read_bytes() == made.read_bytes()


def test_the_lighthouse_and_its_replay(project: tuple[Project, OpenAIStub], tab: Page, tmp_path: Path) -> None:
    _, stub = project
    stub.on("Write a one-sentence summary", object={"headline": "A light", "mood": "calm", "people": ["Ana"]})
    stub.on("Say in two sentences", text="A lamp is kept.")
    stub.on("Write one sentence that invites", text="Read it.")
    shutil.copytree(ROOT / "examples" / "lighthouse", tmp_path / "lighthouse")
    pipelex("run", "lighthouse", "--run-id", "saltmere", "--json")
    page = tmp_path / "results" / "write_report_output_01" / "run.html"
    opened(tab, page, "result", "The Keeper of Saltmere Point")
    assert tab.evaluate("document.querySelector('.result h1') !== null"), "Markdown is rendered"
    picture(tab, "lighthouse-result")
    opened(tab, page, "graph", "form_opinion", "note_chapter")
    picture(tab, "lighthouse-graph")
    opened(tab, page, "timeline", "note_chapter")
    picture(tab, "lighthouse-timeline")
    pipelex("runs", "replay", "saltmere", "--from", "form_opinion", "--json")
    replayed = tmp_path / "replayed.html"
    pipelex("runs", "open", "saltmere-replay", "--no-browser", "-o", str(replayed))
    opened(tab, replayed, "tree", "replays", "saltmere", "note_chapter")
    picture(tab, "replay-tree")
