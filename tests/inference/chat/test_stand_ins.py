"""Which model is chosen when a client is not installed or a key is elsewhere, and who is asked when a provider fails."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelex.config.distribution import install_command
from pipelex.errors import ConfigurationError, ErrorCategory, PipelexError
from pipelex.inference import Inference, ModelDeck
from pipelex.inference.providers import BUILT_IN, how_to_install, is_callable
from pipelex.pipes.models import ModelChoice, ModelTarget
from tests.support.inference_files import write
from tests.support.jobs import LUCY, object_job, text_job
from tests.support.openai_server import OpenAIStub, Reply

BACKENDS = """
[one]
endpoint = "{url}"
api_key  = "${{ONE_KEY:-first-key-123456}}"
[two]
endpoint = "{url}"
api_key  = "${{TWO_KEY:-second-key-123456}}"
"""
ROUTING = 'active = "p"\n[profiles.p]\ndescription = "d"\nfallback_order = ["one", "two"]\n'
DECK = """
[llm.aliases]
best = "~both"
[llm.waterfalls]
both = ["first", "second"]
[llm.choice_defaults]
for_text = "@best"
for_object = "@best"
"""
CHOICE = ModelChoice(family="llm")


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as server:
        yield server


def files(folder: Path, url: str = "http://127.0.0.1:9/v1", first: str = 'sdk = "openai"', backends: str = "") -> Path:
    return write(
        folder / "inference",
        backends=backends or BACKENDS.format(url=url),
        backends__one=f"[first]\n{first}\n",
        backends__two='[second]\nsdk = "openai"\n',
        routing_profiles=ROUTING,
        deck__1=DECK,
    )


@pytest.fixture
def without_anthropic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)


def test_every_client_says_how_it_is_installed(without_anthropic: None):
    assert not is_callable("llm", "anthropic")
    assert not is_callable("llm", "opanai")
    assert is_callable("llm", "openai")
    assert how_to_install("llm", "anthropic") == install_command("anthropic")
    assert how_to_install("llm", "openai") is None
    assert {each.extra for each in BUILT_IN if each.modules} == {
        "anthropic", "bedrock", "bedrock,anthropic", "documents", "google", "groq", "huggingface", "mistral",
    }  # fmt: skip


def test_a_client_that_there_is_not_is_a_fault(tmp_path: Path):
    deck = ModelDeck.load([files(tmp_path, first='sdk = "opanai"')], {})
    (fault,) = deck.check(ModelChoice(family="llm", choice="first"))
    assert (fault.code, fault.severity, fault.params["reason"]) == ("model.unavailable", "error", "sdk_unknown")
    assert "openai" in fault.suggestions


@pytest.mark.slow
def test_looking_for_a_client_imports_nothing():
    """A workflow asks it, too, and is warned of what it imports."""
    script = (
        "import sys; from pipelex.inference.providers import BUILT_IN\n"
        "before = set(sys.modules); print(*(each.is_installed for each in BUILT_IN))\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    installed, imported = ended.stdout.splitlines()
    assert set(installed.split()) == {"True"}
    assert imported == ""


@pytest.mark.usefixtures("without_anthropic")
def test_a_waterfall_passes_over_a_client_that_is_not_installed(tmp_path: Path):
    deck = ModelDeck.load([files(tmp_path, first='sdk = "anthropic"')], {})
    assert deck.resolve(CHOICE).handle == "second"
    (fault,) = deck.check(ModelChoice(family="llm", choice="first"))
    assert (fault.severity, fault.params["reason"]) == ("warning", "client_missing")
    assert install_command("anthropic") in fault.detail


def test_the_first_of_a_waterfall_whose_client_is_installed(tmp_path: Path):
    deck = ModelDeck.load([files(tmp_path, first='sdk = "anthropic"')], {})
    assert deck.resolve(CHOICE).handle == "first"
    assert deck.check(ModelChoice(family="llm", choice="first")) == []


@pytest.mark.usefixtures("without_anthropic")
async def test_a_call_without_the_client_names_the_extra(tmp_path: Path):
    service = Inference.load([files(tmp_path, first='sdk = "anthropic"')], {})
    with pytest.raises(PipelexError) as caught:
        await service.chat.generate_text(text_job("?").model_copy(update={"model": model(service, "first")}))
    report = caught.value.report
    assert (report.code, report.category) == ("runtime.unsupported", ErrorCategory.CONFIGURATION)
    assert install_command("anthropic") in (report.advice or "")


def model(service: Inference, choice: str | None = None):
    return service.resolve(ModelChoice(family="llm", choice=choice))


def test_shipped_models_go_through_the_makers_client_or_the_compatible_endpoint(monkeypatch: pytest.MonkeyPatch):
    deck = ModelDeck.load([], {"ANTHROPIC_API_KEY": "k"})
    resolved = deck.resolve(ModelChoice(family="llm", choice="claude-4.5-haiku"))
    assert (resolved.backend, deck.entry(resolved).table.sdk) == ("anthropic", "anthropic")
    monkeypatch.setitem(sys.modules, "anthropic", None)
    assert deck.entry(resolved).table.sdk == "openai"


# --- credentials elsewhere --------------------------------------------------------------------------------------------

KEYLESS = '[one]\napi_key = "${ONE_KEY}"\n[two]\napi_key = "${TWO_KEY}"\n'


@pytest.mark.parametrize(
    ("elsewhere", "handle"), [(False, "first"), (True, "first"), (["one"], "first"), (["two"], "second")]
)
def test_a_backend_whose_key_is_elsewhere_counts_as_ready(tmp_path: Path, elsewhere: bool | list[str], handle: str):
    deck = ModelDeck.load([files(tmp_path, backends=KEYLESS)], {}, assume_credentials=elsewhere)
    assert deck.resolve(CHOICE).handle == handle
    assert bool(deck.check(CHOICE)) is (elsewhere is False)


@pytest.mark.usefixtures("without_anthropic")
def test_a_client_may_be_elsewhere_too(tmp_path: Path):
    folder = files(tmp_path, first='sdk = "anthropic"', backends=KEYLESS)
    assert ModelDeck.load([folder], {"TWO_KEY": "k"}).resolve(CHOICE).handle == "second"
    assert ModelDeck.load([folder], {"TWO_KEY": "k"}, assume_credentials=True).resolve(CHOICE).handle == "first"


def test_a_backend_that_there_is_not(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="'opne'") as caught:
        ModelDeck.load([files(tmp_path)], {}, assume_credentials=["opne"])
    assert "one" in (caught.value.report.advice or "")


async def test_what_is_elsewhere_cannot_be_called_from_here(tmp_path: Path):
    service = Inference.load([files(tmp_path, backends=KEYLESS)], {}, assume_credentials=True)
    with pytest.raises(PipelexError, match="ONE_KEY"):
        await service.chat.generate_text(text_job("?").model_copy(update={"model": model(service)}))


# --- when a provider fails --------------------------------------------------------------------------------------------


def failing(folder: Path, url: str, *, fallback: bool = True) -> Inference:
    return Inference(ModelDeck.load([files(folder, url)], {}, fallback_on_failure=fallback))


async def asked(service: Inference, user: str = "anything") -> str:
    result = await service.chat.generate_text(text_job(user).model_copy(update={"model": model(service)}))
    return f"{result.text} by {result.usage.handle}"


def test_stand_ins_travel_only_when_wanted(tmp_path: Path):
    plain = failing(tmp_path, "http://127.0.0.1:9/v1", fallback=False)
    assert "fallbacks" not in model(plain).model_dump(exclude_unset=True)
    assert model(failing(tmp_path, "http://127.0.0.1:9/v1")).fallbacks == (ModelTarget(handle="second", backend="two"),)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_the_next_one_is_asked_when_a_provider_fails(
    stub: OpenAIStub, tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
):
    stub.on("anything", Reply(status=status), Reply(text="Here"))
    service = failing(tmp_path, stub.url)

    with caplog.at_level(logging.WARNING, "pipelex.inference"):
        assert await asked(service) == "Here by second"
    await service.aclose()

    assert [request.body["model"] for request in stub.completions] == ["first", "second"]
    assert "'first'" in caplog.text


async def test_nobody_else_is_asked_unless_the_settings_say_so(stub: OpenAIStub, tmp_path: Path):
    stub.on("anything", Reply(status=500), Reply(text="Here"))
    service = failing(tmp_path, stub.url, fallback=False)

    with pytest.raises(PipelexError):
        await asked(service)
    await service.aclose()

    assert len(stub.completions) == 1


@pytest.mark.parametrize(
    "reply",
    [Reply(status=400), Reply(text="", finish_reason="content_filter"), Reply(text="cut", finish_reason="length")],
)
async def test_what_is_wrong_with_the_request_is_not_asked_elsewhere(stub: OpenAIStub, tmp_path: Path, reply: Reply):
    stub.on("anything", reply)
    service = failing(tmp_path, stub.url)

    with pytest.raises(PipelexError) as caught:
        await asked(service)
    await service.aclose()

    assert caught.value.report.category is ErrorCategory.CONTENT
    assert len(stub.completions) == 1


async def test_a_failure_that_may_pass_is_the_one_that_counts(stub: OpenAIStub, tmp_path: Path):
    stub.on("anything", Reply(status=401), Reply(status=503))
    service = failing(tmp_path, stub.url)

    with pytest.raises(PipelexError) as caught:
        await asked(service)
    await service.aclose()

    assert (caught.value.code, caught.value.report.is_retryable) == ("provider.unavailable", True)


async def test_a_stand_in_for_an_object(stub: OpenAIStub, tmp_path: Path):
    stub.on("boat", Reply(status=500), Reply(object=LUCY))
    service = failing(tmp_path, stub.url)

    result = await service.chat.generate_object(object_job("boat").model_copy(update={"model": model(service)}))
    await service.aclose()

    assert (result.content, result.usage.handle) == (LUCY, "second")
