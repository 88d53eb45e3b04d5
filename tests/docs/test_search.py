"""The built site in a browser: what a reader looks up is among the first results, and what is copied can be typed."""

import json
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest

from docsite.__main__ import BUILD
from docsite.pages import DOCS, ROOT
from tests.support.browser import CHROMIUM, WITHOUT, Page, browser

pytestmark = [pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT), pytest.mark.slow]

_FIRST: Final = 5
_BOX: Final = (
    "[...document.querySelectorAll('*')].map(each => each.shadowRoot)"
    ".find(root => root && root.querySelector('[role=combobox]'))"
)
_TYPE: Final = f"""(() => {{
  const box = {_BOX}.querySelector('[role=combobox]');
  box.value = %s;
  box.dispatchEvent(new Event('input', {{bubbles: true}}));
}})()"""
_FOUND: Final = f"""[...({_BOX}?.querySelectorAll('[role=listbox] a') ?? [])].map(each => each.pathname + each.hash)"""
_LOOKED_UP: Final = {
    "rate limit": "/distributed/routing/#rate-limits",
    "retry": "/how-to/runs/#retry",
    "CSV": "/inputs/#rows",
    "own endpoint": "/how-to/endpoint/",
    "PipeCondition": "/reference/pipes/#pipecondition",
    "encryption": "/how-to/encryption/",
    "schedule": "/distributed/schedules/",
    "optional input": "/language/#81-optional-inputs-and-absence",
    "OCR": "/how-to/documents/",
    "cost": "/how-to/cost/",
}
"""Words → the beginning of the address that answers them."""


_COPY: Final = """(() => {
  document.execCommand = () => { window.copied = document.activeElement.value; return true; };
  const block = document.querySelector('.highlight:has(.gp):has(.go)');
  window.shown = block.querySelector('code').innerText;
  block.querySelector('.md-code__button').click();
})()"""
"""Copy the first console block that shows what a command prints; a browser without a person lets no page copy."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


def _site(folder: Path) -> Path:
    """The site as `make docs` left it, if no page has changed since; otherwise a new one."""
    built = BUILD / "site"
    index = built / "search.json"
    sources = [*DOCS.rglob("*.md"), *DOCS.rglob("*.css"), *(ROOT / "docsite").rglob("*.py"), ROOT / "zensical.toml"]
    if index.exists() and all(each.stat().st_mtime <= index.stat().st_mtime for each in sources):
        return built
    subprocess.run([sys.executable, "-m", "docsite", "--output", folder], check=True, cwd=ROOT)
    return folder


@contextmanager
def _served(folder: Path) -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _results(page: Page, words: str, wanted: str) -> list[str]:
    """The first results for these words; it waits until the wanted one is among them, or for ten seconds."""
    page.evaluate(_TYPE % json.dumps(words))
    found: list[str] = []
    for _ in range(50):
        found = page.evaluate(_FOUND)[:_FIRST]
        if any(each.startswith(wanted) for each in found):
            break
        page.pause()
    return found


def test_what_is_looked_up_is_found(tmp_path: Path) -> None:
    with _served(_site(tmp_path / "site")) as address, browser(tmp_path / "profile") as page:
        page.open(address)
        page.wait_for("Search")
        page.wait_until(f"(document.querySelector('.md-search__button').click(), Boolean({_BOX}))")
        found = {words: _results(page, words, wanted) for words, wanted in _LOOKED_UP.items()}
    missed = {words: each for words, each in found.items() if not any(x.startswith(_LOOKED_UP[words]) for x in each)}
    assert missed == {}


def test_what_is_copied_has_no_prompt_and_no_output(tmp_path: Path) -> None:
    with _served(_site(tmp_path / "site")) as address, browser(tmp_path / "profile") as page:
        page.open(f"{address}how-to/runs/")
        page.wait_until("Boolean(document.querySelector('.highlight:has(.gp):has(.go) .md-code__button'))")
        page.evaluate(_COPY)
        page.wait_until("Boolean(window.copied)")
        shown, copied = page.evaluate("[window.shown, window.copied]")
    commands = [line[2:] for line in shown.splitlines() if line.startswith("$ ")]
    assert len(shown.splitlines()) > len(commands) > 0
    assert [line for line in copied.splitlines() if line.strip()] == commands


def test_the_python_reference_shows_public_names_only(tmp_path: Path) -> None:
    page = (_site(tmp_path / "site") / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    names = re.findall(r'id="(pipelex[\w.]*)"', page)
    assert "pipelex.temporal.PipelexPlugin" in names
    assert [name for name in names if "._" in name] == []
