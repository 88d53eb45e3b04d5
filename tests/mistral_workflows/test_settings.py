"""`[mistral_workflows]` is read strictly; every fault has its place."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from pipelex.config import Settings, load_settings
from pipelex.durable.dispatch import resolve_dispatch
from pipelex.durable.dispatch.options import HEARTBEAT, MAXIMUM_ATTEMPTS, START_TO_CLOSE
from pipelex.errors import ConfigurationError, PipelexError
from pipelex.mistral_workflows.config import (
    ExposedPipes,
    MistralWorkflowsConfig,
    api_key,
    check_backends,
    parse_mistral_config,
)
from pipelex.mistral_workflows.factory import MistralFactory
from pipelex.orchestration import chosen_name


def settings_of(folder: Path, text: str, **environ: str) -> Settings:
    (folder / ".pipelex").mkdir()
    (folder / ".pipelex" / "pipelex.toml").write_text(text, encoding="utf-8")
    return load_settings(cwd=folder, environ={"HOME": str(folder / "home"), "PIPELEX_TRUST_PROJECT": "1", **environ})


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        parse_mistral_config(settings_of(folder, text))
    return [f"{fault.location.field}: {fault.detail}" for fault in refused.value.report.faults]


def test_the_packaged_defaults_are_those_of_the_model(tmp_path: Path) -> None:
    assert parse_mistral_config(settings_of(tmp_path, "")) == MistralWorkflowsConfig()


def test_options_by_activity_by_group_and_by_handle(tmp_path: Path) -> None:
    text = """
