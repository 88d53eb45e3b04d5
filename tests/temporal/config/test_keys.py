"""Every key of `[temporal]`: change it, and see the change."""

from datetime import timedelta
from typing import Any, NamedTuple, cast

import pytest

from pipelex.config import known_keys, split_dotted
from pipelex.temporal.config import TemporalConfig, parse_temporal_config
from tests.support.settings_files import Loader


class Change(NamedTuple):
    key: str
    """Below `[temporal]`."""
    written: str
    expected: Any
    with_lines: str = ""
    """What the key needs beside it, below `[temporal]`, too."""


SERVER = "temporal_config.temporal_server_configs.local"
LOG = "temporal_config.temporal_log_config"
RETRY = "worker_config.retry_policy_config"
ROUTES = "activity_queues.act_llm_gen_text"
HANDLE = f"{ROUTES}.handle_options.big"
QUEUE = "queue_options.q"
SCOPE = "worker_scopes.scopes.mine"
PROFILE = "worker_runtime_profiles.profiles.default"
CODEC = "payload_codec_config"
Q = "queue_options.q = {}\n"
MINUTE = timedelta(minutes=1)


def _overlay(table: str) -> list[Change]:
    return [
        Change(f"{table}.start_to_close_timeout", '"1m"', MINUTE),
        Change(f"{table}.schedule_to_close_timeout", '"1m"', MINUTE),
        Change(f"{table}.schedule_to_start_timeout", '"1m"', MINUTE),
        Change(f"{table}.heartbeat_timeout", '"1m"', MINUTE),
        Change(f"{table}.retry_policy_config.initial_interval", '"1m"', MINUTE),
        Change(f"{table}.retry_policy_config.backoff_coefficient", "1.5", 1.5),
        Change(f"{table}.retry_policy_config.maximum_interval", '"1m"', MINUTE),
        Change(f"{table}.retry_policy_config.maximum_attempts", "0", 0),
        Change(
            f"{table}.retry_policy_config.non_retryable_error_types_extra",
            '["ContextWindowExceeded", "provider.timeout"]',
            ("ContextWindowExceeded", "ProviderTimeout"),
        ),
    ]


