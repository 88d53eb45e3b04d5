"""`pipelex runs` on what in-process runs left: list, show, open, diff, retry, replay."""

import json
import stat
from dataclasses import replace

import pytest

from pipelex.cli._shared.progress import shown_children
from pipelex.pipes.trace import PipeTrace, RunState
from tests.cli.conftest import Cli
from tests.support.methods import DESCRIBE_ALL, chain_of
from tests.support.openai_server import OpenAIStub, Reply

REFUSED = Reply(status=400, text="refused")


@pytest.fixture
def chained(cli: Cli, stub: OpenAIStub) -> Cli:
    """A run of three steps, `first`, of the tag `nightly`."""
    for number in range(1, 4):
        stub.on(f"number {number} with", text=f"answer {number}")
    cli.project.method(chain_of(3), "chain.mthds")
    ran = cli("run", "chain.mthds", "-i", "text=sea", "--run-id", "first-1", "--tag", "nightly", "--no-graph")
    assert ran.code == 0, ran.err
    return cli


def runs(cli: Cli, *args: str) -> list[str]:
    ended = cli("runs", "list", *args, "--json")
    assert ended.code == 0, ended.err
    return [run["pipeline_run_id"] for run in json.loads(ended.out)["runs"]]


@pytest.mark.slow
def test_lists_and_filters(chained: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello", REFUSED)
    failed = chained("run", "greet.mthds", "-i", "name=Ana", "--run-id", "second")
    assert failed.code == 1
    assert runs(chained) == ["second", "first-1"]
    assert runs(chained, "--limit", "1") == ["second"]
    assert runs(chained, "--status", "failed") == runs(chained, "--pipe", "greet") == ["second"]
    assert (
        runs(chained, "--pipe", "harbour.chain", "--domain", "harbour")
        == runs(chained, "--tag", "nightly")
        == ["first-1"]
    )
    assert runs(chained, "--since", "1h") == ["second", "first-1"]
    assert runs(chained, "--since", "2999-01-01") == runs(chained, "--user", "nobody") == []
    assert runs(chained, "--cost-above", "0.000001") == ["first-1"]
    told = chained("runs", "list")
    assert "first-1" in told.out
    assert "$0.0" in told.out
    assert "Only runs of this machine's processes are listed" in told.err
    wrong = chained("runs", "list", "--since", "soon")
    assert (wrong.code, "--since soon" in wrong.err) == (2, True)


@pytest.mark.slow
def test_show_result_and_prefixes(chained: Cli) -> None:
    shown = json.loads(chained("runs", "show", "fir", "--json").out)
    assert (shown["pipeline_run_id"], shown["status"], len(shown["trace"]["children"])) == ("first-1", "COMPLETED", 3)
    assert json.loads(chained("runs", "result", "first", "--json").out) == {"text": "answer 3"}
    assert "3-step_3" in chained("runs", "show", "first").out
    chained("run", "chain.mthds", "-i", "text=sea", "--run-id", "first-2", "--no-graph")
    several = chained("runs", "show", "first")
    assert several.code == 2
    assert "first-2 (chain, completed), first-1 (chain, completed)" in " ".join(several.err.split())


def test_the_page_of_a_run(chained: Cli) -> None:
    told = chained("runs", "open", "first", "--no-browser")
    page = chained.root / "home" / ".pipelex" / "pages" / "first-1.html"
    assert (told.code, told.out.strip()) == (0, str(page))
    text = page.read_text(encoding="utf-8")
    assert "answer 2" in text
    assert "Do number 3 with" in text
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    named = chained("runs", "open", "first", "-o", "here.html", "--json")
    assert json.loads(named.out) == {"page": str(chained.root / "here.html")}


def test_a_replay_says_what_it_pays_for_and_pays_for_that(chained: Cli, stub: OpenAIStub) -> None:
    stub.on("Attempt the second", text="another")
    edit = ("--set", "pipe.step_2.prompt=Attempt the second with $text")
    told = chained("runs", "replay", "first", *edit, "--dry-run", "--json")
    forecast = json.loads(told.out)
    assert (forecast["reused"], forecast["paid"]) == ({"harbour.step_1": 1}, {"harbour.step_2": 1, "harbour.step_3": 1})
    assert forecast["expected_usd"] > 0
    assert len(stub.completions) == 3
    said = chained("runs", "replay", "first", *edit)
    assert said.code == 0, said.err
    assert "Reuses 1 result (step_1), which cost $0.0" in said.err
    assert "Pays for at most 2 calls (step_2, step_3), about $0.0" in said.err
    assert said.err.index("Reuses") < said.err.index("Pays for") < said.err.index("Run first-1-replay-")
    assert len(stub.completions) == 5
    (new,) = [run for run in runs(chained) if run != "first-1"]
    shown = chained("runs", "show", new)
    assert "reused from first-1" in shown.out
    assert "Replays      first-1" in shown.out
    assert f"Replayed by  {new}" in chained("runs", "show", "first-1").out
    diff = json.loads(chained("runs", "diff", "first-1", new, "--json").out)
    assert diff["same_output"] is True
    assert list(diff["changed_pipes"]) == ["step_2"]
    assert diff["changed_pipes"]["step_2"]["prompt"]["second"] == "Attempt the second with $text"
    assert (diff["pipes"]["step_1"]["second"]["reused"], diff["pipes"]["step_2"]["second"]["calls"]) == (1, 1)
    assert diff["first"]["version"] != diff["second"]["version"]
    text = chained("runs", "diff", "first-1", new).out
    assert "+Attempt the second with $text" in text
    assert "the same" in text


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_what_a_replay_will_cost_fits_the_terminal(chained: Cli, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    edit = ("--set", "pipe.step_2.prompt=Attempt the second with $text")
    told = chained("runs", "replay", "first", *edit, "--dry-run").out
    assert max(map(len, told.splitlines())) <= columns
    assert "Pays for at most 2 calls (step_2, step_3), about $0.0" in " ".join(told.split())


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        (("--from", "step_3"), 1),
        (("--model", "stub-native"), 3),
        (("--input", "text=land"), 1),
        (("--bundle", "edited.mthds"), 1),
        ((), 0),
    ],
)
def test_what_a_replay_may_change(chained: Cli, stub: OpenAIStub, options: tuple[str, ...], calls: int) -> None:
    stub.on("Finish", text="finished")
    chained.project.method(chain_of(3).replace("Do number 3", "Finish"), "edited.mthds")
    ended = chained("runs", "replay", "first-1", *options, "--json")
    assert ended.code == 0, ended.err
    assert sum(model["calls"] for model in json.loads(ended.out)["usage"]["models"]) == calls
    assert len(stub.completions) == 3 + calls


