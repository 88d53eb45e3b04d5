"""A gateway of one's own, by every client: with a certificate of its own CA, headers, and the parameter it takes."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelex.errors import ConfigurationError, PipelexError
from pipelex.inference import Inference, InferenceOptions
from pipelex.inference.health import ask
from tests.distributed.tls_gate import Certificates, make_certificates
from tests.inference.chat.test_providers import KEY, SPOKEN, Spoken, at, each_client, write_provider
from tests.support.dialects import mistral_error
from tests.support.jobs import text_job
from tests.support.openai_server import OpenAIStub

HEADERS = 'headers = { x-gateway = "blue", x-route = "a b" }\n'
OPENAI = SPOKEN[0]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def gateway(certificates: Certificates, request: pytest.FixtureRequest) -> Iterator[OpenAIStub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.pair("server"))
    spoken = request.node.callspec.params.get("spoken", OPENAI) if hasattr(request.node, "callspec") else OPENAI
    error = mistral_error if spoken.sdk == "mistral" else None
    with OpenAIStub(api_key=KEY, error=error, tls=context) as server:
        server.on("weather", text="Sunny.")
        yield server


def reached(folder: Path, gateway: OpenAIStub, spoken: Spoken = OPENAI, extra: str = "") -> Inference:
    spoken = replace(spoken, extra=spoken.extra + extra)
    directory = write_provider(folder / "inference", spoken, gateway.root)
    return Inference.load([directory], {}, InferenceOptions(call_timeout=20.0))


async def told(inference: Inference, **settings: Any) -> str:
    try:
        return (await inference.chat.generate_text(at(text_job("How is the weather?", **settings)))).text
    finally:
        await inference.aclose()


@each_client
async def test_its_own_ca_and_headers(spoken: Spoken, gateway: OpenAIStub, certificates: Certificates, tmp_path: Path):
    inference = reached(tmp_path, gateway, spoken, HEADERS + f'ca_bundle = "{certificates.ca}"\n')
    assert await told(inference) == "Sunny."
    (request,) = gateway.completions
    assert (request.headers["x-gateway"], request.headers["x-route"]) == ("blue", "a b")


@each_client
async def test_a_certificate_that_nobody_known_vouches_for(spoken: Spoken, gateway: OpenAIStub, tmp_path: Path):
    with pytest.raises(PipelexError):
        await told(reached(tmp_path, gateway, spoken))
    assert gateway.completions == []


@each_client
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_a_certificate_that_nobody_checks(spoken: Spoken, gateway: OpenAIStub, tmp_path: Path):
    assert await told(reached(tmp_path, gateway, spoken, "verify = false\n")) == "Sunny."


async def test_a_file_of_certificates_lies_beside_the_file_that_names_it(
    gateway: OpenAIStub, certificates: Certificates, tmp_path: Path
):
    (tmp_path / "inference" / "own").mkdir(parents=True)
    (tmp_path / "inference" / "own" / "ca.pem").write_bytes(certificates.ca.read_bytes())
    assert await told(reached(tmp_path, gateway, extra='ca_bundle = "own/ca.pem"\n')) == "Sunny."


async def test_a_file_of_certificates_that_is_not_there(gateway: OpenAIStub, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="'maker' cannot be read") as caught:
        await told(reached(tmp_path, gateway, extra='ca_bundle = "none.pem"\n'))
    assert "'ca_bundle' of [maker]" in (caught.value.report.advice or "")


@pytest.mark.parametrize("wanted", ["max_tokens", "max_completion_tokens"])
async def test_how_it_is_told_the_most_tokens(gateway: OpenAIStub, tmp_path: Path, wanted: str):
    extra = f'verify = false\ntoken_parameter = "{wanted}"\n'
    await told(reached(tmp_path, gateway, extra=extra), max_tokens=77)
    (request,) = gateway.completions
    found = {key for key in ("max_tokens", "max_completion_tokens") if key in request.body}
    assert found == {wanted}


async def test_the_doctor_goes_the_same_way(gateway: OpenAIStub, certificates: Certificates, tmp_path: Path):
    known = reached(tmp_path / "a", gateway, extra=f'ca_bundle = "{certificates.ca}"\n').deck.catalog.backends["maker"]
    strange = reached(tmp_path / "b", gateway).deck.catalog.backends["maker"]
    unread = reached(tmp_path / "c", gateway, extra='ca_bundle = "none.pem"\n').deck.catalog.backends["maker"]
    answers = [(await ask([backend]))["maker"] for backend in (known, strange, unread)]
    assert [answer.is_well for answer in answers] == [True, False, False]
    assert "certificate" in answers[1].detail
    assert "none.pem" in answers[2].detail
