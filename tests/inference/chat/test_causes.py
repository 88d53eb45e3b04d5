"""Why a request did not reach its provider, or was refused: each cause has its sentence, its category and its advice."""

import json
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

from pipelex.errors import ErrorCategory, ErrorReport, PipelexError
from pipelex.inference import Inference, InferenceOptions
from tests.distributed.tls_gate import Certificates, make_certificates
from tests.inference.chat.test_providers import KEY, SPOKEN, Spoken, at, write_provider
from tests.inference.http_stub import Answer, HTTPStub
from tests.support.jobs import text_job
from tests.support.openai_server import OpenAIStub
from tests.support.processes import free_port

LASTING, PASSING = ErrorCategory.CONFIGURATION, ErrorCategory.TRANSIENT
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
OVER_HTTPX = [one for one in SPOKEN if one.sdk != "bedrock"]  # its client takes no proxy of ALL_PROXY
each_client = pytest.mark.parametrize("spoken", SPOKEN, ids=str)
CLIENTS = [one for one in SPOKEN if one.sdk in ("openai", "openai_responses", "anthropic", "google", "mistral", "huggingface", "bedrock")]  # fmt: skip
of_each_client = pytest.mark.parametrize("spoken", CLIENTS, ids=str)
"""One way for each library that speaks HTTP."""
over_httpx = pytest.mark.parametrize("spoken", OVER_HTTPX, ids=str)
OPENAI = next(one for one in SPOKEN if one.sdk == "openai")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *(name.lower() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def provider() -> Iterator[HTTPStub]:
    with HTTPStub() as stub:
        yield stub


async def failed(folder: Path, spoken: Spoken, url: str, extra: str = "", environ: dict[str, str] | None = None) -> ErrorReport:  # fmt: skip
    spoken = replace(spoken, extra=spoken.extra + extra)
    directory = write_provider(folder / "inference", spoken, url)
    if environ is not None:
        file = directory / "backends.toml"
        file.write_text(file.read_text(encoding="utf-8").replace(KEY, "${MAKER_KEY}"), encoding="utf-8")
    inference = Inference.load([directory], environ or {}, InferenceOptions(call_timeout=20.0))
    with pytest.raises(PipelexError) as caught:
        await inference.chat.generate_text(at(text_job("How is the weather?")))
    await inference.aclose()
    report = caught.value.report
    assert KEY not in f"{report.detail} {report.advice}"
    return report


def told(report: ErrorReport) -> tuple[str, ErrorCategory, Any]:
    return report.code, report.category, report.params.get("reason")


@each_client
async def test_nothing_listens(spoken: Spoken, tmp_path: Path):
    port = free_port()
    report = await failed(tmp_path, spoken, f"http://127.0.0.1:{port}")
    assert told(report) == ("provider.unavailable", PASSING, "not_connected")
    assert f"'127.0.0.1:{port}' refuses connections" in report.detail
    assert "endpoint" in report.what_to_do


@each_client
async def test_a_host_that_does_not_exist(spoken: Spoken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import socket

    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    report = await failed(tmp_path, spoken, "http://no-such-host.invalid")
    assert told(report) == ("provider.unavailable", LASTING, "unknown_host")
    assert "no-such-host.invalid" in report.detail


@pytest.mark.slow
async def test_a_name_service_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import socket

    def away(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", away)
    report = await failed(tmp_path, OPENAI, "http://models.example.com")
    assert told(report) == ("provider.unavailable", PASSING, "not_connected")


@each_client
async def test_a_proxy_that_is_dead(spoken: Spoken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    port = free_port()
    monkeypatch.setenv("HTTP_PROXY", f"http://ada:secret@127.0.0.1:{port}")
    report = await failed(tmp_path, spoken, "http://models.example.com")
    assert told(report) == ("provider.unavailable", PASSING, "not_connected")
    assert f"the proxy '127.0.0.1:{port}'" in report.detail
    assert "HTTP_PROXY" in report.what_to_do
    assert "secret" not in f"{report.detail} {report.what_to_do}"


@over_httpx
async def test_a_proxy_that_speaks_socks(spoken: Spoken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{free_port()}")
    report = await failed(tmp_path, spoken, "http://models.example.com")
    assert told(report) == ("provider.unavailable", LASTING, "socks_unsupported")
    assert "socksio" in report.what_to_do


async def test_a_proxy_of_no_known_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALL_PROXY", "carrier://127.0.0.1:1")
    report = await failed(tmp_path, OPENAI, "http://models.example.com")
    assert told(report) == ("provider.unavailable", LASTING, "proxy_invalid")


@pytest.mark.matrix(fast=3)
@each_client
async def test_a_certificate_of_nobody_known(spoken: Spoken, tmp_path: Path, certificates: Certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.pair("server"))
    with OpenAIStub(api_key=KEY, tls=context) as server:
        report = await failed(tmp_path, spoken, server.root)
    assert told(report) == ("provider.unavailable", LASTING, "certificate")
    assert "self-signed" in report.detail
    assert "ca_bundle" in report.what_to_do


@pytest.mark.matrix(fast=3)
@each_client
@pytest.mark.parametrize(
    ("name", "said", "advice"),
    [("expired", "has expired", "renewed"), ("elsewhere", "is for another host", "endpoint")],
)
async def test_a_certificate_that_does_not_hold(
    spoken: Spoken, name: str, said: str, advice: str, tmp_path: Path, certificates: Certificates
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.pair(name))
    with OpenAIStub(api_key=KEY, tls=context) as server:
        report = await failed(tmp_path, spoken, server.root, f'\nca_bundle = "{certificates.ca}"\n')
    assert told(report) == ("provider.unavailable", LASTING, "certificate"), report.detail
    assert said in report.detail
    assert advice in report.what_to_do


@pytest.mark.matrix(fast=15)
@each_client
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_a_password(
    spoken: Spoken, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with locked_proxy() as port:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://ada:secret@127.0.0.1:{port}")
        report = await failed(tmp_path, spoken, f"{scheme}://models.example.com")
    assert told(report) == ("provider.unavailable", LASTING, "proxy_refused"), report.detail
    assert f"the proxy '127.0.0.1:{port}'" in report.detail
    assert f"{scheme.upper()}_PROXY" in report.what_to_do
    assert "secret" not in f"{report.detail} {report.what_to_do}"


@contextmanager
def locked_proxy() -> Generator[int]:
    """A proxy that lets nobody through; gives its port."""

    class Locked(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(407, "Proxy Authentication Required")
            self.send_header("Proxy-Authenticate", 'Basic realm="harbour"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_CONNECT = do_GET = refuse

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Locked) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


async def test_a_port_that_does_not_exist(tmp_path: Path):
    report = await failed(tmp_path, OPENAI, "http://127.0.0.1:99999")
    assert told(report) == ("provider.unavailable", LASTING, "endpoint_invalid")
    assert "endpoint" in report.what_to_do


async def test_a_server_without_tls(tmp_path: Path, provider: HTTPStub):
    report = await failed(tmp_path, OPENAI, provider.url.replace("http://", "https://"))
    assert told(report) == ("provider.unavailable", LASTING, "plain_server")


@pytest.mark.matrix(fast=3)
@each_client
@pytest.mark.parametrize("key", ["sk-abc\n", "sk-abc\r\nx: y", " sk-abc", "sk-äbc"], ids=repr)
async def test_a_key_that_no_header_carries(spoken: Spoken, tmp_path: Path, key: str, provider: HTTPStub):
    report = await failed(tmp_path, spoken, provider.url, environ={"MAKER_KEY": key})
    assert told(report) == ("model.unavailable", LASTING, "credentials_malformed")
    assert "MAKER_KEY" in report.what_to_do
    assert "abc" not in report.detail
    assert provider.asked == []


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BROKEN = {
    "in the middle": HEAD + b'content-length: 500\r\n\r\n{"id": 1',
    "in a chunk": HEAD + b'transfer-encoding: chunked\r\n\r\nff\r\n{"id"',
    "no chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.matrix(fast=5)
@of_each_client
@pytest.mark.parametrize("what", BROKEN)
async def test_an_answer_that_breaks_off(spoken: Spoken, what: str, tmp_path: Path):
    with raw_server(BROKEN[what]) as url:
        report = await failed(tmp_path, spoken, url)
    if spoken.sdk == "bedrock" and what == "in the middle":  # its client hands on what it got
        assert told(report)[:2] == ("provider.response_invalid", PASSING), report.detail
        return
    assert told(report) == ("provider.unavailable", PASSING, None), report.detail
    assert "got no complete answer" in report.detail
    assert not [word for word in INTERNALS if word in report.detail], report.detail


@pytest.mark.parametrize("spoken", [one for one in CLIENTS if one.sdk != "bedrock"], ids=str)
async def test_an_encoding_that_is_none(spoken: Spoken, tmp_path: Path, provider: HTTPStub):
    provider.on("*", Answer(b'{"id": 1}', headers={"content-encoding": "gzip"}))
    report = await failed(tmp_path, spoken, provider.url)
    assert told(report)[:2] == ("provider.response_invalid", PASSING), report.detail
    assert "its gzip encoding is damaged" in report.detail


@contextmanager
def raw_server(answer: bytes) -> Generator[str]:
    """A server that answers every request with the same bytes, then hangs up."""

    class Raw(BaseRequestHandler):
        def handle(self) -> None:
            head, _, body = self._until(b"", lambda data: b"\r\n\r\n" in data).partition(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            self._until(body, lambda data: len(data) >= length)
            self.request.sendall(answer)

        def _until(self, data: bytes, is_whole: Callable[[bytes], bool]) -> bytes:
            while not is_whole(data) and (piece := self.request.recv(65_536)):
                data += piece
            return data

    with ThreadingTCPServer(("127.0.0.1", 0), Raw) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


GOOGLE_KEY = [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}]  # fmt: skip


def google_limit(period: str) -> list[dict[str, Any]]:
    said = f"You exceeded your current quota, please check your plan and billing details. Quota exceeded for metric: requests, limit: 10. Please retry in 34.07s. Generate requests {period}"  # fmt: skip
    quota = {"quotaId": f"GenerateRequests{period}PerProjectPerModel-FreeTier"}
    details = [{"violations": [quota]}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    return [{"error": {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED", "details": details}}]


MISTRAL_MODEL = {"object": "error", "message": "Invalid model: mistral-smal", "type": "invalid_model", "code": "1500"}
OPENAI_MODEL = {"error": {"message": "The model `gpt-9` does not exist or you do not have access to it.", "code": "model_not_found"}}  # fmt: skip
OPENAI_RATE = {"error": {"message": "Rate limit reached on tokens per min (TPM). Add a payment method at https://platform.openai.com/account/billing", "type": "tokens"}}  # fmt: skip
FLAGGED = {"error": {"message": "The model requires moderation and your input was flagged", "code": 403}}
TOO_MUCH = {"error": {"message": "Request too large for gpt-9 on tokens per min (TPM): Limit 30000, Requested 70000.", "code": "rate_limit_exceeded"}}  # fmt: skip
FASTAPI = {"detail": [{"loc": ["body", "messages", 0], "msg": "field required", "type": "missing"}]}
MISTRAL_DETAIL = {
    "object": "error",
    "message": {"detail": [{"loc": ["body"], "msg": "extra inputs are not permitted"}]},
}


@pytest.mark.matrix(fast=3)
@pytest.mark.parametrize(
    ("status", "body", "code", "category", "said"),
    [
        (400, GOOGLE_KEY, "provider.credential_refused", LASTING, "API key not valid"),
        (429, google_limit("PerMinute"), "provider.rate_limited", PASSING, "current quota"),
        (429, google_limit("PerDay"), "provider.quota_exhausted", ErrorCategory.CAPACITY, "current quota"),
        (429, OPENAI_RATE, "provider.rate_limited", PASSING, "tokens per min"),
        (400, MISTRAL_MODEL, "model.unavailable", LASTING, "Invalid model: mistral-smal"),
        (400, OPENAI_MODEL, "model.unavailable", LASTING, "does not exist"),
        (403, {"detail": "Not authenticated"}, "provider.credential_refused", LASTING, "Not authenticated"),
        (422, FASTAPI, "provider.failed", ErrorCategory.CONTENT, "body.messages.0: field required"),
        (422, MISTRAL_DETAIL, "provider.failed", ErrorCategory.CONTENT, "body: extra inputs are not permitted"),
        (500, {"errors": [{"message": "shard lost"}]}, "provider.failed", PASSING, "shard lost"),
        (
            502,
            b"<html><head><title>502 Bad Gateway</title></head><body>x</body></html>",
            "provider.unavailable",
            PASSING,
            "502 Bad Gateway",
        ),
        (503, b"upstream connect error", "provider.unavailable", PASSING, "upstream connect error"),
        (400, {"unheard": "of"}, "provider.failed", ErrorCategory.CONTENT, "with status 400"),
        (403, {"code": "denied", "error": "Content violates usage guidelines."}, "model.content_refused", ErrorCategory.CONTENT, "usage guidelines"),
        (403, FLAGGED, "model.content_refused", ErrorCategory.CONTENT, "was flagged"),
        (400, {"error": {"message": "Output blocked by content filtering policy"}}, "model.content_refused", ErrorCategory.CONTENT, "blocked"),
        (403, {"error": {"message": "Country, region, or territory not supported"}}, "provider.credential_refused", LASTING, "does not allow this"),
        (400, {"error": {"message": "The model `mix-8x7.1b` has been decommissioned."}}, "model.unavailable", LASTING, "decommissioned"),
        (400, {"message": "Invocation of model ID a.b-9 with on-demand throughput isn't supported."}, "model.unavailable", LASTING, "on-demand"),
        (400, {"error": {"message": "This model does not support image input"}}, "model.capability_unsupported", LASTING, "does not support this request"),
        (404, {"error": {"message": "No endpoints found that support tool use"}}, "model.capability_unsupported", LASTING, "tool use"),
        (413, b"Request Entity Too Large", "provider.failed", ErrorCategory.CONTENT, "Request Entity Too Large"),
        (429, TOO_MUCH, "provider.failed", ErrorCategory.CONTENT, "Requested 70000"),
        (424, {"message": "The model returned an error"}, "provider.failed", PASSING, "returned an error"),
        (498, {"error": {"message": "Flex tier capacity exceeded"}}, "provider.failed", PASSING, "capacity exceeded"),
        (529, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, "provider.unavailable", PASSING, "Overloaded"),
        (425, {"error": {"message": "Too early"}}, "provider.failed", PASSING, "Too early"),
        (409, {"error": {"message": "Locked"}}, "provider.failed", PASSING, "Locked"),
        (408, b"", "provider.timeout", PASSING, "in time"),
        (500, b"Traceback (most recent call last):\n  KeyError: 'x'", "provider.failed", PASSING, "(status 500)"),
        (502, {"message": "<html><head><title>Bad gateway</title></head></html>"}, "provider.unavailable", PASSING, ": Bad gateway"),
    ],
)  # fmt: skip
async def test_what_a_provider_says(
    status: int, body: Any, code: str, category: ErrorCategory, said: str, tmp_path: Path, provider: HTTPStub
):
    provider.on("*", Answer(body, status))
    report = await failed(tmp_path, OPENAI, provider.url)
    assert (report.code, report.category, report.status) == (code, category, status), report.detail
    assert said in report.detail
    if "PerMinute" in str(body):
        assert report.retry_after in (34.0, 34.07)


@pytest.mark.parametrize(
    ("headers", "said", "seconds"),
    [
        ({"retry-after": "1.5"}, "", 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, "", 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, "", 9.0),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "-1"}, "", None),
        ({"retry-after": "3"}, "Please try again in 6.2s.", 3.0),
        ({}, "Rate limit reached. Please try again in 6.2s.", 6.2),
        ({}, "Please try again in 850ms.", 0.85),
        ({}, "Please try again in 7m12.5s.", 432.5),
        ({}, "Try again in 2h3m.", 7380.0),
        ({}, "Please try again in 20 seconds", 20.0),
        ({}, "Please try again in a while", None),
    ],
)
async def test_how_long_to_wait(
    headers: dict[str, str], said: str, seconds: float | None, tmp_path: Path, provider: HTTPStub
):
    provider.on("*", Answer({"error": {"message": said or "slow down"}}, 429, headers))
    report = await failed(tmp_path, OPENAI, provider.url)
    assert (report.code, report.retry_after) == ("provider.rate_limited", seconds), report.detail
    assert len(provider.asked) == 1


@pytest.mark.parametrize(
    ("error", "code", "category"),
    [
        ({"message": "Rate limit exceeded", "code": 429}, "provider.rate_limited", PASSING),
        ({"message": "No auth credentials found", "code": "401"}, "provider.credential_refused", LASTING),
        ({"message": "Insufficient credits", "code": 402}, "provider.quota_exhausted", ErrorCategory.CAPACITY),
        (
            {"message": "This model's maximum context length is 9 tokens"},
            "model.context_exceeded",
            ErrorCategory.CONTENT,
        ),
        ({"message": "Upstream timed out", "code": 504}, "provider.timeout", PASSING),
        ({"message": "Provider returned error", "code": 502}, "provider.unavailable", PASSING),
        ("model overloaded, try later", "provider.failed", PASSING),
    ],
)
@pytest.mark.parametrize("place", ["answer", "choice"])
async def test_a_failure_told_in_an_answer_of_success(
    error: Any, code: str, category: ErrorCategory, place: str, tmp_path: Path, provider: HTTPStub
):
    message = {"role": "assistant", "content": ""}
    inside = {"choices": [{"index": 0, "message": message, "finish_reason": "error", "error": error}]}
    provider.on("*", Answer({"error": error} if place == "answer" else inside))
    report = await failed(tmp_path, OPENAI, provider.url)
    assert (report.code, report.category) == (code, category), report.detail
    assert (error if isinstance(error, str) else error["message"]) in report.detail
    assert len(provider.asked) == 1


TOLD: dict[str, tuple[dict[str, Any], str, ErrorCategory]] = {
    "quota": (
        {"message": "You exceeded your quota", "type": "insufficient_quota"},
        "provider.quota_exhausted",
        ErrorCategory.CAPACITY,
    ),
    "money": ({"message": "Nothing left", "type": "billing_error"}, "provider.quota_exhausted", ErrorCategory.CAPACITY),
    "rate": ({"message": "Slow down", "type": "rate_limit_error"}, "provider.rate_limited", PASSING),
    "rate by number": ({"message": "Slow down", "code": 429}, "provider.rate_limited", PASSING),
    "rate by status": ({"message": "Slow down", "status": "RESOURCE_EXHAUSTED"}, "provider.rate_limited", PASSING),
    "key": (
        {"message": "No such key", "type": "invalid_request_error", "code": "invalid_api_key"},
        "provider.credential_refused",
        LASTING,
    ),
    "key by text": ({"message": "No such key", "code": "401"}, "provider.credential_refused", LASTING),
    "model": ({"message": "Nobody of this name", "code": "model_not_found"}, "model.unavailable", LASTING),
    "overloaded": ({"message": "Too busy", "type": "overloaded_error"}, "provider.unavailable", PASSING),
    "unheard": ({"message": "The moon is full", "type": "lunacy", "code": None}, "provider.failed", PASSING),
}


@pytest.mark.matrix(each=3, fast=18)
@each_client
@pytest.mark.parametrize("what", TOLD)
async def test_every_client_tells_what_an_answer_of_success_tells(
    spoken: Spoken, what: str, tmp_path: Path, provider: HTTPStub
):
    error, code, category = TOLD[what]
    provider.on("*", Answer({"type": "error", "error": error, "request_id": "r1"}))
    report = await failed(tmp_path, spoken, provider.url)
    assert (report.code, report.category) == (code, category), report.detail
    assert error["message"] in report.detail
    assert len(provider.asked) == 1


@each_client
async def test_an_answer_whose_error_is_null_is_one(spoken: Spoken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from tests.support import openai_server

    handler: Any = vars(openai_server)["_Handler"]
    plain: Callable[..., dict[str, Any]] = handler._whole

    def with_null_error(*given: Any) -> dict[str, Any]:
        return {**plain(*given), "error": None}

    monkeypatch.setattr(handler, "_whole", with_null_error)
    with OpenAIStub(api_key=KEY) as server:
        server.on("weather", text='Sunny: {"error": {"message": "none"}}')
        inference = Inference.load([write_provider(tmp_path / "i", spoken, server.root)], {})
        result = await inference.chat.generate_text(at(text_job("How is the weather?")))
        await inference.aclose()
    assert result.text.startswith("Sunny")


@pytest.mark.parametrize(
    ("method", "kind"), [("GET", "application/json"), ("POST", "text/event-stream"), ("POST", "application/json")]
)
async def test_what_is_streamed_or_asked_for_is_left_to_its_reader(method: str, kind: str):
    import httpx

    from pipelex.inference.calls.guard import ToldFailure, guarded

    body = {"status": "failed", "error": {"code": "InvalidContent", "message": "It is no picture"}}

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": kind}, stream=httpx.ByteStream(json.dumps(body).encode()))

    async with guarded(httpx.AsyncClient(transport=httpx.MockTransport(answer)), 10_000) as client:
        if (method, kind) == ("POST", "application/json"):
            with pytest.raises(ToldFailure):
                await client.request(method, "http://models.example.com")
        else:
            assert (await client.request(method, "http://models.example.com")).json() == body


INTERNALS = (
    "status_code",
    "validation error",
    "NoneType",
    "attribute",
    "pydantic",
    "Traceback",
    "model_name",
    "0x",
    "recursion",
    "line 1",
    "bytearray",
    "Error -3",
    "Connection broken",
)


@pytest.mark.matrix(each=4, fast=56)
@each_client
@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", [{}, [], None, 7, "", {"choices": 3}, b"\xff\xfe", b"<p>hi"], ids=repr)
async def test_nothing_of_the_libraries_shows(
    spoken: Spoken, status: int, body: Any, tmp_path: Path, provider: HTTPStub
):
    provider.on("*", Answer(body, status))
    report = await failed(tmp_path, spoken, provider.url)
    assert not [word for word in INTERNALS if word in report.detail], report.detail


@pytest.mark.matrix(fast=10)
@of_each_client
@pytest.mark.parametrize(
    "body",
    [b"{}\n{}", b"[" * 100_000, {"choices": []}, b"\xef\xbb\xbf{", b""],
    ids=["two", "deep", "none", "mark", "empty"],
)
async def test_nothing_of_readers_of_json_shows(spoken: Spoken, body: Any, tmp_path: Path, provider: HTTPStub):
    provider.on("*", Answer(body))
    report = await failed(tmp_path, spoken, provider.url)
    assert told(report)[:2] == ("provider.response_invalid", PASSING), report.detail
    assert not [word for word in INTERNALS if word in report.detail], report.detail


@pytest.mark.parametrize("sdk", ["openai", "groq", "huggingface"])
async def test_counts_that_are_no_numbers(sdk: str, tmp_path: Path, provider: HTTPStub):
    message = {"role": "assistant", "content": "Sunny"}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    body |= {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    provider.on("*", Answer({**body, "usage": {"prompt_tokens": "3", "completion_tokens": "x", "total_tokens": "y"}}))
    spoken = next(one for one in SPOKEN if one.sdk == sdk)
    inference = Inference.load([write_provider(tmp_path / "i", spoken, provider.url)], {})
    result = await inference.chat.generate_text(at(text_job("How?")))
    await inference.aclose()
    assert (result.text, result.usage.input_tokens) == ("Sunny", 0)
