import json
from pathlib import Path
from typing import Any

import pytest

from pipelex.config import load_settings
from pipelex.inference import ModelDeck
from pipelex.inference.health import ask
from tests.cli.conftest import Cli
from tests.support.http_stub import Answer, Received, http_stub
from tests.support.inference_files import write
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

    assert {
        "name": "stub",
        "type": "llm",
        "model": "stub",
        "backend": "openai",
        "status": "ready",
        "stands_in": False,
    } in ready
    assert {
        "name": "@stub",
        "type": "llm",
        "model": "stub",
        "backend": "openai",
        "status": "ready",
        "stands_in": False,
    } in ready
    assert all(model["status"] == "ready" for model in ready)
    assert "stub-native" in table


def test_models_are_found_by_a_part_of_their_name(cli: Cli) -> None:
    found = json.loads(cli("models", "STUB-nat", "--json").out)["models"]
    assert found
    assert all("stub-nat" in (row["name"] + " " + row["model"]).lower() for row in found)
    every = json.loads(cli("models", "claude", "--json").out)["models"]
    assert {row["status"] for row in every} != {"ready"}, "those that lack a key are listed as well"
    assert "claude" in cli("models", "claude").out


def test_the_models_of_a_backend(cli: Cli) -> None:
    found = json.loads(cli("show", "models", "openai", "--json").out)["models"]
    handles = [model["handle"] for model in found]
    assert handles
    assert cli("show", "models", "openai", "--flat").out.splitlines() == handles
    assert handles[0] in cli("show", "models", "openai").out

    unknown = cli("show", "models", "opnai")
    assert isinstance(unknown.code, int)
    assert unknown.code != 0


