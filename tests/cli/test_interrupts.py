"""Ctrl-C at every stage of a command: one line, exit code 130, no traceback, nothing left behind."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

import pytest
from temporalio.client import Client

from pipelex.temporal.dev_server import DevServer
from tests.cli.conftest import Cli, Ended
from tests.cli.test_durable import worker
from tests.support.openai_server import OpenAIStub, Reply

pytestmark = pytest.mark.slow

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

    def once_said(self, words: str, log: Path) -> Ended:
        """The end, after SIGINT was sent as soon as the command said something on standard error."""
        with log.open("wb") as stream:
            ended = self.once(lambda: words in log.read_text(encoding="utf-8"), err=stream)
        return Ended(ended.code, ended.out, log.read_text(encoding="utf-8"))

    def once(
        self,
        is_there: Callable[[], bool],
        environ: Mapping[str, str] = MappingProxyType({}),
        err: IO[bytes] | None = None,
    ) -> Ended:
        """The command's end, after SIGINT was sent as soon as something is there."""
        with subprocess.Popen(
            [sys.executable, "-m", "pipelex.cli", *self.args],
            cwd=self.cli.root,
            env={**self.cli.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=err or subprocess.PIPE,
            text=True,
        ) as child:
            try:
                until = time.monotonic() + _PATIENCE
                while not is_there() and child.poll() is None and time.monotonic() < until:
                    time.sleep(0.02)
                child.send_signal(signal.SIGINT)
                out, said = child.communicate(timeout=_PATIENCE)
            finally:
                child.kill()
        return Ended(child.returncode, out, said)


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


def _interrupted_at(cli: Cli, module: str, *options: str) -> Ended:
    """The end of a run that gets SIGINT while it imports a module."""
    hooks = cli.root / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(AT_IMPORT, encoding="utf-8")
    child = subprocess.run(
        [sys.executable, "-m", "pipelex.cli", "run", "greet.mthds", "-i", "name=Ana", *options],
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


@pytest.mark.parametrize("again", [["retry", "one"], ["replay", "one", "--yes", "--set", "pipe.greet.prompt=Hi $name"]])
def test_while_a_run_is_done_again(cli: Cli, stub: OpenAIStub, again: list[str]) -> None:
    stub.on(matches=".", text="late", delay=20.0)
    first = Interrupted(cli, ["run", "greet.mthds", "-i", "name=Ada", "--run-id", "one"]).once(
        lambda: len(stub.completions) == 1
    )
    assert first.code == 130, first.err
    ended = Interrupted(cli, ["runs", *again]).once(lambda: len(stub.completions) == 2)
    assert (ended.code, ended.out) == (130, ""), ended.err
    assert ended.err.count("Interrupted") == 1, ended.err
    assert "Traceback" not in ended.err
    assert len(stub.completions) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["ctrl-c", "ctrl-d"])
def test_at_a_question_of_init(cli: Cli, key: bytes) -> None:
    code, said = answered(cli, ["init", "--local"], b"[Y/n]", key)
    assert code == 130, said
    assert b"Interrupted." in said
    assert b"Traceback" not in said
    assert not (cli.root / ".pipelex" / "inference" / "backends.toml").read_text(encoding="utf-8").count("is_default")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such terminals")
@pytest.mark.parametrize(
    ("key", "code", "told"),
    [
        (b"\x03", 130, b"Interrupted."),
        (b"n\n", 2, b"setup-temporal-namespace --create"),
        (b"y\n", 0, b"registered in namespace"),
    ],
    ids=["ctrl-c", "no", "yes"],
)
def test_a_namespace_that_is_missing_is_offered(durable_cli: Cli, key: bytes, code: int, told: bytes) -> None:
    namespace = f"offered-{durable_cli.root.name}"[:60]
    ended, said = answered(
        durable_cli, ["setup-temporal-namespace"], b"[y/N]", key, {"TEMPORAL_NAMESPACE": namespace, "COLUMNS": "200"}
    )
    assert (ended, told in said, b"Traceback" in said) == (code, True, False), said


def answered(
    cli: Cli, command: Sequence[str], question: bytes, key: bytes, environ: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """The exit code of a command that asks something on a terminal, and all that it said."""
    reader, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pipelex.cli", *command],
        cwd=cli.root,
        env={**cli.environ, "COLUMNS": "100", **(environ or {})},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=own_terminal,
    ) as child:
        os.close(terminal)
        try:
            said = _read_until(reader, question)
            os.write(reader, key)
            said += _read_until(reader, None)
            assert child.stdout is not None
            return child.wait(_PATIENCE), said + child.stdout.read()
        finally:
            child.kill()
            os.close(reader)


def own_terminal() -> None:
    """Make standard input the terminal that controls the process, so that its keys are signals, and end it."""
    import fcntl
    import termios

    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests in the background ignores it

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


# --- a durable run, at every stage ------------------------------------------------------------------------------------


def durable(cli: Cli, *args: str) -> Interrupted:
    return Interrupted(cli, ["run", *GREETING, *args])


GREETING = ("greet.mthds", "-i", "name=Ana", "--durable")


def is_told_once(ended: Ended) -> bool:
    return (ended.code, ended.err.count("Interrupted"), "Traceback" in ended.err) == (130, 1, False)


def run_named(cli: Cli, said: str) -> str:
    """The id of the run that goes on, as a command was told it."""
    found = re.search(r"pipelex runs (?:result|show|watch) (\S+)", said)
    assert found is not None, said
    return found[1]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("stage", ["waiting", "called"])
def test_a_durable_run_goes_on(durable_cli: Cli, stub: OpenAIStub, stage: str) -> None:
    stub.on("Hello Ana", text="Welcome", delay=4.0 if stage == "called" else 0.0)
    if stage == "waiting":  # for a worker
        log = durable_cli.root / "err.log"
        ended = durable(durable_cli).once_said("Running harbour.greet", log)
        with worker(durable_cli):
            result = durable_cli.command("runs", "result", run_named(durable_cli, ended.err))
    else:
        with worker(durable_cli):
            ended = durable(durable_cli).once(lambda: bool(stub.completions))
            result = durable_cli.command("runs", "result", run_named(durable_cli, ended.err))
    assert is_told_once(ended), ended.err
    assert "continues" in ended.err
    assert result.out.strip() == "Welcome", result.err
    assert len(stub.completions) == 1


@pytest.mark.timeout(180)
def test_a_durable_run_that_is_done_again_goes_on(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", Reply(status=400), Reply(text="Welcome back", delay=4.0))
    stub.on("Hi Ana", text="Hi there", delay=4.0)
    first = f"again-{durable_cli.root.name}"
    with worker(durable_cli):
        assert durable_cli.command("run", *GREETING, "--run-id", first).code == 1
        edit = ["--set", "pipe.greet.prompt=Hi $name", "--yes"]
        ended = Interrupted(durable_cli, ["runs", "replay", first, *edit]).once(lambda: len(stub.completions) == 2)
        assert is_told_once(ended), ended.err
        assert "continues" in ended.err
        replay = run_named(durable_cli, ended.err)
        assert replay.startswith(f"{first}-replay-")
        assert durable_cli.command("runs", "result", replay).out.strip() == "Hi there"
        # A retry leaves once the engine has answered; here the answer is late.
        hooks, sent = durable_cli.root / "hooks", durable_cli.root / "sent"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(LATE_RETRY, encoding="utf-8")
        environ = {"PYTHONPATH": str(hooks), "SENT": str(sent)}
        ended = Interrupted(durable_cli, ["runs", "retry", first]).once(sent.exists, environ)
        assert is_told_once(ended), ended.err
        assert f"Run {first} may have been started" in ended.err
        assert durable_cli.command("runs", "result", run_named(durable_cli, ended.err)).out.strip() == "Welcome back"
    assert len(stub.completions) == 3


LATE_RETRY = """
import asyncio, os, pathlib, sys
class Late:
    def find_spec(self, name, path=None, target=None):
        if name == "pipelex.cli.runs.retrying":
            sys.meta_path.remove(self)
            from pipelex.runner import RunHandle
            retry = RunHandle.retry
            async def late(self, **options):
                handle = await retry(self, **options)
                pathlib.Path(os.environ["SENT"]).touch()
                await asyncio.sleep(600)
                return handle
            RunHandle.retry = late
sys.meta_path.insert(0, Late())
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("is_lost", [False, True])
def test_while_a_durable_run_is_submitted(durable_cli: Cli, *, is_lost: bool) -> None:
    """The engine's answer to the start comes late, or never: whether the run is there is told as far as it is known."""
    hooks = durable_cli.root / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(LATE_START.replace("SECONDS", "600" if is_lost else "2"), encoding="utf-8")
    sent = durable_cli.root / "sent"
    environ = {"PYTHONPATH": str(hooks), "SENT": str(sent)}
    ended = durable(durable_cli, "--run-id", f"late-{durable_cli.root.name}").once(sent.exists, environ)
    assert is_told_once(ended), ended.err
    assert ("may have been started" in ended.err, "continues" in ended.err) == (is_lost, not is_lost), ended.err
    shown = durable_cli.command("runs", "show", run_named(durable_cli, ended.err))
    assert shown.code == 0, shown.err
    assert durable_cli("runs", "terminate", f"late-{durable_cli.root.name}").code == 0


LATE_START = """
import asyncio, os, pathlib
class Late:
    def find_spec(self, name, path=None, target=None):
        if name == "pipelex.cli.run.one":
            import sys
            sys.meta_path.remove(self)
            from pipelex.runner import Method
            start = Method.start_request
            async def late(self, request):
                handle = await start(self, request)
                pathlib.Path(os.environ["SENT"]).touch()
                await asyncio.sleep(SECONDS)
                return handle
            Method.start_request = late
import sys
sys.meta_path.insert(0, Late())
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("module", ["pipelex.temporal.client.orchestrator", "pipelex.tooling.contracts"])
def test_before_and_after_a_durable_run(durable_cli: Cli, stub: OpenAIStub, module: str) -> None:
    stub.on("Hello Ana", text="Welcome")
    with worker(durable_cli):
        ended = _interrupted_at(durable_cli, module, "--durable")
        assert (ended.code, "Traceback" in ended.err, "Interrupted" in ended.err) == (130, False, True), ended.err
        if module.startswith("pipelex.tooling"):
            assert durable_cli.command("runs", "result", run_named(durable_cli, ended.err)).out.strip() == "Welcome"
            assert ended.out.strip() == "Welcome"
    assert len(stub.completions) == (1 if module.startswith("pipelex.tooling") else 0)


@pytest.mark.timeout(180)
def test_rows_of_durable_runs(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ada", text="first")
    stub.on("Hello Bo", text="second", delay=4.0)
    (durable_cli.root / "rows.csv").write_text("name\nAda\nBo\n", encoding="utf-8")
    command = ["run", "greet.mthds", "--inputs-csv", "rows.csv", "--save-csv", "out.csv", "--durable"]
    with worker(durable_cli):
        ended = Interrupted(durable_cli, command).once(lambda: len(stub.completions) == 2)
        found = re.search(r"--run-id (\S+)", ended.err)
        assert found is not None, ended.err
        again = durable_cli.command(*command, "--run-id", found[1])
    assert is_told_once(ended), ended.err
    assert "Those under way continue." in ended.err
    assert again.code == 0, again.err
    assert (durable_cli.root / "out.csv").read_text(encoding="utf-8").count("second") == 1
    assert len(stub.completions) == 2, "no row is paid for twice"


async def is_asked_to_end(server: DevServer, run_id: str) -> bool:
    client = await Client.connect(server.target)
    history = await client.get_workflow_handle(run_id).fetch_history()
    return any(event.HasField("workflow_execution_cancel_requested_event_attributes") for event in history.events)


@pytest.mark.timeout(180)
def test_while_a_durable_run_is_watched(durable_cli: Cli, temporal_server: DevServer) -> None:
    run_id = f"watched-{durable_cli.root.name}"
    begun = durable_cli.command("run", "greet.mthds", "-i", "name=Ana", "--durable", "--detach", "--run-id", run_id)
    assert begun.code == 0, begun.err
    for words in (["watch", run_id], ["result", run_id], ["cancel", run_id, "--wait", "600"]):
        log = durable_cli.root / f"{words[0]}.log"
        command = Interrupted(durable_cli, ["runs", *words])
        if words[0] == "cancel":
            ended = command.once(lambda: asyncio.run(is_asked_to_end(temporal_server, run_id)))
        else:
            ended = command.once_said("Running", log)
        assert is_told_once(ended), ended.err
        assert ("was asked to end" if words[0] == "cancel" else f"pipelex runs result {run_id}") in ended.err
    assert durable_cli("runs", "terminate", run_id).code == 0
