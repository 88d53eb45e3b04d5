"""Every page is a session in a folder of its own: its blocks are executed in the order in which a reader meets them.

| block | what happens |
|---|---|
| any language, with `title="NAME"` | the file `NAME` is written |
| `console` | each line that begins with `$ ` is run by a shell (`export` holds for the page); what stands below is its output, in which `…` is anything |
| `python` | run as a program; a `text` block right behind it is what it prints |

A comment before a block says what is special about it, and is invisible to readers:

- `<!-- exit: N -->`: the last command of the block ends with N instead of 0
- `<!-- background: TEXT -->`: the command goes on in the background; the next block waits until it has printed TEXT
- `<!-- not run: REASON -->`: the block is not executed, because …

`pipelex dev` listens at a free port, and clients know it. The models of the pages are a stand-in that speaks OpenAI's protocol; `answers.json` holds its rules.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from docsite.providers import provider_pages
from pipelex.language.blueprints import PIPE_TYPES
from tests.support.openai_server import OpenAIStub, Rule
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ANSWERS = Path(__file__).parent / "answers.json"
SECONDS = 100.0
"""How long a command may take."""

README = "README.md"
"""The page at the repository's root."""

TRIED_ELSEWHERE = {"inputs.md": "test_inputs", "language.md": "test_language", "testing.md": "test_testing"}
"""Pages whose blocks have tests of their own."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    title: str | None
    text: str
    exit_code: int = 0
    background: str | None = None
    reason: str | None = None
    """Why it is not executed."""


_BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<key>exit|background|not run): (?P<value>.*?) -->\n\s*)?"
    r"^(?P<indent> *)```(?P<language>\w+)(?P<rest>[^\n]*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


PROVIDERS = provider_pages()
"""The pages that are made for providers; they are executed like those that are written."""


def text_of(name: str) -> str:
    if name in PROVIDERS:
        return PROVIDERS[name]()
    return (ROOT / name if name == README else DOCS / name).read_text(encoding="utf-8")


def blocks_of(name: str) -> list[Block]:
    page = text_of(name)
    found: list[Block] = []
    for match in _BLOCK.finditer(page):
        title = re.search(r'title="([^"]+)"', match["rest"])
        text = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        key, value = match["key"], match["value"]
        found.append(
            Block(
                page=name,
                line=page[: match.start("language")].count("\n") + 1,
                language=match["language"],
                title=title[1] if title else None,
                text=text,
                exit_code=int(value) if key == "exit" else 0,
                background=value if key == "background" else None,
                reason=value if key == "not run" else None,
            )
        )
    return found


PAGES = sorted(
    page
    for page in [README, *(file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")), *PROVIDERS]
    if page not in TRIED_ELSEWHERE and any(block.language in ("console", "python") for block in blocks_of(page))
)


class Session:
    """A reader's folder, shell and background commands."""

    def __init__(self, folder: Path, stub: OpenAIStub) -> None:
        self.folder = folder
        self.environ = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PIPELEX_", "TEMPORAL_", "OPENAI_", "PYTEST_"))
        }
        home = folder.parent / "home"
        models = home / ".pipelex" / "inference"
        models.mkdir(parents=True)
        backend = f'[openai]\nendpoint = "{stub.url}"\napi_key = "${{OPENAI_API_KEY}}"\n'
        (models / "backends.toml").write_text(backend, encoding="utf-8")
        self.environ |= {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "OPENAI_API_KEY": "sk-a-key-of-the-pages",
        }
        self.port = free_port()
        self.environ["TEMPORAL_ADDRESS"] = f"127.0.0.1:{self.port}"
        self.running: list[subprocess.Popen[str]] = []
        self.waiting: tuple[Path, str, Block] | None = None

    def perform(self, block: Block, following: Block | None) -> None:
        if block.title is not None:
            file = self.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            self._wait()
            for command, output in commands_of(block):
                self._run_command(block, command, output)
        elif block.language == "python":
            self._wait()
            is_shown = following is not None and following.language == "text" and following.title is None
            self._check(block, [sys.executable, "-c", block.text], following.text if following and is_shown else None)

    def _run_command(self, block: Block, command: str, output: str | None) -> None:
        if exported := re.fullmatch(r"export (\w+)=.+", command):
            self._export(exported[1], command)
            return
        if block.background is None:
            is_last = command == list(commands_of(block))[-1][0]
            self._check(block, ["bash", "-c", command], output, block.exit_code if is_last else 0)
            return
        command = command.replace("pipelex dev", f"pipelex dev --port {self.port} --ui-port 0")
        log = self.folder.parent / f"line-{block.line}.log"
        with log.open("w", encoding="utf-8") as target:
            self.running.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {command}"],
                    cwd=self.folder,
                    env=self.environ,
                    stdin=subprocess.DEVNULL,
                    stdout=target,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        self.waiting = (log, block.background, block)

    def _export(self, name: str, command: str) -> None:
        told = ["bash", "-c", f'{command}\nprintf %s "${name}"']
        self.environ[name] = subprocess.run(
            told, cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS
        ).stdout

    def _wait(self) -> None:
        if self.waiting is None:
            return
        log, text, block = self.waiting
        self.waiting = None
        end = time.monotonic() + SECONDS
        while text not in log.read_text(encoding="utf-8"):
            assert time.monotonic() < end, f"{place(block)}: {log.read_text(encoding='utf-8')}"
            time.sleep(0.1)

    def _check(self, block: Block, command: list[str], output: str | None, code: int = 0) -> None:
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = f"{place(block)}: {shlex.join(command)}\n{ran.stdout}"
        printed, aborted, _ = ran.stdout.partition("Fatal Python error:")
        # Temporal's SDK may abort an interpreter that has done its work and shuts down: temporalio/sdk-python#300.
        assert ran.returncode == code or (aborted and ran.returncode == -signal.SIGABRT), said
        if output is not None:
            assert is_shown(output, printed), f"{said}\n--- shown:\n{output}"

    def close(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGINT)
        for process in self.running:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def place(block: Block) -> str:
    return f"{block.page if block.page == README else f'docs/{block.page}'}:{block.line}"