def test_backends_name_the_variables_they_lack(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
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
    assert details["backend openai"].startswith("answers, serves 1 of 5 language models; missing: stub-json")

    stub.api_key = "another"
    refused = cli("doctor")
    assert refused.code == 1
    assert "! backend openai: refuses the key (status 401)" in refused.out

    stub.close()
    silent = cli("doctor")
    assert silent.code == 1
    assert "! backend openai: does not answer: no connection to 'openai' could be made" in silent.out


def test_doctor_finds_a_broken_deck(cli: Cli) -> None:
    (cli.root / ".pipelex/inference/routing_profiles.toml").write_text(
        'active = "none"\n[profiles]\n', encoding="utf-8"
    )

    ended = cli("doctor")

    assert ended.code == 1
    assert "! models: " in ended.out


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
    assert f"kept     {own.relative_to(cli.root)}  (differs" in kept

    assert "replaced" in cli("init", "inference", "--local", "--force").out
    assert own.read_text(encoding="utf-8") != before


# --- backends that are not what they seem -----------------------------------------------------------------------------


def backend_check(cli: Cli, name: str) -> dict[str, Any]:
    checks = json.loads(cli("doctor", "--json").out)["checks"]
    return next(check for check in checks if check["subject"] == f"backend {name}")


def add_backend(cli: Cli, text: str) -> None:
    file = cli.root / ".pipelex" / "inference" / "backends.toml"
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.parametrize(
    ("table", "state", "detail"),
    [
        ('endpoint = "{root}/v1"\napi_key = "${{NOT_SET_HERE}}"\nmodels = ["m"]', "off", "NOT_SET_HERE not set"),
        ('endpoint = "{root}/v1"\napi_key = "k"\nmodels = ["stub"]', "ok", "answers, serves 1 of 1"),
        ('endpoint = "{root}/v1"\napi_key = "k"\nmodels = ["m"]', "issue", "serves 0 of 1 language models; missing: m"),
        ('endpoint = "{root}/v1"\napi_key = "k"', "ok", "answers; none of its language models is enabled"),
        ('endpoint = "http://127.0.0.1:1/v1"\nmodels = ["m"]', "issue", "does not answer"),
        ('sdk = "azure_openai"\nendpoint = "{root}"\napi_key = "k"\nmodels = ["m"]', "issue", "needs 'api_version'"),
        ('sdk = "azure_openai"\napi_key = "k"\nmodels = ["m"]', "issue", "needs 'endpoint' in backends.toml"),
        ('sdk = "azure_openai"\nendpoint = "{root}"\napi_version = "1"\napi_key = "k"\nmodels = ["m"]', "ok", "ready, not asked"),
        ('sdk = "azure_openai"\nendpoint = "{root}/openai/v1"\napi_key = "k"\nmodels = ["m"]', "ok", "ready, not asked"),
    ],
)  # fmt: skip
def test_doctor_tells_what_a_backend_is_worth(cli: Cli, stub: OpenAIStub, table: str, state: str, detail: str) -> None:
    add_backend(cli, f"[mine]\n{table.format(root=stub.root)}\n")
    if "models" not in table:
        models = cli.root / ".pipelex" / "inference" / "backends" / "mine.toml"
        models.write_text("[m]\nenabled = false\nsdk = 'openai'\n", encoding="utf-8")
    check = backend_check(cli, "mine")
    assert (check["state"], detail in check["detail"]) == (state, True), check
    assert "backends.toml:" in check["detail"]


def test_an_address_where_no_models_are_served_is_no_health(cli: Cli, stub: OpenAIStub) -> None:
    stub.lists_models = False
    check = backend_check(cli, "openai")
    assert (check["state"], "status 404: no language models are served there" in check["detail"]) == ("issue", True)


async def test_a_service_that_lists_no_models_answers_all_the_same(tmp_path: Path) -> None:
    def answer(request: Received) -> Answer:
        return Answer(status=404) if request.method == "GET" else Answer.of_json({"error": {}}, 400)

    async with http_stub(answer) as stub:
        directory = write(tmp_path, backends=f'[mine]\nendpoint = "{stub.url}/v1"\nmodels = ["m"]\n')
        found = await ask([ModelDeck.load([directory], {}).catalog.backends["mine"]])
    assert (found["mine"].is_well, found["mine"].detail) == (True, "answers, but lists no models")


def test_doctor_names_every_file_in_force(cli: Cli) -> None:
    users = cli.root / "home" / ".pipelex"
    (users / "inference" / "deck").mkdir(parents=True)
    (users / "pipelex.toml").write_text("[run]\n", encoding="utf-8")
    (users / "inference" / "backends.toml").write_text("[xai]\nenabled = false\n", encoding="utf-8")
    (cli.root / ".env").write_text("A=b\n", encoding="utf-8")
    details = [check["detail"] for check in json.loads(cli("doctor", "--json").out)["checks"]]
    for file, whose in [
        (users / "pipelex.toml", "yours"),
        (cli.root / ".pipelex" / "pipelex.toml", "the project's"),
        (cli.root / ".env", "the project's"),
        (users / "inference" / "backends.toml", "yours"),
        (cli.root / ".pipelex" / "inference" / "backends" / "openai.toml", "the project's"),
    ]:
        assert f"{file} ({whose})" in details
    assert not any("xai" in detail and "not set" in detail for detail in details)


def test_an_address_of_a_variable_is_told(cli: Cli, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_BASE_URL", stub.url)
    monkeypatch.setenv("GROQ_API_KEY", "k")
    assert "address from GROQ_BASE_URL" in backend_check(cli, "groq")["detail"]


def test_names_that_a_model_only_stands_in_for_are_one_line(cli: Cli, stub: OpenAIStub) -> None:
    add_backend(cli, f'[mine]\nendpoint = "{stub.url}"\nmodels = ["my-model"]\nis_default = true\n')
    shown = cli("models", "--type", "llm").out
    assert "\nmy-model of mine stands in for " in shown
    assert "~premium  " not in shown
    lines = cli("models", "--type", "llm", "--all").out.splitlines()
    assert any(line.startswith("~premium ") and line.endswith("stands in") for line in lines)
    statuses = [line.split()[-1] for line in lines[1:]]
    assert statuses.index("ready") < statuses.index("in")
    assert "ready" not in statuses[statuses.index("in") :]


def test_models_of_a_server_that_is_not_there_are_left_out(cli: Cli) -> None:
    add_backend(cli, '[mine]\nendpoint = "http://127.0.0.1:1/v1"\nmodels = ["my-model"]\n')
    ended = cli("models", "--type", "llm")
    assert "my-model" not in ended.out
    assert "mine does not answer" in ended.err
    assert "does not answer" in cli("models", "--type", "llm", "--all").out


MISSPELT = """
[temporal.activity_queues.act_llm_gen_text]
by_backend.opnai = "text_q"
handle_options.stubb.start_to_close_timeout = "0:30:00"

[temporal.queue_options.text_q]
"""


@pytest.mark.parametrize(
    "command",
    [
        ("doctor",),
        ("temporal", "routes"),
        ("worker", "--task-queue", "text_q"),
        ("run", "greet.mthds", "-i", "name=Ada", "--durable"),
        ("runs", "list"),
    ],
    ids=lambda command: command[0],
)
def test_routes_of_unknown_models_are_warned_of_by_every_command(cli: Cli, command: tuple[str, ...]) -> None:
    settings = cli.root / ".pipelex" / "pipelex.toml"
    text = "[temporal]\nis_enabled = true\n" + settings.read_text(encoding="utf-8") + MISSPELT
    settings.write_text(text, encoding="utf-8")

    ended = cli.command(*command)

    words = " ".join((ended.out if command == ("doctor",) else ended.err).split())
    for line, said in (
        ("by_backend.opnai", "did you mean 'openai'?"),
        ("handle_options.stubb", "did you mean 'stub'?"),
    ):
        rank = 1 + text.splitlines().index(next(each for each in text.splitlines() if line in each))
        assert f"pipelex.toml:{rank}" in words
        assert said in words


def test_right_routes_are_not_warned_of(cli: Cli) -> None:
    settings = cli.root / ".pipelex" / "pipelex.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + ROUTES, encoding="utf-8")

    ended = cli("temporal", "routes")

    assert (ended.code, ended.err) == (0, "")
