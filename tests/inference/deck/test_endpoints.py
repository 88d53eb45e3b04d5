"""An endpoint of one's own: by one table, by a variable, by the writer that `pipelex init` uses."""

import json
from pathlib import Path

import pytest

from pipelex.errors import ConfigurationError
from pipelex.inference import ModelDeck
from pipelex.inference.deck.endpoint_file import OwnEndpoint, write_endpoint
from pipelex.inference.deck.endpoints import address_of
from pipelex.inference.local_servers import find_local_servers, usual_places
from pipelex.pipes.models import ModelChoice
from tests.inference.deck.test_deck import PUBLIC
from tests.support.http_stub import Answer, Received, http_stub
from tests.support.inference_files import write

MINE = '[mine]\nendpoint = "https://models.example.com/v1"\napi_key = "${MINE_KEY}"\nmodels = ["my-model"]\n'


def deck_of(tmp_path: Path, backends: str = MINE, environ: dict[str, str] | None = None, **files: str) -> ModelDeck:
    directory = write(tmp_path / "inference", backends=backends, **files)
    return ModelDeck.load([directory], {"MINE_KEY": "k"} if environ is None else environ)


def handle_of(deck: ModelDeck, choice: str | None) -> tuple[str, str]:
    found = deck.resolve(ModelChoice(family="llm", choice=choice))
    return found.backend, found.handle


@pytest.mark.matrix(fast=4)
@pytest.mark.parametrize("name", PUBLIC["llm"].split())
def test_every_standard_name_leads_to_the_only_endpoint_with_credentials(tmp_path: Path, name: str):
    assert handle_of(deck_of(tmp_path), name) == ("mine", "my-model")


def test_defaults_lead_there_too(tmp_path: Path):
    deck = deck_of(tmp_path)
    assert handle_of(deck, None) == ("mine", "my-model")
    assert deck.resolve(ModelChoice(family="llm", purpose="object")).backend == "mine"
    assert deck.resolve(ModelChoice(family="judgment")).backend == "mine"
    assert deck.check(ModelChoice(family="llm", purpose="object"), needs=["images"]) == []


@pytest.mark.parametrize("name", ["my-model", "meta-llama/llama-3.1:8b", "qwen3:4b", "a b", "vendor/x"])
def test_any_name_of_a_model_will_do(tmp_path: Path, name: str):
    deck = deck_of(tmp_path, MINE.replace('"my-model"', json.dumps(name)))
    assert handle_of(deck, name) == handle_of(deck, "$quick-reasoning") == ("mine", name)
    entry = deck.entry(deck.resolve(ModelChoice(family="llm", choice=name)))
    assert (entry.model_id, entry.table.sdk) == (name, "openai")


def test_without_its_key_it_stands_for_nothing(tmp_path: Path):
    assert handle_of(deck_of(tmp_path, environ={}), None)[0] == "local"


def test_other_keys_keep_their_names_unless_it_is_the_default(tmp_path: Path):
    environ = {"MINE_KEY": "k", "OPENAI_API_KEY": "k"}
    assert handle_of(deck_of(tmp_path, environ=environ), None)[0] == "openai"
    deck = deck_of(tmp_path, MINE + "is_default = true\n", environ)
    assert [handle_of(deck, name)[0] for name in (None, "$quick-reasoning", "@best-gpt", "gpt-5.4")] == ["mine", "mine", "mine", "openai"]  # fmt: skip


def test_names_of_the_users_own_deck_lead_where_they_say(tmp_path: Path):
    own = '[llm.aliases]\nhouse = "gpt-5.4"\n[llm.choice_defaults]\nfor_text = "@house"\n'
    deck = deck_of(tmp_path, MINE + "is_default = true\n", {"MINE_KEY": "k", "OPENAI_API_KEY": "k"}, deck__1=own)
    assert [handle_of(deck, name)[0] for name in (None, "@house", "@default-small")] == ["openai", "openai", "mine"]


@pytest.mark.parametrize(
    ("written", "is_on"),
    [
        ('endpoint = "https://ours.example/"', True),
        ('api_key = "k"', True),
        ('endpoint = "https://ours.example/"\napi_key = "k"\nenabled = false', False),
        ('headers = { x-team = "blue" }', False),
        ("enabled = true", True),
    ],
)
def test_a_packaged_backend_that_is_off_is_on_for_whoever_gives_its_address_or_key(
    tmp_path: Path, written: str, is_on: bool
):
    deck = deck_of(tmp_path, f"[azure_document_intelligence]\n{written}\n")
    assert deck.catalog.backends["azure_document_intelligence"].table.enabled is is_on