def test_replays_that_cannot_be(chained: Cli) -> None:
    for options, words in (
        (("--set", "pipe.step_9.prompt=x"), "pipe.step_9.prompt"),
        (("--set", "nothing"), "pipe.CODE.MEMBER=VALUE"),
        (("--set", "pipe.step_1.prompt=$nobody"), "nobody"),
        (("--from", "nobody"), "nobody"),
    ):
        ended = chained("runs", "replay", "first-1", *options)
        assert ended.code != 0
        assert words in ended.err


def test_a_misspelt_input_of_a_replay_ends_with_the_command_to_type(chained: Cli, stub: OpenAIStub) -> None:
    ended = chained("runs", "replay", "first-1", "-i", "tekst=land", "--yes")
    assert (ended.code, len(stub.completions)) == (1, 3), ended.err
    assert "'tekst' is not an input; did you mean 'text'? The only declared input is text" in ended.err
    assert "Type: pipelex runs replay first-1 -i text=land --yes" in " ".join(ended.err.split())


def test_a_comparison_keeps_ids_whole(chained: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    long = f"first-{'x' * 70}"
    chained("run", "chain.mthds", "-i", "text=sea", "--run-id", long, "--no-graph")
    new = json.loads(chained("runs", "replay", long, "--json").out)["pipeline_run_id"]
    monkeypatch.setenv("COLUMNS", "80")
    said = chained("runs", "diff", long, new).out
    assert {long, new} <= {*said.split()}, "no line breaks an id"
    assert f"first {long} second {new} replays the other" in " ".join(said.split())
    assert f"second {new} replays {long}" in " ".join(chained("runs", "diff", "first-1", new).out.split())


def test_a_retry_from_a_pipe_that_is_none(chained: Cli, stub: OpenAIStub) -> None:
    refused = chained("runs", "retry", "first", "--from", "step_4", "--json")
    assert (refused.code, json.loads(refused.err)["code"]) == (2, "request.pipe_not_found")
    assert "step_3" in refused.err
    assert len(stub.completions) == 3
    assert json.loads(chained("runs", "retry", "first", "--from", "step_3", "--json").out)["state"] == "completed"
    assert len(stub.completions) == 4


@pytest.mark.slow
def test_retries_one_by_one_and_together(cli: Cli, stub: OpenAIStub) -> None:
    # Refused after the other item's answer: a batch that fails leaves the calls that are under way.
    refused = replace(REFUSED, delay=0.5)
    stub.on("Describe c", refused, refused, refused, Reply(text="mended"))
    stub.on(matches="Describe", text="sea")
    cli.project.method(DESCRIBE_ALL, "all.mthds")
    for number in (1, 2):
        failed = cli("run", "all.mthds", "-i", 'words=["a", "c"]', "--run-id", f"batch-{number}", "--no-graph")
        assert failed.code == 1, failed.out
    paid = len(stub.completions)
    again = cli("runs", "retry", "batch-1")
    assert (again.code, "provider.failed" in again.err) == (1, True)
    together = cli("runs", "retry", "--status", "failed", "--since", "1h", "--json")
    told = {run["pipeline_run_id"]: run["state"] for run in json.loads(together.out)["runs"]}
    assert (together.code, told) == (0, {"batch-1": "completed", "batch-2": "completed"})
    assert len(stub.completions) == paid + 3
    assert runs(cli, "--status", "failed") == []
    nothing = cli("runs", "retry", "--status", "failed")
    assert (nothing.code, "No runs." in nothing.err) == (0, True)
    assert cli("runs", "retry", "batch-1").code == 1
    assert cli("runs", "retry").code == 2


def test_a_run_of_nobody(cli: Cli) -> None:
    for command in (["show"], ["result"], ["open", "--no-browser"], ["retry"], ["replay"]):
        ended = cli("runs", "--orchestrator", "direct", command[0], "nobody", *command[1:], "--json")
        assert (ended.code, json.loads(ended.err)["code"]) == (2, "run.not_found")


def test_a_server_that_is_away_may_have_the_run(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    for command in ("show", "result", "watch"):
        ended = cli("runs", command, "nobody", "--json")
        problem = json.loads(ended.err.splitlines()[-1])
        assert (ended.code, problem["code"]) == (1, "runtime.unavailable"), ended.err
        assert "there is no run 'nobody' in the records of this machine" in problem["detail"]
        assert "durable runs cannot be looked up: no Temporal at 127.0.0.1:1 answers" in problem["detail"]


def test_a_tag_of_runs_here_need_not_be_declared_elsewhere(durable_cli: Cli, stub: OpenAIStub) -> None:
    stub.on("Hello", text="Hi")
    ran = durable_cli("run", "greet.mthds", "-i", "name=Ana", "--run-id", "tagged", "--tag", "nightly", "--no-graph")
    assert ran.code == 0, ran.err
    assert runs(durable_cli, "--tag", "nightly") == ["tagged"]
    misspelt = durable_cli("runs", "list", "--tag", "nihgtly")
    assert (misspelt.code, "'Tags' is not declared" in misspelt.err) == (2, True)


def test_a_large_batch_is_folded_in_the_live_tree() -> None:
    states = [RunState.COMPLETED] * 480 + [RunState.FAILED] * 2 + [RunState.RUNNING] * 8
    children = [PipeTrace(f"r/x[{rank}]", "a.x", "PipeLLM", status=state) for rank, state in enumerate(states)]
    shown, folded = shown_children(PipeTrace("r", "a.all", "PipeBatch", children=children))
    assert folded == "480 done, 8 running, 2 failed"
    assert [child.status for child in shown] == [RunState.FAILED] * 2 + [RunState.RUNNING] * 6
    assert shown_children(PipeTrace("r", "a.all", "PipeBatch", children=children[:5])) == (children[:5], "")
