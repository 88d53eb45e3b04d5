"""`pipelex trust`, and commands in a project that nobody trusts."""

import json

import pytest

from pipelex.cli.setup import trusting
from pipelex.config import load_settings
from pipelex.config.trust import record_trust
from tests.cli.conftest import Cli
from tests.support.openai_server import OpenAIStub

GREETING = ("run", "greet.mthds", "-i", '{"name": "Ada"}', "--no-pretty-print")


@pytest.fixture
def untrusted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A project whose model server is asked with a key of the user's."""
    monkeypatch.delenv("PIPELEX_TRUST_PROJECT")
    monkeypatch.setenv("THE_KEY", "test-key-0123456789")
    backends = cli.root / ".pipelex" / "inference" / "backends.toml"
    text = backends.read_text(encoding="utf-8").replace('"test-key-0123456789"', '"${THE_KEY}"')
    backends.write_text(text, encoding="utf-8")
    return cli


def test_a_run_says_what_would_be_read_and_where_it_would_go(untrusted: Cli, stub: OpenAIStub) -> None:
    stub.on("Ada", text="Welcome")
    ended = untrusted(*GREETING)
    assert ended.code == 2
    assert "sends ${THE_KEY} to http://127.0.0.1" in ended.err
    assert "pipelex trust" in ended.err
    assert stub.completions == []


def test_trust_is_asked_for_once(untrusted: Cli, stub: OpenAIStub) -> None:
    stub.on("Ada", text="Welcome")
    assert untrusted("trust").code == 2  # nobody can be asked
    assert "needs trust: " in untrusted("trust", "--list").out
    ended = untrusted("trust", "--yes")
    assert (ended.code, "backends.toml" in ended.out) == (0, True)
    assert untrusted(*GREETING).code == 0
    assert "Nothing in this project needs trust" in untrusted("trust").err
    assert "trusted: " in untrusted("trust", "--list").out
    assert untrusted("trust", "--revoke").code == 0
    assert untrusted(*GREETING).code == 2


def test_a_program_reads_what_is_asked_for(untrusted: Cli) -> None:
    (demand, *_) = json.loads(untrusted("trust", "--list", "--json").out)["demands"]
    assert demand["file"].endswith("backends.toml")
    assert "${THE_KEY}" in demand["text"]


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_terminal(stream: object) -> bool:
        return stream is not None

    monkeypatch.setattr(trusting, "is_terminal", is_terminal)


def test_a_person_is_asked_and_asked_again_when_the_file_changes(
    untrusted: Cli, stub: OpenAIStub, person: None
) -> None:
    stub.on("Ada", text="Welcome")
    refused = untrusted(*GREETING, stdin="n\n")
    assert (refused.code, stub.completions) == (2, [])
    asked = untrusted(*GREETING, stdin="y\n")
    assert (asked.code, "sends ${THE_KEY} to http://127.0.0.1" in asked.err) == (0, True)
    assert "Trust these files?" in asked.err
    assert "Trust these files?" not in untrusted(*GREETING).err
    backends = untrusted.root / ".pipelex" / "inference" / "backends.toml"
    backends.write_text(backends.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert "Trust these files?" in untrusted(*GREETING, stdin="n\n").err


def test_a_file_that_changes_while_the_question_stands_is_not_trusted(untrusted: Cli) -> None:
    settings = load_settings()
    backends = untrusted.root / ".pipelex" / "inference" / "backends.toml"
    demands = settings.demands
    backends.write_text(backends.read_text(encoding="utf-8").replace("127.0.0.1", "evil.example"), encoding="utf-8")
    record_trust(settings.home_dir, demands)
    assert any("evil.example" in str(demand) for demand in load_settings().demands)


def test_the_demand_is_told_as_data(untrusted: Cli) -> None:
    (demand, *_) = json.loads(untrusted("trust", "--list", "--json").out)["demands"]
    assert demand["reads"] == ["${THE_KEY}"]
    assert demand["goes_to"].startswith("http://127.0.0.1")
    trusted = json.loads(untrusted("trust", "--yes", "--json").out)["trusted"]
    assert json.loads(untrusted("trust", "--revoke", "--json").out)["revoked"] == trusted


@pytest.mark.slow
def test_a_flag_says_it_for_one_command(untrusted: Cli, stub: OpenAIStub) -> None:
    stub.on("Ada", text="Welcome")
    assert untrusted.command("--trust-project", *GREETING).code == 0


@pytest.mark.parametrize(
    "command", [("validate", "greet.mthds"), ("config", "show"), ("models",), (*GREETING, "--dry-run")]
)
def test_what_sends_nothing_needs_no_trust(untrusted: Cli, command: tuple[str, ...]) -> None:
    ended = untrusted(*command)
    assert ended.code == 0, ended.err