CHANGES = [
    Change("is_enabled", "true", True),
    Change("temporal_config.selected_server", '"prod"', "prod", f"{SERVER.replace('local', 'prod')}.namespace = 'n'\n"),
    Change(f"{SERVER}.description", '"here"', "here"),
    Change(f"{SERVER}.target_host", '"there:1"', "there:1"),
    Change(f"{SERVER}.ui_url", '"http://there"', "http://there"),
    Change(f"{SERVER}.namespace", '"n"', "n"),
    Change(f"{SERVER}.api_key_method", '"env"', "env", f"{SERVER}.api_key_id = 'K'\n"),
    Change(f"{SERVER}.api_key_id", '"K"', "K"),
    Change(f"{SERVER}.tls.enabled", "false", False),
    Change(f"{SERVER}.tls.server_name", '"s"', "s"),
    Change(f"{SERVER}.tls.server_root_ca_cert", '"ca.pem"', "ca.pem"),
    Change(f"{SERVER}.tls.client_cert", '"c.pem"', "c.pem", f"{SERVER}.tls.client_private_key = 'k'\n"),
    Change(f"{SERVER}.tls.client_private_key", '"c.key"', "c.key", f"{SERVER}.tls.client_cert = 'c'\n"),
    Change(f"{LOG}.is_workflow_info_on_message", "true", True),
    Change(f"{LOG}.is_workflow_info_on_extra", "false", False),
    Change(f"{LOG}.is_full_workflow_info_on_extra", "true", True),
    Change(f"{LOG}.is_activity_info_on_message", "true", True),
    Change(f"{LOG}.is_activity_info_on_extra", "false", False),
    Change(f"{LOG}.is_full_activity_info_on_extra", "true", True),
    Change(f"{LOG}.is_formatter_enabled", "false", False),
    Change(f"{LOG}.is_prefix_enabled", "false", False),
    Change(f"{LOG}.managed_loggers", '["a"]', ("a",)),
    Change(f"{LOG}.is_dispatch_resolution_traced", "true", True),
    Change("worker_config.default_task_queue", '"main"', "main"),
    Change("worker_config.workflow_execution_timeout", '"unlimited"', None),
    Change("worker_config.run_timeout", '"1m"', MINUTE),
    Change("worker_config.task_timeout", '"1m"', MINUTE),
    Change("worker_config.start_delay", '"1m"', MINUTE),
    Change("worker_config.rpc_timeout", '"1m"', MINUTE),
    Change("worker_config.cancellation_check_interval", '"1m"', MINUTE),
    Change("worker_config.default_activity_start_to_close_timeout", '"1m"', MINUTE),
    Change("worker_config.default_activity_heartbeat_timeout", '"1m"', MINUTE),
    Change("worker_config.fairness_by_user", "true", True),
    Change("worker_config.child_workflow_policy", '"controllers"', "controllers"),
    Change(f"{RETRY}.initial_interval", '"1m"', MINUTE),
    Change(f"{RETRY}.backoff_coefficient", "3", 3.0),
    Change(f"{RETRY}.maximum_interval", '"1m"', MINUTE),
    Change(f"{RETRY}.maximum_attempts", "0", 0),
    Change(f"{RETRY}.non_retryable_error_types", '["A", "model.unknown"]', ("A", "ModelUnknown")),
    Change(f"{ROUTES}.default", '"q"', "q", Q),
    Change(f"{ROUTES}.by_handle", '{ "gpt-5.4" = "q" }', {"gpt-5.4": "q"}, Q),
    Change(f"{ROUTES}.by_backend", '{ openai = "q" }', {"openai": "q"}, Q),
    *_overlay(HANDLE),
    *_overlay(QUEUE),
    Change(f"{QUEUE}.max_task_queue_activities_per_second", "2", 2.0),
    Change(f"{QUEUE}.priority_key", "5", 5),
    Change("worker_scopes.default_scope", '"router"', "router"),
    Change(f"{SCOPE}.required_tasks_packs", '["pipe"]', ("pipe",)),
    Change(f"{SCOPE}.required_workflows", '["PipeLLM"]', ("PipeLLM",)),
    Change(f"{SCOPE}.required_activities", '["act_func_call"]', ("act_func_call",)),
    Change(f"{SCOPE}.excluded_workflows", '["PipeLLM"]', ("PipeLLM",)),
    Change(f"{SCOPE}.excluded_activities", '["act_func_call"]', ("act_func_call",)),
    Change(f"{SCOPE}.disable_all_workflows", "true", True),
    Change(f"{SCOPE}.disable_all_activities", "true", True),
    Change("worker_runtime_profiles.default_profile", '"big"', "big", "worker_runtime_profiles.profiles.big = {}\n"),
    Change(f"{PROFILE}.tuning_mode", '"resource_based"', "resource_based"),
    Change(f"{PROFILE}.max_cached_workflows", "5", 5),
    Change(f"{PROFILE}.max_concurrent_workflow_tasks", "5", 5),
    Change(f"{PROFILE}.max_concurrent_activities", "5", 5),
    Change(f"{PROFILE}.max_concurrent_local_activities", "5", 5),
    Change(f"{PROFILE}.max_concurrent_workflow_task_polls", "5", 5),
    Change(f"{PROFILE}.max_concurrent_activity_task_polls", "5", 5),
    Change(f"{PROFILE}.max_activities_per_second", "0.5", 0.5),
    Change(f"{PROFILE}.sticky_queue_schedule_to_start_timeout", '"1m"', MINUTE),
    Change(f"{PROFILE}.max_heartbeat_throttle_interval", '"2m"', 2 * MINUTE),
    Change(f"{PROFILE}.default_heartbeat_throttle_interval", '"1m"', MINUTE),
    Change(f"{PROFILE}.graceful_shutdown_timeout", '"0:00:00"', timedelta(0)),
    *(
        Change(f"{PROFILE}.{key}", written, expected, f"{PROFILE}.tuning_mode = 'resource_based'\n")
        for key, written, expected in (
            ("target_memory_usage", "0.5", 0.5),
            ("target_cpu_usage", "1", 1.0),
            ("minimum_slots", "3", 3),
            ("maximum_slots", "30", 30),
        )
    ),
    Change(f"{PROFILE}.deployment_name", '"d"', "d", f"{PROFILE}.build_id = 'b'\n"),
    Change(f"{PROFILE}.build_id", '"b"', "b", f"{PROFILE}.deployment_name = 'd'\n"),
    Change(
        f"{PROFILE}.versioning_behavior",
        '"auto_upgrade"',
        "auto_upgrade",
        f"{PROFILE}.build_id = 'b'\n{PROFILE}.deployment_name = 'd'\n",
    ),
    Change("search_attributes.enabled", "false", False),
    Change("search_attributes.attributes", '["PipeCode"]', ("PipeCode",)),
    Change("search_attributes.custom.Mine.type", '"Int"', "Int"),
    Change("search_attributes.custom.Mine.value", '"acme"', "acme"),
    Change("search_attributes.custom.Mine.input", '"invoice.customer"', "invoice.customer"),
    Change(f"{CODEC}.is_enabled", "true", True),
    Change(f"{CODEC}.size_threshold", "1000", 1000),
    Change(f"{CODEC}.storage_prefix", '"p"', "p"),
    Change(
        f"{CODEC}.storage_provider_config.method", '"s3"', "s3", f"{CODEC}.storage_provider_config.s3.bucket = 'b'\n"
    ),
    Change(f"{CODEC}.storage_provider_config.local", '{ path = "p" }', {"path": "p"}),
    Change(f"{CODEC}.storage_provider_config.s3", '{ bucket = "p" }', {"bucket": "p"}),
    Change(f"{CODEC}.storage_provider_config.gcs", '{ bucket = "p" }', {"bucket": "p"}),
    Change(f"{CODEC}.storage_provider_config.azure", '{ container = "p" }', {"container": "p"}),
    Change(f"{CODEC}.encryption.key_id", '"k"', "k", f"{CODEC}.encryption.key_env = 'E'\n"),
    Change(f"{CODEC}.encryption.key_env", '"E"', "E", f"{CODEC}.encryption.key_id = 'k'\n"),
    Change(
        f"{CODEC}.encryption.decrypt_keys",
        '{ old = "O" }',
        {"old": "O"},
        f"{CODEC}.encryption.key_id = 'k'\n{CODEC}.encryption.key_env = 'E'\n",
    ),
    Change(
        f"{CODEC}.encryption.is_required",
        "true",
        True,
        f"{CODEC}.encryption.key_id = 'k'\n{CODEC}.encryption.key_env = 'E'\n",
    ),
    Change(f"{CODEC}.compression", '"zstd"', "zstd"),
    Change(f"{CODEC}.max_payload_bytes", "1000000", 1_000_000),
]


