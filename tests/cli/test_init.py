"""From nothing to a first result: `pipelex init` by flags and by questions, `pipelex new`, and README's own example."""

import os
import re
import ssl
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from pipelex.cli.main import app
from pipelex.cli.setup import endpoint_asked
from pipelex.inference import local_servers
from pipelex.inference.deck.endpoint_file import OwnEndpoint, usual_variable
from tests.cli.conftest import Ended
from tests.distributed.tls_gate import make_certificates
from tests.support.openai_server import OpenAIStub
from tests.support.processes import REPOSITORY

_OF_OTHERS = re.compile(r"PIPELEX_.*|TEMPORAL_.*|.*_(API_KEY|BASE_URL|API_BASE|TOKEN|HOST)")
_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
METHOD = """
domain = "d"
[pipe.greet]
type = "PipeLLM"
description = "Greet"
inputs = { name = "Text" }
output = "Text"
prompt = "Hello $name"
"""


class Fresh:
    """A machine on which nothing was done yet: an empty folder, an empty home."""

    def __init__(self, root: Path) -> None:
        self.home, self.work = root / "home", root / "work"
        self.backends = self.work / ".pipelex" / "inference" / "backends.toml"

    def __call__(self, *args: str, typed: str | None = None) -> Ended:
        found = CliRunner().invoke(app, list(args), input=typed, prog_name="pipelex")
        return Ended(found.exit_code, found.stdout, found.stderr)

    def greets(self) -> bool:
        (self.work / "greet.mthds").write_text(METHOD, encoding="utf-8")
        ended = self("run", "greet.mthds", "-i", '{"name": "Ada"}', "--no-pretty-print")
        return ended.code == 0


