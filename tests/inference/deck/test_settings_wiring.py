"""What the settings files say about models reaches whoever resolves and calls them."""

from pathlib import Path
from typing import Protocol

import pytest

from pipelex.errors import ConfigurationError
from pipelex.inference import Inference
from pipelex.pipes.models import ModelChoice, ModelTarget
from pipelex.runner import inference_of
from tests.support.inference_files import write
from tests.support.settings_files import Loader

CHOICE = ModelChoice(family="llm")


class Configured(Protocol):
    def __call__(self, text: str = "", **environ: str) -> Inference: ...


@pytest.fixture
def inference(tmp_path: Path) -> Configured:
    write(
        tmp_path / "work" / ".pipelex" / "inference",
        backends='[one]\napi_key = "${ONE_KEY}"\n[two]\napi_key = "${TWO_KEY}"\n',
        backends__one='[first]\nsdk = "openai"\n',
        backends__two='[second]\nsdk = "openai"\n',
        routing_profiles='active = "p"\n[profiles.p]\ndescription = "d"\nfallback_order = ["one", "two"]\n',
        deck__1='[llm.waterfalls]\nboth = ["first", "second"]\n[llm.choice_defaults]\nfor_text = "~both"\n',
    )

    def of(text: str = "", **environ: str) -> Inference:
        return inference_of(Loader(tmp_path)(text, environ=environ))

    return of


def test_credentials_elsewhere(inference: Configured):
    assert inference(TWO_KEY="k").resolve(CHOICE).handle == "second"
    assert inference("inference.credentials_elsewhere = true", TWO_KEY="k").resolve(CHOICE).handle == "first"
    assert inference("inference.credentials_elsewhere = ['one']", TWO_KEY="k").resolve(CHOICE).handle == "first"


def test_waterfalls_may_be_held_to_their_first_model(inference: Configured):
    settings = "inference.model_deck.is_model_fallback_enabled = false"
    assert inference(settings, TWO_KEY="k").resolve(CHOICE).handle == "first"


@pytest.mark.slow
def test_stand_ins_for_a_failing_provider(inference: Configured):
    settings = "inference.model_deck.is_fallback_on_failure_enabled = true"
    assert inference(ONE_KEY="k", TWO_KEY="k").resolve(CHOICE).fallbacks == ()
    found = inference(settings, ONE_KEY="k", TWO_KEY="k").resolve(CHOICE).fallbacks
    assert found == (ModelTarget(handle="second", backend="two"),)


def test_tokens_of_efforts(inference: Configured):
    settings = "[inference.llm.effort_to_budget_maps.anthropic]\nlow = 2222\n"
    assert inference(settings).options.chat.effort_budgets["anthropic"]["low"] == 2222


@pytest.mark.slow
def test_keys_of_backends_may_be_secrets(inference: Configured, tmp_path: Path):
    backends = tmp_path / "work" / ".pipelex" / "inference" / "backends.toml"
    backends.write_text('[one]\napi_key = "${secret:one-key}"\n[two]\napi_key = "${TWO_KEY}"\n', encoding="utf-8")
    secrets = write(tmp_path / "home" / ".pipelex", secrets='one-key = "from file"\n') / "secrets.toml"
    secrets.chmod(0o600)
    assert inference().deck.catalog.backends["one"].table.api_key == "from file"
    assert inference(ONE_KEY="from env").deck.catalog.backends["one"].table.api_key == "from env"

    secrets.unlink()
    assert inference().deck.catalog.backends["one"].missing == ("ONE_KEY",)
    assert inference(TWO_KEY="k").resolve(CHOICE).handle == "second"


def test_presets_that_nothing_serves(inference: Configured, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    key = "inference.model_deck.missing_presets_reaction"
    write(
        tmp_path / "work" / ".pipelex" / "inference",
        deck__2='[llm.presets]\nlost = { model = "third", temperature = 0 }\nfound = { model = "first", temperature = 0 }\n',
        backends__one='[first]\nsdk = "openai"\n[third]\nsdk = "openai"\nenabled = false\n',
    )
    inference(f"{key} = 'none'", ONE_KEY="k")
    assert "third" not in caplog.text
    for _ in range(2):
        inference(ONE_KEY="k")
    (line,) = caplog.messages
    assert "the model 'third' is not available" in line
    assert "2.toml:2" in line
    with pytest.raises(ConfigurationError) as caught:
        inference(f"{key} = 'raise'", ONE_KEY="k")
    (fault,) = caught.value.faults
    assert (fault.location.line, fault.location.field) == (2, "llm.presets.lost")