def test_models_may_be_added_to_a_packaged_backend(tmp_path: Path):
    deck = deck_of(tmp_path, '[ollama]\nmodels = ["tiny:1b"]\n', {})
    assert handle_of(deck, None) == ("ollama", "tiny:1b")
    assert handle_of(deck, "llama3.2") == ("ollama", "llama3.2")


# --- variables --------------------------------------------------------------------------------------------------------

VARIABLES = [
    ("openai", "OPENAI_BASE_URL", "https://gw.example/v1", "https://gw.example/v1"),
    ("openai", "OPENAI_API_BASE", "https://gw.example/openai/", "https://gw.example/openai"),
    ("anthropic", "ANTHROPIC_BASE_URL", "https://gw.example/anthropic", "https://gw.example/anthropic/v1"),
    ("google", "GOOGLE_GEMINI_BASE_URL", "https://gw.example", "https://gw.example/v1beta/openai"),
    ("groq", "GROQ_BASE_URL", "https://gw.example", "https://gw.example/openai/v1"),
    ("ollama", "OLLAMA_HOST", "box:1234", "http://box:1234/v1"),
    ("ollama", "OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434/v1"),
    ("ollama", "OLLAMA_HOST", "https://box.example", "https://box.example:443/v1"),
    ("ollama", "OLLAMA_BASE_URL", "http://box:11434/v1", "http://box:11434/v1"),
]


@pytest.mark.parametrize(("backend", "variable", "value", "endpoint"), VARIABLES)
def test_variables_of_other_clients_are_heeded(backend: str, variable: str, value: str, endpoint: str):
    found = ModelDeck.load([], {variable: value}).catalog.backends[backend]
    assert (found.table.endpoint, found.endpoint_origin) == (endpoint, variable)
    assert ModelDeck.load([], {variable: " "}).catalog.backends[backend].endpoint_origin is None


def test_a_copy_of_the_packaged_table_does_not_send_the_key_to_the_public_address(tmp_path: Path):
    copied = '[openai]\nendpoint = "https://api.openai.com/v1"\napi_key = "${OPENAI_API_KEY}"\n'
    deck = deck_of(tmp_path, copied, {"OPENAI_BASE_URL": "https://gw.example/v1", "OPENAI_API_KEY": "k"})
    assert deck.catalog.backends["openai"].table.endpoint == "https://gw.example/v1"


def test_an_address_that_somebody_wrote_wins(tmp_path: Path):
    deck = deck_of(
        tmp_path, '[openai]\nendpoint = "https://mine.example/v1"\n', {"OPENAI_BASE_URL": "https://gw.example"}
    )
    assert deck.catalog.backends["openai"].table.endpoint == "https://mine.example/v1"


def test_hosts_of_six_numbers():
    assert address_of("[::1]:5", "/v1", is_host=True) == "http://[::1]:5/v1"


# --- what belongs to a backend ----------------------------------------------------------------------------------------


def test_headers_and_certificates_of_a_backend(tmp_path: Path):
    text = MINE + 'headers = { x-team = "blue", authorization = "Basic s3cret" }\nca_bundle = "ca.pem"\nverify = true\n'
    deck = deck_of(tmp_path, text)
    backend = deck.catalog.backends["mine"]
    assert backend.models[0].table.headers == {"x-team": "blue", "authorization": "Basic s3cret"}
    assert backend.table.ca_bundle == str(tmp_path / "inference" / "ca.pem")
    assert "Basic s3cret" in backend.secrets


# --- the writer -------------------------------------------------------------------------------------------------------


def test_the_writer_makes_a_whole_backend(tmp_path: Path):
    own = OwnEndpoint("https://models.example.com/v1", ["my-model"], "${MINE_KEY}")
    file = write_endpoint(tmp_path, own, tmp_path / "home")
    deck = ModelDeck.load([file.parent], {"MINE_KEY": "k", "OPENAI_API_KEY": "k"})
    assert handle_of(deck, None) == ("models_example_com", "my-model")