def tables(file: Path) -> Mapping[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fresh:
    for name in filter(_OF_OTHERS.fullmatch, list(os.environ)):
        monkeypatch.delenv(name)
    found = Fresh(tmp_path)
    found.work.mkdir()
    found.home.mkdir()
    monkeypatch.setenv("HOME", str(found.home))
    monkeypatch.chdir(found.work)
    return found


@pytest.fixture
def stub(stub: OpenAIStub) -> OpenAIStub:
    return stub.on("Ada", text="Welcome")


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(_: object) -> bool:
        return True

    monkeypatch.setattr(endpoint_asked, "is_terminal", everything)


@pytest.mark.parametrize("where", [[], ["--local"]])
def test_one_command_makes_an_endpoint_the_default(fresh: Fresh, stub: OpenAIStub, where: list[str]) -> None:
    ended = fresh("init", *where, "--endpoint", stub.url, "--model", "vendor/tiny:1b")
    assert ended.code == 0, ended.err
    assert "pipelex new my_method" in ended.err
    assert fresh.backends.exists() is bool(where)
    assert fresh.greets()
    assert [request.body["model"] for request in stub.completions] == ["vendor/tiny:1b"]


def test_what_init_wrote_is_trusted_until_it_changes(
    fresh: Fresh, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE_KEY", "key-0123456789")
    stub.api_key = "key-0123456789"
    fresh("init", "--local", "--endpoint", stub.url, "--model", "m", "--key-variable", "MINE_KEY")
    assert fresh.greets()
    assert str(fresh.backends) in fresh("trust", "--list").out
    fresh.backends.write_text(fresh.backends.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert not fresh.greets()
    assert "sends ${MINE_KEY} to" in fresh("trust", "--list").out


def test_it_finds_out_whether_a_key_is_wanted(fresh: Fresh, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.api_key = "key-0123456789"
    ended = fresh("init", "--endpoint", stub.url, "--model", "m")
    assert "export MY_127_0_0_1_API_KEY=" in ended.err
    monkeypatch.setenv("MY_127_0_0_1_API_KEY", "key-0123456789")
    assert fresh.greets()


def test_a_model_that_is_not_named(fresh: Fresh, stub: OpenAIStub) -> None:
    assert fresh("init", "--endpoint", stub.root).code == 0  # it serves one, below /v1
    assert fresh.greets()
    silent = fresh("init", "--endpoint", "http://127.0.0.1:1/v1")
    assert (silent.code, "--model NAME; it does not answer now" in silent.err) == (2, True)
    assert "Note:" not in silent.err


@pytest.mark.parametrize("address", ["ftp://x", "http://", "https://[", "http://x:99999"])
def test_what_is_no_address(fresh: Fresh, address: str) -> None:
    ended = fresh("init", "--endpoint", address, "--model", "m")
    assert (ended.code, "is not the address of an endpoint" in ended.err) == (2, True)


def test_flags_without_an_endpoint(fresh: Fresh) -> None:
    assert fresh("init", "--model", "m").code == 2


def test_where_nobody_can_be_asked_it_writes_little(fresh: Fresh) -> None:
    ended = fresh("init")
    written = sorted(path.relative_to(fresh.home / ".pipelex").as_posix() for path in fresh.home.rglob("*.toml"))
    assert (ended.code, written) == (0, ["inference/backends.toml", "pipelex.toml"])
    assert tables(fresh.home / ".pipelex" / "inference" / "backends.toml") == {}
    assert "pipelex init --endpoint URL --model NAME" in ended.err


# --- questions --------------------------------------------------------------------------------------------------------


def questions(ended: Ended) -> int:
    return len(re.findall(r"\?|Which one|Address of|Name of the model", ended.err))


def test_a_server_of_this_machine_is_offered(
    fresh: Fresh, stub: OpenAIStub, person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_servers, "USUAL_PORTS", (("Ollama", stub.port), ("nobody", 1)))
    ended = fresh("init", "--local", typed="y\n1\n")
    assert (ended.code, questions(ended)) == (0, 2), ended.err
    assert "stub (Ollama at http://127.0.0.1:" in ended.err
    assert fresh.greets()


def test_nobody_is_looked_for_without_consent(
    fresh: Fresh, stub: OpenAIStub, person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_servers, "USUAL_PORTS", (("Ollama", stub.port),))
    ended = fresh("init", typed="n\n\n")
    assert (ended.code, questions(ended), stub.requests) == (0, 2, [])
    assert not (fresh.home / ".pipelex").exists()


@pytest.mark.parametrize("typed", ["y\n{url} m\n", "n\n{url}\n", "y\n{silent}\nm\n"])
def test_an_endpoint_is_asked_for(
    fresh: Fresh, stub: OpenAIStub, person: None, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(local_servers, "USUAL_PORTS", (("nobody", 1),))
    ended = fresh("init", "--local", typed=typed.format(url=stub.url, silent="http://127.0.0.1:1/v1"))
    assert ended.code == 0, ended.err
    assert questions(ended) <= 3
    (table,) = tables(fresh.backends).values()
    assert table["models"] == (["stub"] if typed.startswith("n") else ["m"])


def test_another_endpoint_than_those_that_were_found(
    fresh: Fresh, stub: OpenAIStub, person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_servers, "USUAL_PORTS", (("Ollama", stub.port),))
    ended = fresh("init", "--local", typed=f"y\n0\n{stub.url} other\n")
    assert (ended.code, questions(ended)) == (0, 3), ended.err
    (table,) = tables(fresh.backends).values()
    assert table["models"] == ["other"]


@pytest.mark.parametrize(
    ("address", "backend", "variable"),
    [
        ("https://api.groq.com/openai/v1", "groq", "GROQ_API_KEY"),
        ("https://api.openai.com/v1/", "openai", "OPENAI_API_KEY"),
        ("http://localhost:11434/v1", "ollama", "LOCALHOST_API_KEY"),
        ("http://127.0.0.1:8000/v1", "local_server", "MY_127_0_0_1_API_KEY"),
        ("https://models.example.com/v1", "models_example_com", "MODELS_EXAMPLE_COM_API_KEY"),
    ],
)
def test_an_endpoint_is_called_as_it_is_known(address: str, backend: str, variable: str) -> None:
    assert (OwnEndpoint(address, ["m"]).backend, usual_variable(address)) == (backend, variable)


# --- Ollama -----------------------------------------------------------------------------------------------------------

_PATHS = {"no": "/v1/chat/completions", "too": "/v1/chat/completions", "alone": "/api/chat"}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["asked", "named", "host"])
@pytest.mark.parametrize("ollama", ["too", "alone"])
def test_ollama_from_init_to_a_first_result(
    fresh: Fresh,
    stub: OpenAIStub,
    person: None,
    monkeypatch: pytest.MonkeyPatch,
    ollama: Literal["too", "alone"],
    way: str,
) -> None:
    stub.ollama, stub.models = ollama, ("gemma3:1b",)
    stub.on(matches=".", text="A short summary.")
    if way == "named":
        ended = fresh("init", "--endpoint", stub.url)
    elif way == "host":
        monkeypatch.setenv("OLLAMA_HOST", f"0.0.0.0:{stub.port}")
        ended = fresh("init", typed="y\n\n")
        assert f"({'Ollama'} at http://127.0.0.1:{stub.port}/v1)" in ended.err
    else:
        monkeypatch.setattr(local_servers, "USUAL_PORTS", (("Ollama", stub.port),))
        ended = fresh("init", typed="y\n1\n")
    assert (ended.code, "[ollama] in" in ended.out) == (0, True), ended.err
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    for command in ("new my_method", "validate my_method", "run my_method"):
        ended = fresh(*command.split())
        assert ended.code == 0, ended.err
    assert "A short summary." in ended.out
    assert {request.body["model"] for request in stub.completions} == {"gemma3:1b"}
    assert {request.path for request in stub.completions} == {_PATHS[ollama]}
    assert "✓ backend ollama" in fresh("doctor").out
    assert "gemma3:1b" in fresh("models", "--type", "llm").out


def test_a_model_that_was_not_pulled(fresh: Fresh, stub: OpenAIStub) -> None:
    stub.ollama, stub.models = "too", ("gemma3:1b",)
    noted = fresh("init", "--endpoint", stub.url, "--model", "qwen3:4b")
    assert "does not list qwen3:4b, but gemma3:1b." in noted.err
    (fresh.work / "greet.mthds").write_text(METHOD, encoding="utf-8")
    ended = fresh("run", "greet.mthds", "-i", "name=Ada")
    assert (ended.code, "Pull it with: ollama pull qwen3:4b" in ended.err) == (2, True), ended.err


@pytest.mark.slow
@pytest.mark.parametrize("there", [[], ["gemma3:4b", "llama3.2:latest"]])
def test_models_of_ollama_are_those_that_were_pulled(
    fresh: Fresh, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch, there: list[str]
) -> None:
    stub.models = there
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{stub.port if there else 1}")
    ended = fresh("models", "--type", "llm")
    ready = {line.split()[0] for line in ended.out.splitlines() if " ollama " in line}
    assert ready == ({"gemma3-4b", "llama3.2"} if there else set())
    assert "ollama" not in ended.err
    silent = "not there" if there else "does not answer"
    assert silent in fresh("models", "--type", "llm", "--all").out


# --- a gateway with an own authority, a header and its own name for the limit of tokens --------------------------------


@pytest.mark.parametrize("parameter", ["max_tokens", "max_completion_tokens"])
def test_a_gateway_from_init_to_a_first_result(
    fresh: Fresh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameter: str
) -> None:
    certificates = make_certificates(tmp_path / "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.pair("server"))
    with OpenAIStub(api_key="key-0123456789", tls=context).on("Ada", text="Welcome") as gateway:
        nameless = fresh("init", "--endpoint", gateway.url, "--key-variable", "GATEWAY_KEY")
        assert (nameless.code, "its certificate was issued by an authority" in nameless.err) == (2, True), nameless.err
        gate = ("init", "--endpoint", gateway.url, "--key-variable", "GATEWAY_KEY", "--name", "gate")
        ended = fresh(*gate, "--model", "m")
        assert (ended.code, "--ca-bundle FILE" in ended.err) == (0, True), ended.err
        monkeypatch.setenv("GATEWAY_KEY", "key-0123456789")
        monkeypatch.setenv("TEAM", "blue")
        assert not fresh.greets()  # nobody it knows vouches for the gateway
        ca = fresh.work / "ca.pem"
        ca.write_bytes(certificates.ca.read_bytes())
        more = ("--header", "X-Team=${TEAM}", "--ca-bundle", str(ca), "--token-parameter", parameter)
        gateway.models = ("m",)
        ended = fresh(*gate, *more)  # asks by them which model it serves
        assert (ended.code, "Note:" in ended.err) == (0, False), ended.err
        assert gateway.listings[-1]["x-team"] == "blue"
        written = tables(fresh.home / ".pipelex" / "inference" / "backends.toml")["gate"]
        assert written["headers"] == {"X-Team": "${TEAM}"}
        assert (written["ca_bundle"], written["token_parameter"]) == (str(ca), parameter)
        limited = METHOD + 'model = { model = "m", temperature = 0, max_tokens = 9 }\n'
        (fresh.work / "limited.mthds").write_text(limited, encoding="utf-8")
        ended = fresh("run", "limited.mthds", "-i", "name=Ada")
        assert ended.code == 0, ended.err
        (request,) = gateway.completions
        assert (request.headers["x-team"], request.headers["authorization"]) == ("blue", "Bearer key-0123456789")
        assert {key: value for key, value in request.body.items() if "tokens" in key} == {parameter: 9}
        assert "backend gate: answers" in fresh("doctor").out


def test_a_project_names_its_authority_by_a_path_of_its_own(fresh: Fresh, tmp_path: Path) -> None:
    ca = fresh.work / "certificates" / "ca.pem"
    ca.parent.mkdir()
    ca.write_bytes(make_certificates(tmp_path / "made").ca.read_bytes())
    command = ("init", "--endpoint", "https://127.0.0.1:1/v1", "--model", "m", "--local", "--name", "gate")
    assert fresh(*command, "--ca-bundle", "certificates/ca.pem").code == 0
    assert tables(fresh.backends)["gate"]["ca_bundle"] == "../../certificates/ca.pem"
    ended = fresh(*command, "--no-verify", "--header", "X-Team: blue")
    table = tables(fresh.backends)["gate"]
    assert (ended.code, table["verify"], table["headers"]) == (0, False, {"X-Team": "blue"})
    said = fresh("doctor").out
    assert "refuses connections" in said, said


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--header", "X-Team"], "--header X-Team: write NAME=VALUE"),
        (["--header", "X Team=blue"], "write NAME=VALUE"),
        (["--ca-bundle", "gone.pem"], "--ca-bundle gone.pem: No such file"),
        (["--ca-bundle", "."], "--ca-bundle .: "),
        (["--ca-bundle", "words.pem"], "holds no certificates in PEM format"),
        (["--ca-bundle", "words.pem", "--no-verify"], "--no-verify contradicts --ca-bundle"),
        (["--token-parameter", "max_token"], "Did you mean 'max_tokens'"),
    ],
)
def test_what_stands_before_an_endpoint_is_checked(fresh: Fresh, flags: list[str], told: str) -> None:
    (fresh.work / "words.pem").write_text("words", encoding="utf-8")
    ended = fresh("init", "--endpoint", "https://127.0.0.1:1/v1", "--model", "m", *flags)
    assert (ended.code, told in ended.err) == (2, True), ended.err
    assert not (fresh.home / ".pipelex").exists()
    assert "belong to --endpoint URL" in fresh("init", *flags).err or "--token-parameter" in flags


# --- README -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ollama", ["no", "too", "alone"])
def test_readme_from_its_own_method_and_its_own_table(
    fresh: Fresh, stub: OpenAIStub, ollama: Literal["no", "too", "alone"]
) -> None:
    stub.ollama, stub.models = ollama, ("llama3.2",)
    found = [(kind, text) for kind, text in _FENCE.findall((REPOSITORY / "README.md").read_text(encoding="utf-8"))]
    method = next(text for kind, text in found if kind == "toml" and text.startswith("domain"))
    table = next(text for _, text in found if text.partition("\n")[0].endswith(".pipelex/inference/backends.toml"))
    assert "http://localhost:11434/v1" in table
    fresh.backends.parent.mkdir(parents=True)
    fresh.backends.write_text(table.replace("http://localhost:11434", stub.root), encoding="utf-8")
    (fresh.work / "kitchen.mthds").write_text(method, encoding="utf-8")
    recipe = {"name": "Soup", "ingredients": ["water", "salt"]}
    stub.on("Suggest one dish", object=recipe)

    assert fresh("validate", "kitchen.mthds").code == 0
    ended = fresh("run", "kitchen.mthds", "-i", '{"occasion": "a cold evening"}')
    assert ended.code == 0, ended.err
    assert "Soup" in ended.out
    (request,) = stub.completions
    assert (request.path, request.body["model"]) == (_PATHS[ollama], "llama3.2")
    assert fresh.greets()


def test_readme_from_its_commands(fresh: Fresh, stub: OpenAIStub) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for command in ("pipelex new my_method", "pipelex validate my_method", "pipelex run my_method --dry-run"):
        assert command in text
    assert "pipelex init --endpoint URL --model NAME" in text
    stub.on(matches=".", text="A short summary.")
    fresh("init", "--endpoint", stub.url, "--model", "m")
    for command in ("new my_method", "validate my_method", "run my_method"):
        ended = fresh(*command.split())
        assert ended.code == 0, ended.err
    assert fresh("trust", "--list").out == ""
