"""Every key of `[temporal]`, and the test that changes it and sees what that does."""

import pytest

from pipelex.temporal.config import TemporalConfig
from tests.support.key_tests import below, compared, find_test

DISPATCH, WORKERS, CONNECTION = "distributed.test_dispatch_effects", "distributed.test_worker_effects", "distributed.test_connection_effects"  # fmt: skip
CODEC = "temporal.test_payload_codec"

RETRY = ("initial_interval", "backoff_coefficient", "maximum_interval", "maximum_attempts")
LIMITS = ("start_to_close_timeout", "schedule_to_close_timeout", "schedule_to_start_timeout", "heartbeat_timeout")
OVERLAY = (
    *LIMITS,
    *(f"retry_policy_config.{key}" for key in (*RETRY, "non_retryable_error_types_extra")),
)
PROFILE = "worker_runtime_profiles.profiles.*"
SCOPE = "worker_scopes.scopes.*"
SERVER = "temporal_config.temporal_server_configs.*"
LOG = "temporal_config.temporal_log_config"


SHOWN_BY: dict[str, tuple[str, ...]] = {
    "distributed.test_hosts:test_files_travel_without_a_shared_disk": ("is_enabled",),
    f"{DISPATCH}:test_the_baseline": below(
        "worker_config",
        "default_activity_start_to_close_timeout",
        "default_activity_heartbeat_timeout",
        *(f"retry_policy_config.{key}" for key in (*RETRY, "non_retryable_error_types")),
    ),
    f"{DISPATCH}:test_the_overlays": (
        *below("queue_options.*", *OVERLAY),
        *below("activity_queues.*.handle_options.*", *OVERLAY),
    ),
    f"{DISPATCH}:test_routes": below("activity_queues.*", "default", "by_handle", "by_backend"),
    f"{DISPATCH}:test_a_more_urgent_queue_table_goes_first": ("queue_options.*.priority_key",),
    f"{DISPATCH}:test_fairness_shares_a_backlog_out": ("worker_config.fairness_by_user",),
    f"{DISPATCH}:test_a_rate_cap": ("queue_options.*.max_task_queue_activities_per_second",),
    "temporal.config.test_connection:test_where_the_ui_is": ("temporal_config.temporal_server_configs.*.ui_url",),
    f"{DISPATCH}:test_dispatch_tracing": (f"{LOG}.is_dispatch_resolution_traced",),
    f"{WORKERS}:test_time_limits_and_queue_of_a_run": below(
        "worker_config",
        "default_task_queue",
        "workflow_execution_timeout",
        "run_timeout",
        "task_timeout",
        "start_delay",
    ),
    "temporal.test_counts:test_pipes_that_run_no_other_need_no_workflow_of_their_own": (
        "worker_config.child_workflow_policy",
    ),
    f"{WORKERS}:test_what_a_scope_registers": (
        "worker_scopes.default_scope",
        *below(
            SCOPE,
            "required_tasks_packs",
            "required_workflows",
            "required_activities",
            "excluded_workflows",
            "excluded_activities",
            "disable_all_workflows",
        ),
    ),
    f"{WORKERS}:test_all_activities_disabled": (f"{SCOPE}.disable_all_activities",),
    f"{WORKERS}:test_the_default_profile": ("worker_runtime_profiles.default_profile",),
    f"{WORKERS}:test_slots_and_pollers_as_the_server_knows_them": below(
        PROFILE,
        "tuning_mode",
        "max_concurrent_workflow_tasks",
        "max_concurrent_local_activities",
        "max_concurrent_workflow_task_polls",
        "max_concurrent_activity_task_polls",
    ),
    f"{WORKERS}:test_how_many_calls_are_in_flight": below(
        PROFILE,
        "max_concurrent_activities",
        "minimum_slots",
        "maximum_slots",
        "target_memory_usage",
        "target_cpu_usage",
    ),
    f"{WORKERS}:test_a_worker_s_own_rate": (f"{PROFILE}.max_activities_per_second",),
    f"{WORKERS}:test_the_workflow_cache": (f"{PROFILE}.max_cached_workflows",),
    f"{WORKERS}:test_the_heartbeat_throttle": (f"{PROFILE}.max_heartbeat_throttle_interval",),
    f"{WORKERS}:test_the_other_heartbeat_throttle_reaches_the_worker": (
        f"{PROFILE}.default_heartbeat_throttle_interval",
    ),
    f"{WORKERS}:test_a_router_that_was_killed_is_waited_for_as_long_as_its_sticky_queue_lasts": (
        f"{PROFILE}.sticky_queue_schedule_to_start_timeout",
    ),
    f"{WORKERS}:test_the_grace_of_a_worker_that_is_stopped": (f"{PROFILE}.graceful_shutdown_timeout",),
    f"{WORKERS}:test_worker_versioning": below(PROFILE, "deployment_name", "build_id", "versioning_behavior"),
    "distributed.test_own_attributes:test_runs_are_found_by_what_they_were_given": below(
        "search_attributes.custom.*", "type", "value", "input"
    ),
    f"{WORKERS}:test_search_attributes_of_a_run": below("search_attributes", "enabled", "attributes"),
    f"{WORKERS}:test_log_lines_of_workflows": below(
        LOG,
        "is_workflow_info_on_message",
        "is_workflow_info_on_extra",
        "is_full_workflow_info_on_extra",
        "is_prefix_enabled",
    ),
    f"{WORKERS}:test_log_lines_of_activities": below(
        LOG, "is_activity_info_on_message", "is_activity_info_on_extra", "is_full_activity_info_on_extra"
    ),
    f"{WORKERS}:test_the_bare_format": (f"{LOG}.is_formatter_enabled",),
    f"{WORKERS}:test_loggers_that_are_not_managed_are_left_alone": (f"{LOG}.managed_loggers",),
    f"{CONNECTION}:test_the_selected_server": (
        "temporal_config.selected_server",
        *below(SERVER, "target_host", "description"),  # a description is shown, and does nothing
    ),
    f"{CONNECTION}:test_a_wrong_namespace": (f"{SERVER}.namespace",),
    f"{CONNECTION}:test_an_api_key": below(SERVER, "api_key_method", "api_key_id"),
    f"{CONNECTION}:test_mutual_tls": below(SERVER, "tls.client_cert", "tls.client_private_key"),
    f"{CONNECTION}:test_the_root_and_the_name_are_checked": below(
        SERVER, "tls.enabled", "tls.server_name", "tls.server_root_ca_cert"
    ),
    f"{CONNECTION}:test_the_rpc_timeout": ("worker_config.rpc_timeout",),
    "distributed.test_cancelled_calls:test_looks_are_a_setting": ("worker_config.cancellation_check_interval",),
    f"{CODEC}:test_what_is_stored_is_encrypted_and_stored_once": below(
        "payload_codec_config",
        "size_threshold",
        "storage_prefix",
        "storage_provider_config.local",
        "encryption.key_id",
        "encryption.key_env",
    ),
    f"{CODEC}:test_what_a_former_key_encrypted_can_be_read": ("payload_codec_config.encryption.decrypt_keys",),
    f"{CODEC}:test_plain_payloads_are_refused_where_encryption_is_required": (
        "payload_codec_config.encryption.is_required",
    ),
    f"{CODEC}:test_what_becomes_larger_than_the_limit_is_refused": ("payload_codec_config.max_payload_bytes",),
    f"{CODEC}:test_long_payloads_are_compressed_before_they_are_encrypted": below(
        "payload_codec_config", "is_enabled", "compression"
    ),
}
BY_STORES = below("payload_codec_config.storage_provider_config", "method", "s3", "gcs", "azure")
"""The tables of `[runtime.storage]`, whose tests are those of the stores."""


def test_no_key_is_without_a_test() -> None:
    assert compared(TemporalConfig, SHOWN_BY, BY_STORES) == (set(), set())


@pytest.mark.parametrize("test", SHOWN_BY)
def test_these_tests_are_there(test: str) -> None:
    assert callable(find_test(test))