def test_the_writer_keeps_what_is_there(tmp_path: Path):
    write(tmp_path / "inference", backends="# mine\n[old] # kept\nmodels = ['m']\nis_default = true\n")
    own = OwnEndpoint("http://localhost:11434/v1", ["tiny:1b"], name="ollama")
    text = write_endpoint(tmp_path, own, tmp_path / "home").read_text(encoding="utf-8")
    assert text.startswith("# mine\n[old] # kept\nmodels = ['m']\n")
    assert text.count("is_default") == 1
    assert handle_of(ModelDeck.load([tmp_path / "inference"], {}), None) == ("ollama", "tiny:1b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# mine\nx = 1\n[old]\n", "line 2: 'x' must be a table"),
        ("[[models_example_com]]\nmodels = ['m']\n", "line 1: 'models_example_com' must be a table"),
        ("models_example_com = 'x'\n", "must be a table"),
        ("old = [1]\n", "must be a table"),
        ("[old\n", "not valid TOML"),
        ("[old]\n[old]\n", "not valid TOML"),
        ("[old]\nm = '\udcff'\n", "cannot be read"),
    ],
)
def test_the_writer_leaves_a_file_of_another_shape_alone(tmp_path: Path, text: str, words: str):
    file = write(tmp_path / "inference", backends="") / "backends.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match=words) as caught:
        write_endpoint(tmp_path, OwnEndpoint("https://models.example.com/v1", ["m"]), tmp_path / "home")
    assert caught.value.report.location.file == str(file)
    assert file.read_bytes() == text.encode(errors="surrogateescape")


@pytest.mark.parametrize(
    "text",
    [
        "old = { is_default = true }\n",
        "old.is_default = true\nmodels_example_com.models = ['x']\n",
        "models_example_com = { models = ['x'], headers = { a = 'b' } }\n",
        "[models_example_com]\nmodels = ['x']\n[old]\n[models_example_com.headers]\na = 'b'\n",
        "[models_example_com.headers]\na = 'b'\n",
    ],
)
def test_the_writer_knows_every_form_of_a_table(tmp_path: Path, text: str):
    write(tmp_path / "inference", backends=text)
    file = write_endpoint(tmp_path, OwnEndpoint("https://models.example.com/v1", ["m"]), tmp_path / "home")
    assert handle_of(ModelDeck.load([file.parent], {}), None) == ("models_example_com", "m")


def test_another_address_gets_nothing_that_was_meant_for_the_first(tmp_path: Path):
    first = OwnEndpoint(
        "https://127.0.0.1:8443/v1",
        ["m"],
        "${GATEWAY_KEY}",
        headers={"X-Team": "a"},
        verify=False,
        ca_bundle=Path("c.pem"),
    )
    file = write_endpoint(tmp_path, first, tmp_path / "home")
    again = OwnEndpoint("https://127.0.0.1:8443/v1", ["n"])
    assert "GATEWAY_KEY" in write_endpoint(tmp_path, again, tmp_path / "home").read_text(encoding="utf-8")
    write_endpoint(tmp_path, OwnEndpoint("http://127.0.0.1:8000/v1", ["n"]), tmp_path / "home")
    text = file.read_text(encoding="utf-8")
    assert [word for word in ("GATEWAY_KEY", "X-Team", "verify", "c.pem") if word in text] == []


@pytest.mark.parametrize("path", ["/v1", "/v1/chat/completions", "/v1/chat/completions/"])
def test_the_path_of_a_request_is_no_part_of_an_endpoint(tmp_path: Path, path: str):
    deck = deck_of(tmp_path, f'[mine]\nendpoint = "http://127.0.0.1:1{path}"\nmodels = ["m"]\n')
    assert deck.catalog.backends["mine"].table.endpoint == "http://127.0.0.1:1/v1"


# --- local servers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/models", "/api/tags"])
async def test_servers_on_this_machine_are_found(path: str):
    def answer(request: Received) -> Answer:
        if request.path != path:
            return Answer(status=404)
        return Answer.of_json({"data": [{"id": "m"}]} if path == "/v1/models" else {"models": [{"name": "m"}]})

    async with http_stub(answer) as stub:
        (found,) = await find_local_servers([("Ollama", stub.url), ("nobody", "http://127.0.0.1:1")])
    assert (found.name, found.endpoint, found.models) == ("Ollama", f"{stub.url}/v1", ("m",))
    assert found.is_ollama is (path == "/api/tags")


async def test_what_answers_otherwise_is_no_model_server():
    async with http_stub(lambda _: Answer(b"<html>")) as stub:
        assert await find_local_servers([("x", stub.url)]) == []


@pytest.mark.parametrize(
    ("host", "first"),
    [
        ("", ("Ollama", "http://127.0.0.1:11434")),
        ("box:1234", ("Ollama", "http://box:1234")),
        ("0.0.0.0:8000", ("Ollama", "http://127.0.0.1:8000")),
    ],
)
def test_where_servers_are_looked_for(host: str, first: tuple[str, str]):
    places = usual_places({"OLLAMA_HOST": host})
    assert places[0] == first
    assert len({root for _, root in places}) == len(places)
    assert [name for name, _ in places].count("Ollama") == 1
