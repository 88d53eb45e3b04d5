import json

import pytest

from pipelex.config import load_settings
from tests.cli.conftest import Cli
from tests.support.openai_server import OpenAIStub

ROUTES = """
[temporal.activity_queues.act_llm_gen_text]
default = "text_q"
by_backend.openai = "openai_q"
handle_options.stub.start_to_close_timeout = "0:30:00"

[temporal.queue_options.text_q]
[temporal.queue_options.openai_q]
retry_policy_config.maximum_attempts = 7
"""


def test_config_show_says_where_values_come_from(cli: Cli) -> None:
    text = cli("config", "show", "temporal.worker_config", "--origin").out
    found = json.loads(cli("config", "show", "--json").out)

    (line,) = [line for line in text.splitlines() if "default_task_queue" in line]
    assert line.startswith('temporal.worker_config.default_task_queue = "tests"')
    assert ".pipelex/pipelex.toml:" in line
    assert found["run.execution"] == {"value": "local", "origin": "default"}
    assert found["(temporal connection).target_host"]["value"] == "127.0.0.1:1"


def test_a_variable_of_temporal_shows_in_the_connection(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "elsewhere:7233")

    found = json.loads(cli("config", "show", "--json").out)

    assert found["(temporal connection).target_host"] == {
        "value": "elsewhere:7233", "origin": "environment variable TEMPORAL_ADDRESS",
    }  # fmt: skip


def test_routes_are_those_a_dispatch_would_take(cli: Cli) -> None:
    settings = cli.root / ".pipelex" / "pipelex.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + ROUTES, encoding="utf-8")

    def routes(*options: str) -> list[dict[str, object]]:
        return json.loads(cli("temporal", "routes", "--json", *options).out)["routes"]

    (route,) = routes("--activity", "act_llm_gen_text", "--handle", "stub")
    assert (route["backend"], route["queue"], route["start_to_close"], route["maximum_attempts"]) == (
        "openai", "openai_q", "0:30:00", "7",
    )  # fmt: skip
    text_routes = routes("--activity", "act_llm_gen_text")
    assert [row["queue"] for row in text_routes] == ["text_q", "openai_q", "openai_q"]
    assert len(routes()) > 10
    assert "text_q" in cli("temporal", "routes").out
    assert cli("temporal", "routes", "--activity", "act_llm_gen_txt").code == 2


def test_models_are_those_that_can_be_called(cli: Cli) -> None:
    ready = json.loads(cli("models", "--type", "llm", "--json").out)["models"]
    table = cli("models", "--type", "llm").out

    assert {"name": "stub", "type": "llm", "model": "stub", "backend": "openai", "status": "ready"} in ready
    assert {"name": "@stub", "type": "llm", "model": "stub", "backend": "openai", "status": "ready"} in ready
    assert all(model["status"] == "ready" for model in ready)
    assert "stub-native" in table


def test_the_models_of_a_backend(cli: Cli) -> None:
    found = json.loads(cli("show", "models", "openai", "--json").out)["models"]
    handles = [model["handle"] for model in found]
    assert handles
    assert cli("show", "models", "openai", "--flat").out.splitlines() == handles
    assert handles[0] in cli("show", "models", "openai").out

    unknown = cli("show", "models", "opnai")
    assert isinstance(unknown.code, int)
    assert unknown.code != 0


def test_backends_name_the_variables_they_lack(cli: Cli) -> None:
    backends = cli.root / ".pipelex" / "inference" / "backends.toml"
    backends.write_text(
        backends.read_text(encoding="utf-8")
        + '[other]\nendpoint = "http://127.0.0.1:1"\napi_key = "${OTHER_KEY_OF_TESTS}"\n',
        encoding="utf-8",
    )

    found = {backend["name"]: backend for backend in json.loads(cli("show", "backends", "--json").out)["backends"]}

    assert found["openai"]["ready"] is True
    assert (found["other"]["ready"], found["other"]["missing"]) == (False, ["OTHER_KEY_OF_TESTS"])
    assert "needs OTHER_KEY_OF_TESTS" in cli("show", "backends").out


def test_doctor_is_content_with_a_working_project(cli: Cli) -> None:
    ended = cli("doctor", "--json")

    found = json.loads(ended.out)
    assert (ended.code, found["healthy"]) == (0, True), found
    details = {check["subject"]: check["detail"] for check in found["checks"]}
    assert details["default model for text"] == "stub of openai"
    assert details["temporal"] == "off; runs are in-process"


def test_doctor_asks_backends_whether_they_answer(cli: Cli, stub: OpenAIStub) -> None:
    asked = json.loads(cli("doctor", "--json").out)["checks"]
    details = {check["subject"]: check["detail"] for check in asked}
    assert details["backend openai"].startswith("answers, serves 1 of 5 language models; not stub-json")

    stub.api_key = "another"
    refused = cli("doctor")
    assert refused.code == 1
    assert "✗ backend openai: refuses the key (status 401)" in refused.out

    stub.close()
    silent = cli("doctor")
    assert silent.code == 1
    assert "✗ backend openai: does not answer (ConnectError)" in silent.out


def test_doctor_finds_a_broken_deck(cli: Cli) -> None:
    (cli.root / ".pipelex/inference/routing_profiles.toml").write_text(
        'active = "none"\n[profiles]\n', encoding="utf-8"
    )

    ended = cli("doctor")

    assert ended.code == 1
    assert "✗ models: " in ended.out


def test_init_writes_settings_that_change_nothing(cli: Cli) -> None:
    (cli.root / ".pipelex/pipelex.toml").unlink()

    first = cli("init", "config", "--local")
    settings = load_settings(cwd=cli.root, environ=cli.project.environ)
    plain = load_settings(cwd=cli.root / "..", environ=cli.project.environ)

    assert first.out.startswith("wrote")
    assert settings.warnings == ()
    assert settings.values == plain.values
    assert cli("init", "config", "--local").out.startswith("kept")


def test_init_keeps_what_is_there_unless_forced(cli: Cli) -> None:
    own = cli.root / ".pipelex/inference/backends.toml"
    before = own.read_text(encoding="utf-8")

    kept = cli("init", "inference", "--local").out
    assert own.read_text(encoding="utf-8") == before
    assert f"kept     {own.relative_to(cli.root)}  (differs from the packaged one)" in kept

    assert "replaced" in cli("init", "inference", "--local", "--force").out
    assert own.read_text(encoding="utf-8") != before


def test_init_makes_the_home_configuration(cli: Cli) -> None:
    assert cli("init").code == 0

    home = cli.root / "home" / ".pipelex"
    assert (home / "pipelex.toml").is_file()
    assert (home / "inference" / "deck" / "1_llm.toml").is_file()
