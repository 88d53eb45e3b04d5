"""Every key of `[mistral_workflows]`, and the test that changes it and sees what that does."""

from importlib import import_module

import pytest

from pipelex.mistral_workflows.config import MistralWorkflowsConfig

from tests.support.key_tests import below, compared

EFFECTS, EXPOSED = "test_settings_effects", "test_exposed"
RETRY = ("initial_interval", "backoff_coefficient", "maximum_interval", "maximum_attempts")
OVERLAY = (
    *("start_to_close_timeout", "schedule_to_close_timeout", "schedule_to_start_timeout", "heartbeat_timeout"),
    *(f"retry_policy_config.{key}" for key in (*RETRY, "non_retryable_error_types_extra")),
)

SHOWN_BY: dict[str, tuple[str, ...]] = {
    "tests.mistral_workflows.test_settings:test_one_durable_orchestrator_is_the_default": ("is_enabled",),
    "test_runs:test_a_batch_runs_as_a_tree": ("server_url",),
    f"{EFFECTS}:test_the_key_of_the_api": ("api_key_method", "api_key_id"),
    f"{EFFECTS}:test_the_deployment_of_a_run": ("deployment_name",),
    f"{EFFECTS}:test_a_worker_of_one_call_at_a_time_and_of_a_build": (
        "build_id",
        "worker_config.max_concurrent_activities",
    ),
    f"{EFFECTS}:test_the_longest_time_of_an_execution": ("execution_timeout",),
    f"{EFFECTS}:test_pipes_that_run_no_other": ("child_workflow_policy",),
    f"{EFFECTS}:test_values_that_travel_whole": ("size_threshold", "max_payload_bytes"),
    f"{EFFECTS}:test_how_often_whoever_waits_asks": ("poll_interval",),
    f"{EXPOSED}:test_the_console_is_told_name_description_and_inputs": below(
        "exposed", "libraries", "pipes", "workflow_names"
    ),
    f"{EFFECTS}:test_the_baseline": below(
        "worker_config",
        "default_activity_start_to_close_timeout",
        "default_activity_heartbeat_timeout",
        *(f"retry_policy_config.{key}" for key in (*RETRY, "non_retryable_error_types")),
    ),
    "test_worker:test_a_worker_whose_server_is_gone_ends_in_time": ("worker_config.stop_timeout",),
    f"{EFFECTS}:test_the_overlays": (
        *below("activities.*", *OVERLAY),
        *below("activities.*.handle_options.*", *OVERLAY),
    ),
    f"{EFFECTS}:test_a_backend_is_called_as_often_as_it_may_be": below("rate_limits.*", "max_calls", "per"),
}


def test_no_key_is_without_a_test() -> None:
    assert compared(MistralWorkflowsConfig, SHOWN_BY) == (set(), set())


@pytest.mark.parametrize("test", SHOWN_BY)
def test_these_tests_are_there(test: str) -> None:
    module, _, function = test.partition(":")
    assert callable(getattr(import_module(module), function))