def value_at(config: object, key: str) -> Any:
    here: Any = config
    for segment in split_dotted(key):
        here = cast("dict[str, Any]", here)[segment] if isinstance(here, dict) else getattr(here, segment)
    return here


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.key)
def test_a_key_that_is_changed_has_its_effect(load: Loader, change: Change) -> None:
    config = parse_temporal_config(load(f"[temporal]\n{change.with_lines}{change.key} = {change.written}\n"))
    assert value_at(config, change.key) == change.expected
    default = TemporalConfig()
    try:
        before = value_at(default, change.key)
    except (KeyError, AttributeError):
        return
    assert before != change.expected


_NAMES: dict[tuple[str, ...], str] = {
    ("search_attributes", "custom"): "Mine",
    ("temporal_config", "temporal_server_configs"): "local",
    ("activity_queues",): "act_llm_gen_text",
    ("activity_queues", "act_llm_gen_text", "handle_options"): "big",
    ("queue_options",): "q",
    ("worker_scopes", "scopes"): "mine",
    ("worker_runtime_profiles", "profiles"): "default",
}


def _named(path: tuple[str, ...]) -> str:
    found: tuple[str, ...] = ()
    for segment in path:
        found = (*found, _NAMES[found] if segment == "*" else segment)
    return ".".join(found)


def test_no_key_is_forgotten() -> None:
    keys = {_named(path) for path in known_keys(TemporalConfig)}
    tables = {key.rpartition(".")[0] for key in keys} | {".".join(path) for path in _NAMES}
    tested = {change.key for change in CHANGES}
    assert keys - tables - tested == set()


def test_the_packaged_file_and_the_models_agree(load: Loader) -> None:
    config = parse_temporal_config(load())
    assert config == TemporalConfig()
    assert config.warnings == ()


def test_unlimited_is_accepted_where_a_limit_may_be_absent(load: Loader) -> None:
    for key in (
        "run_timeout",
        "rpc_timeout",
        "cancellation_check_interval",
        "default_activity_heartbeat_timeout",
        "retry_policy_config.maximum_interval",
    ):
        for spelling in ("unlimited", "0:00:00"):
            config = parse_temporal_config(load(f'temporal.worker_config.{key} = "{spelling}"\n'))
            assert value_at(config.worker_config, key) is None