[mistral_workflows.worker_config]
default_activity_heartbeat_timeout = "20s"
[mistral_workflows.activities.llm]
start_to_close_timeout = "2m"
[mistral_workflows.activities.act_llm_gen_text]
retry_policy_config.maximum_attempts = 7
handle_options."gpt-4o".start_to_close_timeout = "9m"
"""
    routing = parse_mistral_config(settings_of(tmp_path, text)).routing
    text_call = resolve_dispatch(routing, activity="act_llm_gen_text", handle="other")
    assert (text_call[HEARTBEAT], text_call[START_TO_CLOSE], text_call[MAXIMUM_ATTEMPTS]) == (
        timedelta(seconds=20),
        timedelta(minutes=2),
        7,
    )
    assert resolve_dispatch(routing, activity="act_llm_gen_text", handle="gpt-4o")[START_TO_CLOSE] == timedelta(
        minutes=9
    )
    assert resolve_dispatch(routing, activity="act_llm_gen_object")[MAXIMUM_ATTEMPTS] == 3
    assert resolve_dispatch(routing, activity="act_img_gen_images")[START_TO_CLOSE] == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("execution_timeuot = '1h'", "did you mean 'execution_timeout'?"),
        ("execution_timeout = 'unlimited'", "this limit is needed"),
        ("deployment_name = 'a b'", "must consist of letters, digits"),
        ("deployment_name = ''", "and not be empty"),
        ("deployment_name = 'default'\nbuild_id = 'b7'", "the deployment 'default' has no releases"),
        ("server_url = 'api.mistral.ai'", "begins with https://"),
        ("server_url = 'https://'", "begins with https://"),
        ("server_ulr = 'https://api.mistral.ai'", "did you mean 'server_url'?"),
        ("size_threshold = 2_000_000", "mistral_workflows.size_threshold"),
        ("api_key_id = '${NOT_SET_ANYWHERE}'", "NOT_SET_ANYWHERE is not set"),
        ("activities.act_llm_gen_txt = {}", "did you mean 'act_llm_gen_text'?"),
        ("rate_limits.openai = { max_calls = 0 }", "mistral_workflows.rate_limits.openai.max_calls"),
        ("rate_limits.openai = { max_calls = 9, per = '2h' }", "an hour at most"),
        ("exposed = { pipes = ['a.b'], workflow_names = { 'a.b' = 'a.b' } }", "only letters, digits"),
        ("exposed = { pipes = ['a.*'], workflow_names = { 'a.b' = 'x', 'a.c' = 'x' } }", "that of pipe 'a.b' already"),
        ("exposed = { workflow_names = { 'a.b' = 'x' } }", "not among the exposed ones"),
        ("exposed = { pipes = ['a.b'], workflow_names = { 'a.b' = 'pipelex-run-pipe' } }", "reserved by Pipelex"),
    ],
)
def test_faults(tmp_path: Path, text: str, said: str) -> None:
    assert said in "\n".join(faults_of(tmp_path, f"[mistral_workflows]\n{text}"))


@pytest.mark.parametrize(
    ("backend", "said"), [("opneai", "did you mean 'openai'?"), ("x", "known backends: azure, openai")]
)
def test_a_rate_of_a_backend_that_there_is_none_of(tmp_path: Path, backend: str, said: str) -> None:
    text = f"[mistral_workflows.rate_limits]\nopenai.max_calls = 5\n{backend}.max_calls = 5"
    settings = settings_of(tmp_path, text)
    with pytest.raises(ConfigurationError) as refused:
        check_backends(parse_mistral_config(settings), settings, ["openai", "azure"])
    (fault,) = refused.value.report.faults
    assert fault.location.field == f"mistral_workflows.rate_limits.{backend}"
    assert said in fault.detail


def test_exposed_pipes_by_patterns() -> None:
    exposed = parse_exposed(pipes=("billing.*", "a.b"), workflow_names={"a.b": "mine"})
    assert [pipe for pipe in ("billing.x", "a.b", "a.c") if exposed.takes(pipe)] == ["billing.x", "a.b"]
    assert (exposed.name_of("billing.x"), exposed.name_of("a.b")) == ("pipe-billing--x", "mine")


def parse_exposed(**members: object) -> ExposedPipes:
    return MistralWorkflowsConfig.model_validate({"exposed": members}).exposed


def test_the_key_is_in_a_variable_or_among_the_secrets(tmp_path: Path) -> None:
    text = '[mistral_workflows]\napi_key_method = "secret_provider"\napi_key_id = "mistral-key"'
    settings = settings_of(tmp_path, text, MISTRAL_KEY="a-secret-key")
    assert api_key(parse_mistral_config(settings), settings) == "a-secret-key"
    with pytest.raises(ConfigurationError, match="MISTRAL_API_KEY"):
        api_key(MistralWorkflowsConfig(), settings)


def test_one_durable_orchestrator_is_the_default(tmp_path: Path) -> None:
    text = "[mistral_workflows]\nis_enabled = true\n"
    assert chosen_name(settings_of(tmp_path, text)) == "mistral-workflows"
    both = tmp_path / "both"
    both.mkdir()
    with pytest.raises(PipelexError, match="mistral-workflows and temporal"):
        chosen_name(settings_of(both, text + "[temporal]\nis_enabled = true\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[mistral_workflows]\nis_enabled = false\nbuidl_id = 'x'", "did you mean 'build_id'?"),
        ("[[mistral_workflows]]\nis_enabled = true", "must be a table"),
        ("mistral_workflows = 5", "must be a table"),
    ],
)
def test_the_table_is_read_whatever_runs_methods(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        chosen_name(settings_of(tmp_path, text))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("mistral_workflow", "did you mean 'mistral_workflows'?"),
        ("temporl", "did you mean 'temporal'?"),
        ("other", "known here: run, runtime, inference, interpreter, temporal, mistral_workflows"),
    ],
)
def test_a_table_that_nobody_reads(tmp_path: Path, table: str, said: str) -> None:
    (warning,) = settings_of(tmp_path, f"[{table}]\nis_enabled = true").warnings
    assert said in warning.detail


def test_options_of_unknown_models_are_warned_of(tmp_path: Path) -> None:
    text = """
[mistral_workflows.activities.llm]
handle_options."mistral-larg".start_to_close_timeout = "9m"
handle_options."mistral-large".start_to_close_timeout = "9m"
"""
    found = MistralFactory().warnings(settings_of(tmp_path, text))
    (warning,) = [each for each in found if "handle_options" in each.detail]
    assert (warning.location.line, warning.severity, warning.suggestions) == (3, "warning", ("mistral-large",))
