"""Commands against a real Temporal server and a real `pipelex worker`."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelex.temporal.dev_server import DevServer, _port
from tests.cli.conftest import Cli
from tests.support.methods import TWO_STEPS, chain_of
from tests.support.openai_server import OpenAIStub, Reply
from tests.support.processes import process, wait_for_file

INPUTS = ("-i", '{"name": "Ana"}')


WILD = "\x1b]52;c;cm0=\x07\x1b[2J\x9b8mthere"


@contextmanager
def worker(cli: Cli, *options: str) -> Generator[subprocess.Popen[bytes]]:
    """A `pipelex worker` that polls."""
    ready, log = cli.root / "ready", cli.root / "worker.log"
    ready.unlink(missing_ok=True)
    arguments = ["-m", "pipelex.cli", "worker", "--ready-file", str(ready), *options]
    with process(arguments, cwd=cli.root, environ=cli.environ, log=log) as child:
        wait_for_file(ready, child, log)
        yield child


def eventually(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.1)


def test_a_run_from_start_to_files(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Good morning, Ana")

    with worker(durable_cli):
        ended = durable_cli.command("run", "greet.mthds", *INPUTS, "--durable", "--run-id", "one")
        again = durable_cli.command("run", "greet.mthds", *INPUTS, "--durable", "--run-id", "one", "--json")

    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == "Good morning, Ana"
    assert "completed successfully" in ended.err
    assert json.loads(again.out) == {"text": "Good morning, Ana"}
    assert len(stub.completions) == 1
    memory = json.loads((durable_cli.root / "results/greet_output_01/working_memory.json").read_text(encoding="utf-8"))
    assert memory["root"]["name"]["content"] == {"text": "Ana"}


def test_a_detached_run_and_its_life(durable_cli: Cli, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    stub.on("Hello Ana", text="Good morning, Ana")
    run_id = f"life-{durable_cli.root.name}"

    started = durable_cli.command("run", "greet.mthds", *INPUTS, "--durable", "--detach", "--run-id", run_id)
    waiting = durable_cli.command("runs", "result", run_id, "--no-wait")
    with worker(durable_cli):
        result = durable_cli.command("runs", "result", run_id, "--json")
    again = durable_cli.command("run", "greet.mthds", *INPUTS, "--durable", "--detach", "--run-id", run_id)
    listed = json.loads(durable_cli("runs", "list", "--status", "completed", "--limit", "500", "--json").out)["runs"]
    shown = json.loads(durable_cli("runs", "show", run_id, "--json").out)
    text = durable_cli("runs", "show", run_id).out

    assert (started.code, started.out) == (0, f"{run_id}\n")
    assert (waiting.code, "run.not_finished" in waiting.err) == (1, True)
    assert json.loads(result.out) == {"text": "Good morning, Ana"}
    assert (again.code, again.out) == (0, f"{run_id}\n")
    assert f"has already completed. Get its result: pipelex runs result {run_id}" in again.err
    (mine,) = [run for run in listed if run["pipeline_run_id"] == run_id]
    assert (mine["pipe_code"], mine["pipe_type"], mine["status"]) == ("greet", "PipeLLM", "COMPLETED")
    (activity,) = shown["trace"]["activities"]
    assert (activity["name"], activity["status"]) == ("act_llm_gen_text", "COMPLETED")
    assert activity["attempts"] >= 1
    assert f"queue {durable_cli.project.queue}" in text
    assert "LLM text · pipe=greet · model=stub" in text


def test_a_failed_run_goes_on_from_where_it_failed(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="morning")
    stub.on("Goodbye morning", Reply(status=401, body={"error": {"message": f"no {WILD}"}}), Reply(text="bye"))
    durable_cli.project.method(TWO_STEPS, "two.mthds")
    run_id = f"retry-{durable_cli.root.name}"

    with worker(durable_cli):
        failed = durable_cli.command("run", "two.mthds", *INPUTS, "--durable", "--run-id", run_id, "--json")
        shown = durable_cli("runs", "show", run_id)
        retried = durable_cli("runs", "retry", run_id)
        result = durable_cli.command("runs", "watch", run_id, "--json")
        too_late = durable_cli("runs", "retry", run_id)

    problem = json.loads(failed.err)
    assert (failed.code, problem["code"], problem["pipeline_run_id"]) == (1, "provider.credential_refused", run_id)
    assert problem["location"]["path"] == ["2-part"]
    assert "✗ 2-part PipeLLM" in shown.out
    assert "Code: provider.credential_refused" in shown.out
    log = (durable_cli.root / "worker.log").read_text(encoding="utf-8")
    assert {"\x1b", "\x07", "\x9b"}.isdisjoint(shown.out + shown.err + failed.err + log)
    assert retried.code == 0, retried.err
    assert json.loads(result.out) == {"text": "bye"}
    assert [request.prompt for request in stub.completions] == ["Hello Ana", "Goodbye morning", "Goodbye morning"]
    assert (too_late.code, "succeeded" in too_late.err) == (1, True)


def test_cancelled_and_terminated_runs(durable_cli: Cli) -> None:
    for verb, status in (("cancel", "CANCELLED"), ("terminate", "TERMINATED")):
        run_id = f"{verb}-{durable_cli.root.name}"
        durable_cli.command("run", "greet.mthds", *INPUTS, "--durable", "--detach", "--run-id", run_id)
        if verb == "cancel":
            asked = durable_cli("runs", verb, run_id, "--wait", "0.5")
            assert (asked.code, "has not ended yet" in asked.out) == (0, True)
            with worker(durable_cli):
                eventually(lambda run_id=run_id: status_of(durable_cli, run_id) == "CANCELLED")
        else:
            assert durable_cli("runs", verb, run_id).code == 0
        assert status_of(durable_cli, run_id) == status
        again = durable_cli("runs", verb, run_id)
        assert (again.code, "run.already_ended" in again.err) == (1, True)


def status_of(cli: Cli, run_id: str) -> str:
    return json.loads(cli("runs", "show", run_id, "--json").out)["status"]


def test_a_run_that_is_not_there(durable_cli: Cli) -> None:
    for command in (["show"], ["result"], ["cancel"], ["retry"]):
        ended = durable_cli("runs", *command, "nobody", "--json")
        assert (ended.code, json.loads(ended.err)["code"]) == (2, "run.not_found")


def test_no_worker_is_said_with_the_queue_and_the_command(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Hi")
    refused = durable_cli.command("run", "greet.mthds", *INPUTS, "--durable", "--no-wait")
    log = durable_cli.root / "run.log"
    arguments = [
        "-m",
        "pipelex.cli",
        "run",
        "greet.mthds",
        *INPUTS,
        "--durable",
        "--run-id",
        f"w-{durable_cli.root.name}",
    ]
    with process(arguments, cwd=durable_cli.root, environ=durable_cli.environ, log=log) as child:
        eventually(lambda: "No worker polls" in log.read_text(encoding="utf-8"))
        with worker(durable_cli):
            assert child.wait(30) == 0

    assert refused.code == 1
    assert f"no worker polls the task queue '{durable_cli.project.queue}'" in refused.err
    assert f"pipelex worker --task-queue {durable_cli.project.queue}" in log.read_text(encoding="utf-8")
    assert "Hi" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("cancels", [False, True])
def test_ctrl_c_detaches_or_cancels(durable_cli: Cli, *, cancels: bool) -> None:
    run_id = f"int-{durable_cli.root.name}"
    log = durable_cli.root / "run.log"
    arguments = ["-m", "pipelex.cli", "run", "greet.mthds", *INPUTS, "--durable", "--run-id", run_id]
    arguments += ["--cancel-on-interrupt"] if cancels else []
    with process(arguments, cwd=durable_cli.root, environ=durable_cli.environ, log=log) as child:
        eventually(lambda: f"Running harbour.greet ({run_id})" in log.read_text(encoding="utf-8"))
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 130

    said = log.read_text(encoding="utf-8")
    assert ("was asked to end" in said) is cancels
    assert (f"pipelex runs result {run_id}" in said) is not cancels
    assert status_of(durable_cli, run_id) == "RUNNING"
    assert durable_cli("runs", "terminate", run_id).code == 0


def test_a_worker_says_what_it_does_and_when_it_is_ready(durable_cli: Cli) -> None:
    port = _port("127.0.0.1", 0, "health")
    log = durable_cli.root / "worker.log"
    with worker(durable_cli, "--scope", "runner-llm", "--health-port", str(port), "--library", "greet.mthds") as child:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert (answer.status, answer.read()) == (200, b"alive\n")
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0

    said = log.read_text(encoding="utf-8")
    assert f"task queue  {durable_cli.project.queue}" in said
    assert "runner-llm (0 workflows, 4 activities)" in said
    assert "library greet.mthds: 1 pipes, sha256:" in said
    assert "Stopped." in said
    assert not (durable_cli.root / "ready").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--task-queue", "nowhere"], "names the task queue 'nowhere'"),
        (["--scope", "runner-lm"], "did you mean 'runner-llm'"),
        (["--profile", "defalt"], "did you mean 'default'"),
        (["--server", "tets"], "tests"),
    ],
)
def test_wrong_names_are_told_before_the_sdk_is_imported(cli: Cli, options: list[str], text: str) -> None:
    program = (
        "import sys; from pipelex.cli.main import run\n"
        "code = run(['worker', *sys.argv[1:]])\n"
        "sys.exit(99 if {'temporalio', 'pipelex.inference'} & set(sys.modules) else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *options],
        cwd=cli.root,
        env=cli.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, text in done.stderr) == (2, True), done.stderr


def test_setting_up_a_namespace_is_idempotent(durable_cli: Cli) -> None:
    for options in ([], ["--dry-run"]):
        ended = durable_cli("setup-temporal-namespace", *options)
        assert ended.code == 0, ended.err
        assert "has every configured search attribute" in ended.out


def test_no_server_is_one_problem(cli: Cli) -> None:
    ended = cli("runs", "--orchestrator", "temporal", "list", "--json")

    assert (ended.code, json.loads(ended.err)["code"]) == (1, "runtime.unavailable")


@pytest.mark.server
def test_dev_is_a_server_and_a_worker_and_leaves_nothing(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Good morning, Ana")
    settings = cli.root / ".pipelex" / "pipelex.toml"
    settings.write_text("", encoding="utf-8")
    ready, log, port = cli.root / "ready", cli.root / "dev.log", _port("127.0.0.1", 0, "dev")
    arguments = ["-m", "pipelex.cli", "dev", "--port", str(port), "--ui-port", "0", "--ready-file", str(ready)]
    with process(arguments, cwd=cli.root, environ=cli.environ, log=log) as child:
        wait_for_file(ready, child, log)
        settings.write_text(
            f'[temporal.temporal_config]\ntemporal_server_configs.local.target_host = "127.0.0.1:{port}"\n',
            encoding="utf-8",
        )
        ended = cli.command("run", "greet.mthds", *INPUTS, "--durable", "--json", "--run-id", "dev-1")
        shown = cli.command("runs", "show", "dev-1")
        taken = cli.command("dev", "--port", str(port), "--ui-port", "0")
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 0

    assert json.loads(ended.out) == {"text": "Good morning, Ana"}
    assert (taken.code, f"port {port} for the Temporal server is taken" in taken.err) == (2, True)
    assert "/namespaces/default/workflows?query=ParentWorkflowId%20IS%20NULL" in log.read_text(encoding="utf-8")
    ui = re.search(r"Temporal UI      http://127.0.0.1:(\d+)", log.read_text(encoding="utf-8"))
    assert ui is not None
    assert f"In the UI    http://localhost:{ui[1]}/namespaces/default/workflows/dev-1" in shown.out
    assert (cli.root / ".pipelex/dev/temporal.db").is_file()
    assert not ready.exists()
    assert not _accepts(port)


def _accepts(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_doctor_knows_whether_temporal_answers(durable_cli: Cli, temporal_server: DevServer) -> None:
    settings = durable_cli.root / ".pipelex" / "pipelex.toml"
    settings.write_text("[temporal]\nis_enabled = true\n" + settings.read_text(encoding="utf-8"), encoding="utf-8")

    ended = durable_cli("doctor", "--json")

    checks = {check["subject"]: check for check in json.loads(ended.out)["checks"]}
    assert ended.code == 1
    assert checks["temporal"]["detail"] == f"{temporal_server.target} answers, namespace 'default'"
    assert checks["temporal worker"]["ok"] is False
    assert "temporal namespace" not in checks


def test_the_unit_testing_settings_of_a_worker(cli: Cli) -> None:
    Path(cli.root, ".pipelex", "pipelex_unit_testing.toml").write_text(
        "[temporal]\nis_enabld = true\n", encoding="utf-8"
    )

    assert "pipelex_unit_testing.toml:2" in cli("worker", "--unit-testing").err


def test_rows_run_durably_and_failing_ones_are_told(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="A").on("Hello Cyn", text="C")
    stub.on("Hello Bo", status=400, body={"error": {"message": "no"}}, cycle=True)
    (durable_cli.root / "rows.csv").write_text("name\nAna\nBo\nCyn\n", encoding="utf-8")
    options = ("--durable", "--on-item-failure", "collect", "--run-id", f"rows-{durable_cli.root.name}")

    with worker(durable_cli):
        ended = durable_cli.command("run", "greet.mthds", "--inputs-csv", "rows.csv", "--save-csv", "out.csv", *options)

    assert ended.code == 1, ended.err
    lines = (durable_cli.root / "out.csv").read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[1], lines[3]) == ("name,result,error", "Ana,A,", "Cyn,C,")
    assert lines[2].startswith("Bo,,")
    assert "2 of 3 rows done" in ended.err


def test_a_durable_run_ends_with_the_next_command(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="morning")
    stub.on("Hello Bo", status=401, body={"error": {"message": "no"}}, cycle=True)
    good, bad = f"good-{durable_cli.root.name}", f"bad-{durable_cli.root.name}"

    with worker(durable_cli):
        done = durable_cli.command("run", "greet.mthds", "-i", "name=Ana", "--durable", "--run-id", good)
        failed = durable_cli.command("run", "greet.mthds", "-i", "name=Bo", "--durable", "--run-id", bad)

    assert f"\n  Run: {good}, cost " in done.err
    assert (
        "\n  In the UI: not known; set `ui_url` in [temporal.temporal_config.temporal_server_configs.tests]" in done.err
    )
    assert failed.code == 1
    assert f"pipelex runs show {bad}\n" in failed.err
    assert f"pipelex runs retry {bad}\n" in failed.err
    folder = durable_cli.root / "results/greet_output_02"
    problem = json.loads((folder / "problem.json").read_text(encoding="utf-8"))
    assert (problem["code"], problem["pipeline_run_id"]) == ("provider.credential_refused", bad)

    settings = durable_cli.root / ".pipelex/pipelex_override.toml"
    settings.write_text(
        "[temporal.temporal_config.temporal_server_configs.tests]\nui_url = 'https://ui.example/'\n", encoding="utf-8"
    )
    assert (
        f"In the UI    https://ui.example/namespaces/default/workflows/{good}" in durable_cli("runs", "show", good).out
    )
    (node,) = json.loads((folder / "graphspec.json").read_text(encoding="utf-8"))["nodes"]
    assert (node["status"], node["domain_code"], node["error"]["code"]) == ("failed", "harbour", problem["code"])
    document = (
        (folder / "run.html").read_text(encoding="utf-8").partition('<script type="application/json" id="run">')[2]
    )
    (shown,) = json.loads(document.partition("</script>")[0])["nodes"]
    (call,) = shown["effects"]
    assert (call["model"], call["error"]) == ("stub", shown["error"])
    assert (shown["error"]["code"], bool(shown["error"]["advice"])) == (problem["code"], True)


def test_the_whole_life_of_durable_runs(durable_cli: Cli, stub: OpenAIStub) -> None:
    for number in range(1, 4):
        stub.on(f"number {number} with", text=f"answer {number}")
    stub.on("Attempt the second", text="another")
    durable_cli.project.method(chain_of(3), "chain.mthds")
    first = f"life-{durable_cli.root.name}"
    there = ("runs", "--orchestrator", "temporal")
    with worker(durable_cli):
        ran = durable_cli.command("run", "chain.mthds", "-i", "text=sea", "--durable", "--run-id", first)
        assert ran.code == 0, ran.err
        page = durable_cli.root / "results" / "chain_output_01" / "run.html"
        assert "Do number 2 with answer 1" in page.read_text(encoding="utf-8")
        opened = durable_cli(*there, "open", first, "-o", "here.html", "--json")
        assert "answer 3" in Path(json.loads(opened.out)["page"]).read_text(encoding="utf-8")
        edit = ("--set", "pipe.step_2.prompt=Attempt the second with $text")
        told = json.loads(durable_cli(*there, "replay", first, *edit, "--dry-run", "--json").out)
        assert (told["reused"], sum(told["paid"].values())) == ({"harbour.step_1": 1}, 2)
        replayed = durable_cli.command(*there, "replay", first, *edit, "--json")
        assert replayed.code == 0, replayed.err
        new = json.loads(replayed.out)["pipeline_run_id"]
        assert len(stub.completions) == 3 + 2
        shown = json.loads(durable_cli("runs", "show", new, "--json").out)
        assert shown["replay_of"] == first
        assert json.loads(durable_cli("runs", "show", first, "--json").out)["replays"] == [new]
        assert durable_cli.command("run", "chain.mthds", "-i", "text=sea", "--run-id", "here").code == 0
        across = json.loads(durable_cli("runs", "diff", "here", first, "--json").out)
        assert (across["changed_pipes"], across["same_output"]) == ({}, True)
        refused = durable_cli(*there, "retry", first, "--from", "step_4")
        assert (refused.code, "step_3" in refused.err) == (2, True)
        diff = json.loads(durable_cli("runs", "diff", first, new, "--json").out)
        assert (list(diff["changed_pipes"]), diff["same_output"]) == (["step_2"], True)
        assert diff["pipes"]["step_1"]["second"]["reused"] == 1

        def listed(*options: str) -> list[str]:
            found = json.loads(durable_cli(*there, "list", "--limit", "500", *options, "--json").out)["runs"]
            return [run["pipeline_run_id"] for run in found if run["pipeline_run_id"].startswith(first)]

        eventually(lambda: listed("--pipe", "harbour.chain", "--since", "1h") == [new, first])
        assert listed("--cost-above", "0.000001", "--pipe", "chain", "--domain", "harbour") == [new, first]
        assert listed("--status", "failed") == listed("--user", "nobody") == listed("--cost-above", "9") == []
        again = durable_cli(*there, "retry", first, "--from", "step_3", "--json")
        assert json.loads(again.out) == {"pipeline_run_id": first, "state": "restarted"}
        assert json.loads(durable_cli.command(*there, "watch", first, "--json").out) == {"text": "answer 3"}
        assert len(stub.completions) == 3 + 2 + 3 + 1
