"""Credentials of clouds: a service account for Vertex AI, signed requests for Bedrock."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelex.errors import ConfigurationError, PipelexError
from pipelex.inference import Inference
from tests.inference.chat.test_providers import Spoken, at, write_provider
from tests.support.jobs import text_job
from tests.support.openai_server import OpenAIStub

TOKEN = "token-of-the-service-account"


class _Tokens(BaseHTTPRequestHandler):
    """Google's token endpoint."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Path]:
    """A service account's file, whose tokens come from a server of this test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Tokens)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "account.json"
    content = {
        "type": "service_account",
        "client_email": "pipelex@project.iam.example.test",
        "private_key": key.decode(),
        "token_uri": f"http://127.0.0.1:{server.server_address[1]}/token",
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    yield path
    server.shutdown()
    server.server_close()
    thread.join()


def vertex(path: Path) -> Spoken:
    extra = f'gcp_project_id = "harbour"\ngcp_location = "europe-west4"\ngcp_credentials_file_path = "{path}"\n'
    return Spoken("google", "", extra)


@pytest.mark.slow
async def test_vertex_with_a_service_account(account: Path, tmp_path: Path):
    with OpenAIStub(api_key=TOKEN) as stub:
        stub.on("weather", text="Sunny.")
        directory = write_provider(tmp_path / "i", vertex(account), stub.root, key="")
        service = Inference.load([directory], {})

        result = await service.chat.generate_text(at(text_job("weather")))
        await service.aclose()

    assert result.text == "Sunny."
    path = stub.completions[0].path
    assert "/projects/harbour/locations/europe-west4/publishers/google/models/stub:generateContent" in path


async def test_a_service_account_that_cannot_be_read(tmp_path: Path):
    broken = tmp_path / "account.json"
    broken.write_text('{"type": "service_account", "private_key": "very-secret-text"}', encoding="utf-8")
    for path in (tmp_path / "none.json", broken):
        directory = write_provider(tmp_path / "i", vertex(path), "http://127.0.0.1:9", key="")
        service = Inference.load([directory], {})
        with pytest.raises(ConfigurationError) as caught:
            await service.chat.generate_text(at(text_job("?")))
        await service.aclose()
        assert path.name in str(caught.value)
        assert "very-secret" not in str(caught.value)
        assert "gcp_credentials_file_path" in (caught.value.report.advice or "")


SIGNED = 'aws_region = "eu-west-1"\naws_access_key_id = "AKIAHARBOUR"\naws_secret_access_key = "${AWS_HIDDEN}"\n'


@pytest.mark.slow
@pytest.mark.parametrize("sdk", ["bedrock", "bedrock_anthropic"])
async def test_bedrock_with_signed_requests(tmp_path: Path, sdk: str):
    with OpenAIStub() as stub:
        stub.on("weather", text="Sunny.")
        stub.on("broken", status=403, body={"message": "the secret hidden-secret-123 is wrong"})
        directory = write_provider(tmp_path / "i", Spoken(sdk, "", SIGNED), stub.root, key="")
        text = (directory / "backends.toml").read_text(encoding="utf-8").replace('api_key = ""\n', "")
        (directory / "backends.toml").write_text(text, encoding="utf-8")
        service = Inference.load([directory], {"AWS_HIDDEN": "hidden-secret-123"})

        result = await service.chat.generate_text(at(text_job("weather")))
        with pytest.raises(PipelexError) as caught:
            await service.chat.generate_text(at(text_job("broken")))
        await service.aclose()

    assert result.text == "Sunny."
    headers = {name.lower(): value for name, value in stub.completions[0].headers.items()}
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAHARBOUR/")
    assert "hidden-secret" not in str(caught.value.report)


async def test_no_credentials_for_bedrock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    spoken = Spoken("bedrock", "", 'aws_region = "eu-west-1"\n')
    directory = write_provider(tmp_path / "i", spoken, "http://127.0.0.1:9", key="")
    text = (directory / "backends.toml").read_text(encoding="utf-8").replace('api_key = ""\n', "")
    (directory / "backends.toml").write_text(text, encoding="utf-8")
    service = Inference.load([directory], {})

    with pytest.raises(PipelexError) as caught:
        await service.chat.generate_text(at(text_job("?")))
    await service.aclose()

    assert caught.value.code == "provider.credential_refused"
