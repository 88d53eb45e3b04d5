"""The protocol between a shell and `pipelex`, spoken by the real program; and a notebook's view of a result."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelex.cli._shared.console import Paint, table
from pipelex.cli.runs.tree import RunView, view_text
from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.orchestration import RunDescription, RunState
from pipelex.pipes.trace import EffectTrace, PipeTrace
from pipelex.runner import RunResult
from tests.cli.conftest import Cli
from tests.cli.test_interrupts import own_terminal


def completed(cli: Cli, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pipelex.cli", *words],
        cwd=cli.root,
        env={**cli.environ, "_PIPELEX_COMPLETE": "1", "XDG_CACHE_HOME": str(cli.root / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.matrix(fast=5)
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], ["run", "runs"]),
        (["runs", "re"], ["replay", "result", "retry"]),
        (["run", "gre"], ["greet"]),
        (["run", "greet.mthds", "--pipe", ""], ["greet"]),
        (["run", "greet.mthds", "--inputs-"], ["--inputs-csv"]),
        (["run", "greet.mthds", "--on-item-failure", "c"], ["collect"]),
        (["runs", "show", ""], ["durable-1", "run-7"]),
        (["worker", "--profile", "q"], ["quick"]),
        (["run", "greet.mthds", ""], []),
        (["nonsense", "x"], []),
    ],
)
def test_a_shell_is_offered_what_may_follow(cli: Cli, words: list[str], offered: list[str]) -> None:
    folder = cli.root / "results" / "greet_output_01"
    folder.mkdir(parents=True)
    (folder / "usage.json").write_text(json.dumps({"id": "run-7"}), encoding="utf-8")
    (cli.root / "cache" / "pipelex").mkdir(parents=True)
    (cli.root / "cache" / "pipelex" / "runs").write_text("durable-1", encoding="utf-8")
    (cli.root / ".pipelex" / "pipelex_quick.toml").write_text(
        "[temporal.worker_runtime_profiles.profiles.quick]\n", encoding="utf-8"
    )
    assert completed(cli, *words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_one_it_reads(cli: Cli, tmp_path: Path, shell: str) -> None:
    script = tmp_path / "script"
    script.write_text(cli("completion", shell).out, encoding="utf-8")
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n", str(script)], check=True)
    assert "_PIPELEX_COMPLETE=1 pipelex" in script.read_text(encoding="utf-8")


_ASKED = {
    "bash": """
source ./script
COMP_WORDS=(pipelex "$@"); COMP_CWORD=$#
_pipelex_completion
printf '%s\\n' "${COMPREPLY[@]}"
""",
    # What the line editor offers a completion function, for it cannot be called outside of one.
    "zsh": """
compdef() { : }
compadd() { print -rl -- "${(@P)2}" }
_files() { : }
source ./script
words=(pipelex "$@"); CURRENT=$#words
_pipelex
""",
    "fish": """
