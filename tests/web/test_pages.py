"""Pages that a run leaves, opened in a real browser: nothing of what they show acts, and nothing is fetched."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipelex.cli.run.files import LEADING, saved_json
from pipelex.storage import SavedFiles, StoredFile
from pipelex.tooling.pages import cleaned, may_be_opened
from tests.support.browser import CHROMIUM, WITHOUT, browser
from tests.support.openai_server import OpenAIStub
from tests.support.project import write_project

HOSTILE = """
<p>visible</p>
<script>document.title = "acted"; fetch("{url}/script")</script>
<img src=x onerror="document.title='acted'; new Image().src='{url}/onerror'">
<img src="{url}/picture.png" srcset="{url}/set.png 2x"><picture><source srcset="{url}/source.png"><img src="{url}/x.png"></picture>
<meta http-equiv="refresh" content="0; url={url}/refresh">
<META HTTP-EQUIV='Refresh' CONTENT='1;{url}/refresh-2'>
<base href="{url}/"><a href="relative">relative</a>
<link rel="stylesheet" href="{url}/sheet.css"><link rel="prefetch" href="{url}/prefetch"><link rel="dns-prefetch" href="{url}">
<link rel="preconnect" href="{url}"><link rel="icon" href="{url}/icon.ico">
<style>@import "{url}/import.css"; body {{ background: url({url}/css.png) }} @font-face {{ font-family: x; src: url({url}/font) }} * {{ font-family: x }}</style>
<div style="background-image: url({url}/inline.png)">x</div>
<iframe src="{url}/frame"></iframe><iframe srcdoc="&lt;script&gt;parent.document.title='acted'&lt;/script&gt;&lt;img src='{url}/srcdoc'&gt;"></iframe>
<object data="{url}/object"></object><embed src="{url}/embed"><video src="{url}/video" autoplay poster="{url}/poster"></video>
<audio src="{url}/audio" autoplay></audio><svg onload="document.title='acted'"><image href="{url}/svg.png"/><use href="{url}/use.svg#x"/></svg>
<form action="{url}/form" id="f"><input autofocus onfocus="document.title='acted'; f.submit()"></form>
<details open ontoggle="document.title='acted'">x</details><body onload="document.title='acted'">
<a href="javascript:document.title='acted'" id="j">j</a><a href="data:text/html,<script>1</script>">d</a>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=document.title='acted'&gt;">
<noscript><p title="</noscript><img src={url}/noscript onerror=document.title='acted'>">
<template><script>document.title='acted'</script></template><portal src="{url}/portal"></portal>
</title></style></textarea></script><script>document.title='acted'</script>
"""

MARKDOWN = """visible ![x]({url}/markdown.png) [l](javascript:document.title='acted') <img src="{url}/raw.png"
onerror="document.title='acted'"> <script>document.title='acted'</script>

![ref][r]

[r]: {url}/reference.png
"""

METHOD = """
domain = "quay"
main_pipe = "main"
[concept.Draft]
description = "A draft"
[concept.Draft.structure]
page  = {{ type = "concept", concept_ref = "native.Html", description = "P", required = true }}
text  = {{ type = "text", description = "T", required = true }}
[concept.Report]
description = "<script>document.title='acted'</script>"
[concept.Report.structure]
page  = {{ type = "concept", concept_ref = "native.Html", description = "P", required = true }}
text  = {{ type = "text", description = "T", required = true }}
photo = {{ type = "concept", concept_ref = "native.Image", description = "I", required = true }}
[pipe.main]
type = "PipeSequence"
description = "</script><script>document.title='acted'</script><img src=x onerror=document.title='acted'>"
inputs = {{ topic = "Text", photo = "Image" }}
output = "Report"
steps = [{{ pipe = "write", result = "draft" }}, {{ pipe = "finish", result = "report" }}]
[pipe.finish]
type = "PipeCompose"
description = "Finish"
inputs = {{ draft = "Draft", photo = "Image" }}
output = "Report"
[pipe.finish.construct]
page = {{ from = "draft.page" }}
text = {{ from = "draft.text" }}
photo = {{ from = "photo" }}
[pipe.write]
type = "PipeLLM"
description = '''"><img src="{url}/description.png" onerror="document.title='acted'">'''
inputs = {{ topic = "Text" }}
output = "Draft"
prompt = "Write on $topic"
"""


class CountingServer:
    """Counts whoever asks for anything."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """What was asked is in `asked`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def elsewhere() -> Iterator[CountingServer]:
    server = CountingServer()
    yield server
    server.close()


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """The folder that a run leaves whose every text is hostile."""
    from typer.testing import CliRunner

    from pipelex.cli.main import app

    with OpenAIStub() as stub:
        page = {"inner_html": HOSTILE.format(url=url), "css_class": '"><script>document.title="acted"</script>'}
        photo = {"url": f"{url}/photo.png", "caption": "<img src=x onerror=document.title='acted'>"}
        stub.on("Write", object={"page": page, "text": MARKDOWN.format(url=url)})
        project = write_project(folder, stub=stub.url)
        project.method(METHOD.format(url=url))
        monkeypatch.chdir(folder)
        monkeypatch.setenv("HOME", str(folder / "home"))
        monkeypatch.setenv("PIPELEX_TRUST_PROJECT", "1")
        inputs = json.dumps({"topic": "<script>document.title='acted'</script>", "photo": photo})
        ended = CliRunner().invoke(app, ["run", "method.mthds", "-i", inputs, "-o", "results"])
        assert ended.exit_code == 0, ended.output
    return folder / "results" / "main_output_01"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT)
