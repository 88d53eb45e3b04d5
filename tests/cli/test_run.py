import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.support.methods import DESCRIBE_ALL, sequence_of
from tests.support.openai_server import OpenAIStub, Reply

SHIPS = """\
domain = "harbour"
main_pipe = "list_ships"

[concept.Ship]
description = "A ship"
[concept.Ship.structure]
name = { type = "text", description = "Its name", required = true }
length = { type = "number", description = "Metres" }

[pipe.list_ships]
type = "PipeLLM"
description = "Name the ships"
inputs = { port = "Text" }
output = "Ship[]"
prompt = "Ships of $port"
"""


def test_the_result_goes_to_stdout_and_the_rest_to_stderr(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Good morning, Ana")

    ended = cli("run", "greet.mthds", "-i", '{"name": "Ana"}')

    assert ended.code == 0
    assert ended.out.splitlines()[0] == "Good morning, Ana"
    assert "✓ harbour.greet completed successfully" in ended.err
    assert "results/greet_output_01/" in ended.err


def test_costs_are_printed_beside_the_result(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Hi", input_tokens=1000, output_tokens=500)

    with_costs = cli("run", "greet.mthds", "-i", '{"name": "Ana"}')
    without = cli("run", "greet.mthds", "-i", '{"name": "Ana"}', "--no-costs")

    assert ["stub", "openai", "1", "1,000", "500", "0", "$0.0060"] in [
        row.split() for row in with_costs.err.splitlines()
    ]
    assert with_costs.out == without.out == "Hi\n"
    assert "1,000" not in without.err


def test_usage_for_programs(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Hi", input_tokens=1000, output_tokens=500)

    ended = cli("run", "greet.mthds", "-i", '{"name": "Ana"}', "--json", "--costs")

    assert json.loads(ended.out) == {"text": "Hi"}
    model = {"handle": "stub", "backend": "openai", "calls": 1, "input_tokens": 1000, "output_tokens": 500}
    model |= {"cached_tokens": 0, "cost_usd": 0.006}
    assert json.loads(ended.err) == {"usage": {"cost_usd": 0.006, "models": [model]}}
    written = json.loads((cli.root / "results/greet_output_01/usage.json").read_text(encoding="utf-8"))
    assert (written["pipe"], written["cost_usd"], written["models"]) == ("harbour.greet", 0.006, [model])
    call = {"activity": "act_llm_gen_text", "summary": "LLM text · pipe=greet · model=stub", "attempts": 1}
    assert written["calls_of_models"] == [{**call, **model}]


def test_json_is_the_bare_content_and_nothing_else(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Good morning, Ana")

    ended = cli("run", "bundle", "greet.mthds", "-i", '{"name": "Ana"}', "--json")

    assert json.loads(ended.out) == {"text": "Good morning, Ana"}
    assert ended.err == ""


def test_the_files_of_a_run(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Good <morning>")

    cli("run", "greet.mthds", "-i", '{"name": "Ana"}', "--no-graph")
    cli("run", "greet.mthds", "-i", '{"name": "Ana"}')

    folder = cli.root / "results" / "greet_output_02"
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert json.loads((folder / "main_stuff.json").read_text(encoding="utf-8")) == {"text": "Good <morning>"}
    assert (folder / "main_stuff.md").read_text(encoding="utf-8") == "Good <morning>\n"
    assert "Good &lt;morning&gt;" in (folder / "main_stuff.html").read_text(encoding="utf-8")
    without = cli.root / "results" / "greet_output_01"
    assert 'href="main_stuff.html"' in (without / "main_stuff_viewer.html").read_text(encoding="utf-8")
    assert not (without / "run.html").exists()
    for name, view in (("main_stuff_viewer", "result"), ("mermaidflow", "graph"), ("reactflow", "graph")):
        page = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert f'href="run.html#{view}"' in page
        assert "<script" not in page
    memory = json.loads((folder / "working_memory.json").read_text(encoding="utf-8"))
    assert memory["root"]["name"]["concept"] == "native.Text"
    assert memory["root"]["name"].keys() == {"stuff_code", "stuff_name", "concept", "content"}
    tree = json.loads((folder / "method_tree.json").read_text(encoding="utf-8"))
    assert (tree["entry"], tree["is_one_file"], [file["path"] for file in tree["files"]]) == (
        "harbour.greet", True, ["greet.mthds"],
    )  # fmt: skip
    graph = json.loads((folder / "graphspec.json").read_text(encoding="utf-8"))
    assert graph["pipeline_ref"] == {"domain": "harbour", "main_pipe": "greet", "entrypoint": "harbour.greet"}
    assert [(node["pipe_code"], node["kind"], node["status"]) for node in graph["nodes"]] == [
        ("greet", "operator", "completed")
    ]
    assert (folder / "mermaidflow.mmd").read_text(encoding="utf-8").startswith("flowchart")
    assert "Good \\u003cmorning>" in (folder / "run.html").read_text(encoding="utf-8")
    for name in ("pipe_io_contracts", "input_form", "output_form"):
        assert json.loads((folder / f"{name}.json").read_text(encoding="utf-8")).keys() == {"harbour.greet"}
    assert not (cli.root / "results" / "greet_output_01" / "graphspec.json").exists()


def test_the_saved_graph_of_a_run_is_drawn(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Say", text="ok")
    (cli.root / "main.mthds").write_text(sequence_of(2), encoding="utf-8")
    cli("run", "main.mthds", "-i", '{"text": "a"}')
    saved = "results/main_output_01/graphspec.json"

    assert cli("graph", "render", saved).code == 0
    drawn = json.loads(cli("graph", "render", saved, "--json").out)
    page = (cli.root / saved).with_suffix(".html").read_text(encoding="utf-8")

    assert page.startswith("<!DOCTYPE html>")
    assert [(group["title"].partition(" ")[0], group["kind"]) for group in drawn["groups"]] == [
        ("main", "PipeSequence")
    ]
    assert [node["title"] for node in drawn["nodes"]] == ["1-say", "2-say"]
    assert [(edge["source"][-5:], edge["target"][-5:]) for edge in drawn["edges"]] == [("1-say", "2-say")]


@pytest.mark.parametrize("text", ["{", "[]", '{"nodes": [1]}', '{"pipeline_ref": {}, "nodes": [], "edges": []}'])
def test_what_is_no_graph_of_a_run_is_refused(cli: Cli, text: str) -> None:
    (cli.root / "graphspec.json").write_text(text, encoding="utf-8")
    ended = cli("graph", "render", "graphspec.json")
    assert (ended.code, "graphspec.json, as `pipelex run` leaves it" in ended.err) == (1, True)


def test_a_pipe_that_cannot_be_read_tells_its_own_faults(cli: Cli) -> None:
    (cli.root / "half.mthds").write_text(
        'domain = "half"\n[pipe.whole]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Text"\nprompt = "Hi"\n'
        '[pipe.torn]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Text"\npromt = "Hi"\n'
    )
    for command in (("validate", "pipe", "torn", "-L", "."), ("run", "half.mthds", "--pipe", "torn", "--dry-run")):
        ended = cli(*command)
        assert ended.code == 1
        assert "did you mean 'prompt'" in ended.out + ended.err
    assert json.loads(cli("build", "output", "half.mthds", "--pipe", "whole", "-o", "-").out) == {"text": "whole_value"}


def test_what_is_not_to_be_saved_is_not(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Hi")
    inputs = ("-i", '{"name": "Ana"}')

    cli("run", "greet.mthds", *inputs, "--no-save-main-stuff", "--no-save-working-memory")
    assert not (cli.root / "results").exists()

    cli("run", "greet.mthds", *inputs, "--no-save-main-stuff", "--working-memory-path", "memory.json", "-o", "out")
    assert "root" in json.loads((cli.root / "memory.json").read_text(encoding="utf-8"))
    assert not (cli.root / "out").exists()


@pytest.mark.slow
def test_with_memory_feeds_the_next_method(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Bela").on("Hello Bela", text="Done")
    (cli.root / "next.mthds").write_text(
        (cli.root / "greet.mthds").read_text(encoding="utf-8").replace("name", "who"), encoding="utf-8"
    )

    first = cli("run", "greet.mthds", "-i", '{"name": "Ana"}', "--json", "--with-memory")
    envelope = json.loads(first.out)
    second = cli.command("run", "next.mthds", "--json", stdin=first.out)

    assert envelope["main_stuff"] == {
        "json": {"text": "Bela"},
        "markdown": "Bela",
        "html": envelope["main_stuff"]["html"],
    }
    assert envelope["method_tree_digest"].startswith("sha256:")
    assert json.loads(second.out) == {"text": "Done"}


@pytest.mark.slow
def test_inputs_are_looked_for_in_order(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello flag", text="1").on("Hello stdin", text="2").on("Hello file", text="3")
    (cli.root / "m").mkdir()
    (cli.root / "greet.mthds").rename(cli.root / "m" / "greet.mthds")
    (cli.root / "m" / "inputs.toml").write_text('name = "file"\n', encoding="utf-8")
    stdin = '{"name": "stdin"}'

    assert json.loads(cli.command("run", "m", "--json", "-i", '{"name": "flag"}', stdin=stdin).out) == {"text": "1"}
    assert json.loads(cli.command("run", "m", "--json", stdin=stdin).out) == {"text": "2"}
    assert json.loads(cli.command("run", "m", "--json").out) == {"text": "3"}


@pytest.mark.slow
def test_a_silent_pipe_as_standard_input_does_not_hang(cli: Cli) -> None:
    reading, writing = os.pipe()
    try:
        began = time.monotonic()
        ended = cli.command("run", "greet.mthds", "--json", stdin=reading, seconds=30)
    finally:
        os.close(reading)
        os.close(writing)

    assert ended.code == 1
    assert json.loads(ended.err.splitlines()[-1])["code"] == "input.missing"
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_a_failed_run_is_a_block_of_facts(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", status=429, body={"error": {"message": "slow down"}}, headers={"retry-after": "0"})

    ended = cli("run", "greet.mthds", "-i", '{"name": "Ana"}')

    assert ended.code == 1
    assert "Error: 'openai' limits the rate of requests for 'stub': slow down" in ended.err
    assert "Location: pipe 'harbour.greet'" in ended.err
    assert "Code: provider.rate_limited (domain runtime, retry yes)" in ended.err
    assert "model stub" in ended.err
    assert "Traceback" not in ended.err
    folder = "results/greet_output_01"
    assert f"Output: {folder}/" in ended.err
    assert f"Run it again on the same inputs:  pipelex run greet.mthds -i {folder}/inputs.json" in ended.err
    assert read_json(cli, f"{folder}/inputs.json") == {"name": {"concept": "native.Text", "content": {"text": "Ana"}}}


def test_a_failed_run_is_a_problem_document_with_json(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", status=401, body={"error": {"message": "no"}})

    ended = cli("run", "greet.mthds", "-i", '{"name": "Ana"}', "--json")

    problem = json.loads(ended.err)
    assert (ended.code, ended.out) == (1, "")
    assert problem["code"] == "provider.credential_refused"
    assert problem["location"]["pipe"] == "harbour.greet"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["greet.mthds"], 1, "input.missing"),
        (["greet.mthds", "-i", "{"], 1, "--inputs is not JSON"),
        (["greet.mthds", "--pipe", "gret", "-i", '{"name": "A"}'], 2, "request.pipe_not_found"),
        (["nowhere.mthds"], 2, "method.not_found"),
        (["greet.mthds", "--mock-inputs"], 2, "--mock-inputs needs --dry-run"),
        (["greet.mthds", "--detach"], 2, "--detach needs a durable run"),
        (["greet.mthds", "--local", "--orchestrator", "temporal"], 2, "contradicts"),
    ],
)
def test_what_cannot_be_run(cli: Cli, arguments: list[str], code: int, text: str) -> None:
    ended = cli("run", *arguments)

    assert (ended.code, text in ended.err) == (code, True), ended.err


def test_an_invalid_method_is_shown_with_its_source(cli: Cli) -> None:
    (cli.root / "greet.mthds").write_text('domain = "d"\n[pipe.x]\ntype = "PipeLM"\n', encoding="utf-8")

    ended = cli("run", "greet.mthds")

    assert ended.code == 1
    assert 'type = "PipeLM"' in ended.err
    assert "Code: method.invalid (domain method, retry no)" in ended.err


def test_a_dry_run_calls_no_model(cli: Cli, stub: OpenAIStub) -> None:
    ended = cli("run", "greet.mthds", "--dry-run", "--mock-inputs", "--json")

    assert "DRY RUN" in json.loads(ended.out)["text"]
    assert stub.completions == []


def test_a_pipe_by_its_code(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Hi")

    for form in (["run", "greet"], ["run", "pipe", "harbour.greet"], ["run", "pipe", "greet", "-L", "."]):
        assert json.loads(cli(*form, "-i", '{"name": "Ana"}', "--json").out) == {"text": "Hi"}


def test_a_flat_list_as_csv(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Ships of Varna", object={"items": [{"name": "Ata", "length": 12.5}, {"name": "Bor, the old"}]})
    stub.on("Hello Ana", text="Hi")
    (cli.root / "ships.mthds").write_text(SHIPS, encoding="utf-8")

    ended = cli("run", "ships.mthds", "-i", '{"port": "Varna"}', "--save-csv", "out/ships.csv")
    refused = cli("run", "greet.mthds", "-i", '{"name": "Ana"}', "--save-csv", "out/no.csv")

    assert ended.code == 0
    assert (cli.root / "out/ships.csv").read_text(encoding="utf-8") == 'name,length\nAta,12.5\n"Bor, the old",\n'
    assert refused.code == 2
    assert "not a list of objects" in refused.err
    assert not [call for call in stub.completions if "Hello" in str(call)]


@pytest.mark.slow
def test_ctrl_c_cancels_a_run_in_this_process(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="late", delay=20)
    child = subprocess.Popen(
        [sys.executable, "-m", "pipelex.cli", "run", "greet.mthds", "-i", '{"name": "Ana"}'],
        cwd=cli.root, env=cli.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not stub.completions and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=15)

    assert (child.returncode, out) == (130, "")
    assert "the run was cancelled" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_run_that_ended_early_is_taken_up_again_under_its_id(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Describe a", text="first").on("Describe b", Reply(status=401), Reply(text="second"))
    (cli.root / "all.mthds").write_text(DESCRIBE_ALL, encoding="utf-8")
    with (cli.root / ".pipelex" / "pipelex.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            "[inference.result_cache]\nis_enabled = true\n[interpreter.pipeline_execution]\nmax_concurrency = 1\n"
        )
    words = ["run", "all.mthds", "--inputs", '{"words": ["a", "b"]}', "--run-id", "monday", "--json"]
    assert cli(*words).code == 1
    assert cli(*words).code == 0
    assert [request.prompt for request in stub.requests] == ["Describe a.", "Describe b.", "Describe b."]


TWO_QUESTIONS = """
domain = "quay"
main_pipe = "two"
[pipe.two]
type = "PipeSequence"
description = "Two questions"
output = "Text"
steps = [{ pipe = "one", result = "first" }, { pipe = "other", result = "second" }]
[pipe.one]
type = "PipeLLM"
description = "One"
output = "Text"
prompt = "First"
[pipe.other]
type = "PipeLLM"
description = "Other"
output = "Text"
prompt = "Second"
"""


def test_a_failed_run_says_what_it_cost(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("First", text="Good")
    stub.on("Second", text="", finish_reason="content_filter")
    cli.project.method(TWO_QUESTIONS, "two.mthds")
    ended = cli("run", "two.mthds")
    assert ended.code != 0
    written = json.loads((cli.root / "results/two_output_01/usage.json").read_text(encoding="utf-8"))
    assert written["models"][0]["calls"] == 2
    assert any("stub" in row and "2" in row.split() for row in ended.err.splitlines()), ended.err
    assert (
        ended.err.index("Error:") < ended.err.index("  Run: run-") < ended.err.index("Output: results/two_output_01/")
    )
    told = cli("run", "two.mthds", "--json", "--costs")
    assert '"calls": 2' in told.err


def read_json(cli: Cli, name: str) -> Any:
    return json.loads((cli.root / name).read_text(encoding="utf-8"))


def test_a_failed_run_leaves_what_it_did(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("First", text="Good")
    stub.on("Second", status=400, body={"error": {"message": "<no>"}}, cycle=True)
    cli.project.method(TWO_QUESTIONS, "two.mthds")

    ended = cli("run", "two.mthds", "--json")

    folder = "results/two_output_01"
    problem = json.loads(ended.err)
    assert problem == read_json(cli, f"{folder}/problem.json")
    assert problem["pipeline_run_id"].startswith("run-")
    (paid,) = read_json(cli, f"{folder}/paid_for.json")
    assert (paid["pipe"], paid["value"]["content"]) == ("quay.one", {"text": "Good"})
    nodes = {node["pipe_code"]: node for node in read_json(cli, f"{folder}/graphspec.json")["nodes"]}
    assert [nodes[code]["status"] for code in ("two", "one", "other")] == ["failed", "completed", "failed"]
    assert nodes["other"]["error"]["code"] == problem["code"]
    assert 'href="run.html#graph"' in (cli.root / folder / "reactflow.html").read_text(encoding="utf-8")
    page = (cli.root / folder / "run.html").read_text(encoding="utf-8")
    assert "\\u003cno>" in page
    assert '"status":"failed"' in page
    assert "Good" in page


def test_a_failed_run_leaves_nothing_where_nothing_is_wanted(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello", status=401)
    ended = cli("run", "greet.mthds", "-i", "name=Ana", "--no-save-main-stuff", "--no-save-working-memory")
    assert ended.code == 1
    assert not (cli.root / "results").exists()


def test_the_inputs_of_a_failed_run_run_again(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", Reply(status=401), Reply(text="Hi"))
    cli("run", "greet.mthds", "-i", "name=Ana")
    again = cli("run", "greet.mthds", "-i", "results/greet_output_01/inputs.json", "--json")
    assert json.loads(again.out) == {"text": "Hi"}


@pytest.mark.slow
def test_a_run_ends_with_what_is_worth_knowing(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello Ana", text="Hi", input_tokens=1000, output_tokens=500)

    ended = cli("run", "greet.mthds", "-i", "name=Ana", "--run-id", "mine")

    assert re.search(r"✓ harbour.greet completed successfully in \d+\.\d s\n", ended.err), ended.err
    assert "\n  Run: mine, cost $0.0060\n  Output: results/greet_output_01/\n" in ended.err
    assert "  Page: results/greet_output_01/run.html\n" in ended.err


def test_the_tiny_local_model_stands_in_only_where_it_can_answer(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cli.root / ".pipelex").rename(cli.root / "elsewhere")

    def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", nothing)
    monkeypatch.setenv("PIPELEX_CACHE_DIR", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)

    without_engine = cli("run", "greet.mthds", "-i", "name=Ana")
    dry = cli("run", "greet.mthds", "-i", "name=Ana", "--dry-run")

    assert "answers: fine for a trial" not in without_engine.err
    assert without_engine.code == 2
    assert "is not installed" in without_engine.err
    assert "Fetching" not in without_engine.err
    assert not (tmp_path / "cache").exists()
    assert "SmolLM2" not in dry.err


@pytest.mark.parametrize(
    "places",
    [
        ("-o", "greet.mthds"),
        ("-o", "greet.mthds/deeper"),
        ("--working-memory-path", "greet.mthds/memory.json"),
        ("--working-memory-path", "."),
    ],
)
def test_places_that_cannot_be_written_are_refused_before_anything_is_paid_for(
    cli: Cli, stub: OpenAIStub, places: tuple[str, str]
) -> None:
    done = cli("run", "greet.mthds", "-i", "name=Ada", *places)
    assert (done.code, stub.completions) == (2, [])
    assert "cannot be written" in done.err


def test_whatever_a_run_leaves_is_its_users_alone(cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Ships of Varna", object={"items": [{"name": "Ada"}]})
    stub.on("Ships of Rome", object={"items": [{"depth": 3}]})
    cli.project.method(SHIPS, "ships.mthds")
    before, theirs = os.umask(0o022), set(cli.root.rglob("*"))
    try:
        ended = cli("run", "ships.mthds", "-i", '{"port": "Varna"}', "--save-csv", "ships.csv")
        failed = cli("run", "ships.mthds", "-i", '{"port": "Rome"}')
        (newest, *_) = (cli.root / "home" / ".pipelex" / "runs").glob("[!.]*")
        opened = cli("runs", "open", "--no-browser", newest.name)
    finally:
        os.umask(before)
    assert (ended.code, failed.code, opened.code) == (0, 1, 0), (ended, failed, opened)
    left = [path for path in cli.root.rglob("*") if path not in theirs]
    assert {"ships.csv", "run.html", "main_stuff.json", "problem.json"} <= {path.name for path in left}
    own_folders = {path for path in left if path.is_dir() and stat.S_IMODE(path.stat().st_mode) == 0o700}
    for file in (path for path in left if path.is_file()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert file.name == "ships.csv" or own_folders & set(file.parents), f"the folder of {file} is open to others"