def commands_of(block: Block) -> Iterator[tuple[str, str | None]]:
    """The commands of a block, each with the output that is shown."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"{place(block)}: begins without a command"
    for part in parts[1:]:
        lines = part.splitlines()
        command = [lines.pop(0)]
        while command[-1].endswith("\\"):
            command.append(lines.pop(0))
        shown = "\n".join(lines).strip()
        yield re.sub(r"\s+# .*$", "", "\n".join(command)), shown or None


def is_shown(shown: str, printed: str) -> bool:
    """Whether a text is part of what was printed; `…` is anything, and blanks at the end of lines count for nothing."""
    pattern = re.escape("\n".join(line.rstrip() for line in shown.strip().splitlines())).replace("…", ".*?")
    return re.search(pattern, "\n".join(line.rstrip() for line in printed.splitlines()), re.DOTALL) is not None


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    rules = [Rule.from_json(rule) for rule in json.loads(ANSWERS.read_text(encoding="utf-8"))]
    with ExitStack() as stack:
        stub = stack.enter_context(OpenAIStub(rules))
        folder = tmp_path / "work"
        folder.mkdir()
        found = Session(folder, stub)
        stack.callback(found.close)
        yield found


def is_durable(page: str) -> bool:
    return any(block.background is not None for block in blocks_of(page))


@pytest.mark.timeout(400)
@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page, marks=[pytest.mark.server] if is_durable(page) else []) for page in PAGES],
)
def test_a_page(session: Session, page: str) -> None:
    blocks = blocks_of(page)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.reason is None:
            session.perform(block, following)


def test_reasons_are_given() -> None:
    for page in PAGES:
        for block in blocks_of(page):
            assert block.reason is None or len(block.reason.split()) > 2, place(block)


def test_every_pipe_type_has_an_example() -> None:
    """A section, and in it a bundle with the type and something that runs it."""
    sections = re.split(r"^## ", (DOCS / "reference/pipes.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    shown = {section.partition("\n")[0]: section for section in sections}
    assert set(shown) == set(PIPE_TYPES)
    for name, section in shown.items():
        assert re.search(rf'^type +?= "{name}"$', section, re.MULTILINE), name
        assert "```console" in section or "```python\n" in section, name


def rows_of(page: str) -> dict[str, list[str]]:
    """The rows of a page's tables by their first cell; the first table that has one counts."""
    found: dict[str, list[str]] = {}
    for line in text_of(page).splitlines():
        if line.startswith("| "):
            first, *others = [cell.strip() for cell in line.strip("|").split("|")]
            found.setdefault(first, others)
    return found


def test_the_comparison_has_the_figures_of_the_benchmarks() -> None:
    measured = rows_of("benchmarks.md")
    shown = {row: cells for row, cells in rows_of("explanation/comparison.md").items() if row and row in measured}
    assert len(shown) == 3
    for row, cells in shown.items():
        events, _, _, _, wall, cpu, _ = measured[row]
        assert cells == [figure.rsplit("/ ", 1)[1] for figure in (events, cpu, wall)], row