def test_no_page_acts_or_fetches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: CountingServer) -> None:
    folder = written(tmp_path, monkeypatch, elsewhere.url)
    pages = sorted(folder.glob("*.html"))
    assert [page.name for page in pages] == [
        "main_stuff.html",
        "main_stuff_viewer.html",
        "mermaidflow.html",
        "reactflow.html",
        "run.html",
    ]
    with browser(tmp_path / "profile") as tab:
        for page in pages:
            tab.open(page.as_uri())
            leads = LEADING.get(page.name)
            shown = page if leads is None else page.with_name("run.html")
            tab.wait_for("write" if leads == "run.html#graph" else "visible")
            time.sleep(2.5)  # refreshes and loads that would come later
            assert tab.evaluate("document.title") != "acted", page.name
            assert str(tab.evaluate("location.href")).partition("#")[0] == shown.as_uri(), page.name
            for click in ("#j", "[href^='javascript']", "details summary"):
                tab.evaluate(f"document.querySelector({click!r})?.click()")
            assert tab.evaluate("document.title") != "acted", page.name
            assert elsewhere.asked == [], page.name


@pytest.mark.slow
def test_every_page_has_the_strict_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: CountingServer
) -> None:
    for page in written(tmp_path, monkeypatch, elsewhere.url).glob("*.html"):
        found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page.read_text(encoding="utf-8"))
        assert found is not None, page.name
        assert found[1].startswith("default-src 'none'; ")
        assert "script-src" not in found[1] or "script-src 'sha256-" in found[1]
        assert "base-uri 'none'; form-action 'none'" in found[1]


@pytest.mark.parametrize(
    "text",
    [
        '<meta http-equiv="refresh" content="0;url=http://x">',
        "<a href='jav\tascript:alert(1)'>x</a>",
        "<a href=' data:text/html,x'>x</a>",
        "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
        "<img src='//x/y.png'>",
        "<p style='background: url(http://x)' onclick='x()'>x</p>",
        "<svg><a xlink:href='javascript:alert(1)'>x</a></svg>",
        "<form action='http://x'><button formaction='javascript:x'>x</button></form>",
    ],
)
def test_cleaning_takes_out_what_acts(text: str) -> None:
    found = cleaned(text)
    assert not re.search(r"(?i)http:|javascript|data:|onclick|style=|meta|form|svg|//x", found), found


@pytest.mark.parametrize(
    "place",
    [
        "files/..",
        "files/.",
        "files/%2e%2E",
        "files/.%2e",
        "files/..\\..\\x.png",
        "files/\t..",
        "files/../x.png",
        "files\\x",
    ],
)
def test_a_page_reaches_no_file_but_those_of_its_run(place: str) -> None:
    found = cleaned(f'<a href="{place}">x</a><img src="{place}">')
    assert not re.search("href|src", found), found


@pytest.mark.parametrize(
    "name",
    ["a.html", "a.HTM", "a.svg", "a.xhtml", "a.xht", "a.shtml", "a.mhtml", "a.xml", "a", "a.html.", "a%2Ehtml", "a.js"],
)
def test_a_page_links_to_no_file_that_could_act(name: str) -> None:
    assert "href" not in cleaned(f'<a href="files/{name}">x</a><a href=" files/\t{name}">x</a>')
    assert not may_be_opened(unquote(name))


@pytest.mark.parametrize("name", ["a.pdf", "a.PNG", "a%20b.docx", "a.html.txt", "report.xlsx"])
def test_a_page_links_to_files_that_are_only_shown_or_saved(name: str) -> None:
    assert f'href="files/{name}"' in cleaned(f'<a href="files/{name}">x</a>')


def test_a_large_file_that_could_act_is_found_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    sizes = {"large 1.html": 9_000_000, "large.pdf": 9_000_000, "small.html": 10, "large.svg": 9_000_000}
    for name, size in sizes.items():
        (folder / name).write_bytes(b"x" * size)
    saved = SavedFiles(folder, {StoredFile(f"pipelex-storage://{name}", name): name for name in sizes})
    assert [(file["href"], "data" in file) for file in saved_json(saved)] == [
        ("files/#large%201.html", False),
        ("files/large.pdf", False),
        ("files/small.html", True),
        ("files/#large.svg", False),
    ]


def test_cleaning_leaves_the_files_of_the_run() -> None:
    for name in ("..a.png", "a%20b.png", ".a", "%2e%2ex", "..."):
        assert cleaned(f'<img src="files/{name}">') == f'<img src="files/{name}">'


def test_cleaning_leaves_what_is_read() -> None:
    kept = '<h1>Title</h1><p class="x">A <strong>text</strong> and <a href="https://a.example/b" rel="noopener noreferrer">a link</a></p>'
    table = "<table><tbody><tr><td>1</td></tr></tbody></table>"
    assert cleaned(kept.replace(' class="x"', "") + table) == kept.replace(' class="x"', "") + table
    assert cleaned('<img src="data:image/png;base64,AAAA" alt="x">') == '<img src="data:image/png;base64,AAAA" alt="x">'