source script
complete -C "pipelex $argv"
""",
}


@pytest.mark.matrix(fast=9)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["run", "gre"], {"greet"}),
        (["run", ""], {"bundle", "greet", "method", "pipe"}),
        (["runs", "re"], {"replay", "result", "retry"}),
        (["run", "greet.mthds", "--pipe", ""], {"greet"}),
    ],
)
def test_each_shell_completes(cli: Cli, shell: str, words: list[str], offered: set[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = cli.root / "bin" / "pipelex"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelex.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    (cli.root / "script").write_text(cli("completion", shell).out, encoding="utf-8")
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    ended = subprocess.run(
        [shell, *plain, "-c", _ASKED[shell], *([] if shell == "fish" else [shell]), *words],
        cwd=cli.root,
        env={**cli.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    files = {"bin/", "home/", "greet.mthds", "script"} if shell == "fish" else set[str]()
    assert set(ended.stdout.split()) - files == offered, ended.stderr


_TYPED = ["valida", "run gre", "runs show run-", "worker --profile qui"]
_MEANT = ["validate", "run greet", "runs show run-7", "worker --profile quick"]
_COMPLETES = """#!/bin/sh
[ -n "$_PIPELEX_COMPLETE" ] && exec {python} -m pipelex.cli "$@"
echo "$@" >> ran
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_tab_key_completes_on_a_terminal(cli: Cli, shell: str) -> None:
    """A command, a pipe, a run's id and a profile, each typed by halves, with the key, and run."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program, ran = cli.root / "bin" / "pipelex", cli.root / "ran"
    program.parent.mkdir()
    program.write_text(_COMPLETES.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    (cli.root / "script").write_text(cli("completion", shell).out, encoding="utf-8")
    (cli.root / ".pipelex" / "pipelex_quick.toml").write_text(
        "[temporal.worker_runtime_profiles.profiles.quick]\n", encoding="utf-8"
    )
    (cli.root / "results" / "greet_output_01").mkdir(parents=True)
    (cli.root / "results" / "greet_output_01" / "usage.json").write_text('{"id": "run-7"}', encoding="utf-8")
    plain = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    environ = {**cli.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "TERM": "xterm", "HOME": str(cli.root)}
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [shell, *plain, "-i"],
        cwd=cli.root,
        env={**environ, "XDG_CACHE_HOME": str(cli.root / "cache")},
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        preexec_fn=own_terminal,
    ) as child:  # fmt: skip
        os.close(terminal)
        try:
            setup = "autoload -Uz compinit && compinit -u && " if shell == "zsh" else ""
            _type(keyboard, f"{setup}source ./script && echo ready >> ran\n", ran, 1)
            for number, typed in enumerate(_TYPED, 2):
                _type(keyboard, f"pipelex {typed}\t\n", ran, number)
        finally:
            child.kill()
            os.close(keyboard)
    assert ran.read_text(encoding="utf-8").split("\n")[1:-1] == _MEANT


def _type(keyboard: int, keys: str, ran: Path, lines: int) -> None:
    """Press keys, and wait until so many lines were written; what the terminal shows is read, lest it blocks."""
    os.write(keyboard, keys.encode())
    until, seen = time.monotonic() + 50, b""
    while (ran.read_text(encoding="utf-8") if ran.exists() else "").count("\n") < lines:
        assert time.monotonic() < until, seen.decode(errors="replace")
        if select.select([keyboard], [], [], 0.2)[0]:
            seen += os.read(keyboard, 65536)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**Hi** <script>x</script>\x1b[31m", "<p><strong>Hi</strong> &lt;script&gt;x&lt;/script&gt;</p>"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a][b]\n\n[b]: JaVaScRiPt:alert(1)", "<p>[a][b]</p>\n<p>[b]: JaVaScRiPt:alert(1)</p>"),
        ("<javascript:alert(1)>", "<p>&lt;javascript:alert(1)&gt;</p>"),
        ("![p](https://spy.example/pixel.png)", '<p><img alt="p"></p>'),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
        ("[a](https://a.example)", '<p><a href="https://a.example" rel="noopener noreferrer">a</a></p>'),
    ],
)
def test_a_notebook_shows_a_result_of_which_nothing_acts(text: str, shown: str) -> None:
    value = Stuff("native.Text", {"text": text})
    assert RunResult("r", "d.p", value, WorkingMemory())._repr_html_() == shown


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_tables_fit_the_terminal(cli: Cli, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [["greet", "A long description of what it does, word after word. " * 4, "path/" * 12], ["b", "c", "d"]]
    text = table(rows, ["pipe", "what it does", "declared in"], Paint(False), right=(0,))
    assert max(map(len, text.splitlines())) <= width
    assert text.replace(" ", "").replace("\n", "").count("/") == 12
    for command in (["models"], ["show", "pipe", "--all"], ["show", "backends"], ["new", "--list"]):
        shown = cli(*command).out
        assert max(map(len, shown.splitlines()), default=0) <= width, shown


def test_a_tree_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = PipeTrace("run/1-step", "d.p", "PipeLLM", status=RunState.COMPLETED)
    trace.effects.append(EffectTrace("act", "LLM text of a model with a long name " * 5, status=RunState.COMPLETED))
    run = RunDescription("run", "run", "d.p", "PipeLLM", RunState.COMPLETED, datetime.now(UTC))
    for width in (60, 80, 120, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        assert max(map(len, view_text(RunView(run, trace), Paint(False)).splitlines())) <= width
