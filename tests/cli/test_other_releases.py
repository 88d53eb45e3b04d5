"""Configuration folders of other releases, by the commands that people type: at most warnings, each with its place."""

from collections.abc import Mapping

import pytest

from tests.cli.conftest import Cli
from tests.inference.deck.test_other_releases import RELEASE_0_35, RELEASE_0_92
from tests.support.inference_files import write
from tests.support.openai_server import OpenAIStub

OF_0_35 = """
[pipelex]
extra_env_files = []
[pipelex.log_config]
default_log_level = "INFO"
[cogt.llm_config]
default_max_images = 20
"""
OF_0_92 = """
[run]
execution = "local"
[inference]
transport_max_retries = 2
[inference.model_deck]
is_model_fallback_enabled = true
missing_presets_reaction = "log"
[inference.llm.effort_to_budget_maps.anthropic]
none = 0
low = 1024
[inference.img_gen.quality_to_steps_maps.flux]
low = 14
medium = 28
high = 56
[inference.templating]
default_templating_style = { tag_style = "xml" }
[interpreter.methods]
fetch_on_miss = true
[interpreter.pipeline_execution]
max_concurrency = 8
is_normalize_data_urls_to_storage = true
[runtime.tracing]
is_enabled = true
"""
FOLDERS = [
    (RELEASE_0_35, OF_0_35, ["pipelex.toml:2:2: pipelex:", "pipelex.toml:6:2: cogt:"]),
    (RELEASE_0_92, OF_0_92, ["interpreter.methods:", "runtime.tracing:"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "settings", "told"), FOLDERS, ids=["0.35", "0.92"])
def test_a_folder_is_used_as_it_is(
    cli: Cli,
    stub: OpenAIStub,
    monkeypatch: pytest.MonkeyPatch,
    folder: Mapping[str, str],
    settings: str,
    told: list[str],
) -> None:
    stub.on(matches=".", text="Welcome")
    monkeypatch.setenv("OPENAI_API_KEY", "key-0123456789")
    configuration = cli.root / ".pipelex"
    for file in configuration.rglob("*.toml"):
        file.unlink()
    write(configuration / "inference", **{name: text.format(url=stub.url) for name, text in folder.items()})
    others = {"pipelex.toml": settings, "telemetry.toml": "[a]\n", "plxt.toml": "[b]\n", ".kit_manifest.json": "{}"}
    for name, text in others.items():
        (configuration / name).write_text(text, encoding="utf-8")

    checked = cli("validate", "greet.mthds")
    assert checked.code == 0, checked.err
    assert [words for words in told if words not in checked.err] == []
    warnings = [line for line in checked.err.splitlines() if "arning" in line or "WARNING" in line]
    assert [line for line in warnings if ".toml" not in line] == []
    ended = cli("run", "greet.mthds", "-i", "name=Ada")
    assert (ended.code, ended.out.strip()) == (0, "Welcome"), ended.err
    assert " openai " in cli("models", "--type", "llm").out
    issues = [line for line in cli("doctor").out.splitlines() if line.startswith("! ")]
    assert all(line.startswith(("! configuration: ", "! models: ", "! backend openai: answers")) for line in issues)
    assert not any(line.count("/inference/") > 1 for line in issues), issues
