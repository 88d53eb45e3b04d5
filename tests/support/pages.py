"""The pages of the documentation as sessions in a terminal: their blocks, and whoever types them."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docsite.providers import provider_pages
from tests.support.openai_server import OpenAIStub
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SECONDS = 100.0
"""How long a command may take."""

README = "README.md"
"""The page at the repository's root."""


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
        returned, text = self._ran(command)
        said = f"{place(block)}: {shlex.join(command)}\n{text}"
        printed, aborted, _ = text.partition("Fatal Python error:")
        # Temporal's SDK may end an interpreter that has done its work and shuts down: temporalio/sdk-python#300.
        has_shown = output is not None and (command[-1].startswith("python ") or command[0] != "bash")
        is_ended = (aborted and returned == -signal.SIGABRT) or (has_shown and returned == -signal.SIGSEGV)
        assert returned == code or is_ended, said
        if output is not None:
            assert self._is_shown(output, printed), f"{said}\n--- shown:\n{output}"

    def _is_shown(self, shown: str, printed: str) -> bool:
        return is_shown(shown, printed)

    def _ran(self, command: list[str]) -> tuple[int, str]:
        """The status of a command, and what it printed."""
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
        return ran.returncode, ran.stdout

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
    """Whether a text is part of what was printed, wherever lines break: a long path breaks them; `…` is anything."""
    pattern = re.escape(" ".join(shown.split())).replace("…", ".*?")
    return re.search(pattern, " ".join(printed.split()), re.DOTALL) is not None
