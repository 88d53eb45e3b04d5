"""Ctrl-C at every stage of a command: one line, exit code 130, no traceback, nothing left behind."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Ended
from tests.support.openai_server import OpenAIStub

_PATIENCE = 60.0

AT_IMPORT = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
            time = __import__("time")
            for _ in range(100):  # the signal is handled between two steps of the interpreter
                time.sleep(0.01)
sys.meta_path.insert(0, Interrupting())
"""

BATCH = """
domain = "batch"
main_pipe = "all"
[pipe.one]
type = "PipeLLM"
description = "One"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $name"
[pipe.all]
type = "PipeBatch"
description = "All"
inputs = { names = "Text[]" }
output = "Text[]"
branch_pipe_code = "one"
input_list_name = "names"
input_item_name = "name"
"""


@dataclass
class Interrupted:
    """A command in a process of its own, which is sent SIGINT."""

    cli: Cli
    args: Sequence[str]

    def once(self, is_there: Callable[[], bool]) -> Ended:
        """The command's end, after SIGINT was sent as soon as something is there."""
        with subprocess.Popen(
            [sys.executable, "-m", "pipelex.cli", *self.args],
            cwd=self.cli.root,
            env=self.cli.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            try:
                until = time.monotonic() + _PATIENCE
                while not is_there() and child.poll() is None and time.monotonic() < until:
                    time.sleep(0.02)
                child.send_signal(signal.SIGINT)
                out, err = child.communicate(timeout=_PATIENCE)
            finally:
                child.kill()
        return Ended(child.returncode, out, err)


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if "home" not in path.parts}


@pytest.mark.parametrize(
    "module",
    [
        "pipelex.cli.main",
        "typer",
        "pipelex.cli.run.command",
        "pipelex.cli.run.execution",
        "pipelex.runner",
        "httpx",
    ],
)
def test_while_it_is_loaded(cli: Cli, module: str) -> None:
    before = files(cli.root)
    ended = _interrupted_at(cli, module)
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "Interrupted" in ended.err
    assert "Traceback" not in ended.err
    left = {name for name in files(cli.root) - before if not name.startswith("hooks")}
    assert left == set()


def _interrupted_at(cli: Cli, module: str) -> Ended:
    """The end of a run that gets SIGINT while it imports a module."""
    hooks = cli.root / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(AT_IMPORT, encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-m", "pipelex.cli", "run", "greet.mthds", "-i", "name=Ada"],
        cwd=cli.root,
        env={**cli.environ, "PYTHONPATH": str(hooks), "INTERRUPT_AT": module},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    return Ended(child.returncode, child.stdout, child.stderr)


def test_while_its_files_are_written(cli: Cli, stub: OpenAIStub) -> None:
    stub.on(matches=".", text="Welcome")
    ended = _interrupted_at(cli, "pipelex.tooling.contracts")
    assert (ended.code, ended.out.strip()) == (130, "Welcome"), ended.err
    assert "Traceback" not in ended.err
    command = ended.err.partition("its result is kept:  pipelex ")[2].split()
    assert cli.command(*command).out.strip() == "Welcome"
    assert len(stub.completions) == 1


@pytest.mark.parametrize(
    ("many", "args"),
    [
        (1, ["run", "greet.mthds", "-i", "name=Ada"]),
        (2, ["run", "batch.mthds", "-i", 'names=["Ada", "Bo", "Cy"]']),
        (2, ["run", "greet.mthds", "--inputs-csv", "rows.csv", "--save-csv", "out.csv"]),
    ],
)
def test_while_a_model_is_called(cli: Cli, stub: OpenAIStub, many: int, args: list[str]) -> None:
    stub.on(matches=".", text="late", delay=20.0)
    (cli.root / "batch.mthds").write_text(BATCH, encoding="utf-8")
    (cli.root / "rows.csv").write_text("name\nAda\nBo\n", encoding="utf-8")
    before = files(cli.root)
    ended = Interrupted(cli, args).once(lambda: len(stub.completions) >= many)
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert "Interrupted" in ended.err
    assert "Traceback" not in ended.err
    assert len(stub.completions) >= many
    left = {name for name in files(cli.root) - before if not name.startswith(".pipelex/storage")}
    if "--inputs-csv" in args:  # the rows that are done are kept
        assert "--run-id" in ended.err or "again" in ended.err, ended.err
    else:
        assert left == set()


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["ctrl-c", "ctrl-d"])
def test_at_a_question_of_init(cli: Cli, key: bytes) -> None:
    reader, terminal = pty.openpty()
    environ = {**cli.environ, "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-m", "pipelex.cli", "init", "--local"],
        cwd=cli.root,
        env=environ,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=_own_terminal,
    ) as child:
        os.close(terminal)
        try:
            said = _read_until(reader, b"[Y/n]")
            os.write(reader, key)
            said += _read_until(reader, None)
            assert child.wait(_PATIENCE) == 130, said
        finally:
            child.kill()
            os.close(reader)
    assert b"Interrupted." in said
    assert b"Traceback" not in said
    assert not (cli.root / ".pipelex" / "inference" / "backends.toml").read_text(encoding="utf-8").count("is_default")


def _own_terminal() -> None:
    """Make standard input the terminal that controls the process, so that its keys are signals."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_until(reader: int, wanted: bytes | None) -> bytes:
    """What is written to the terminal, until some words, or until nobody has it open any more."""
    said = b""
    while wanted is None or wanted not in said:
        try:
            part = os.read(reader, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
    return said
