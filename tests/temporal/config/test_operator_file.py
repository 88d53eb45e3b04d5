from datetime import timedelta
from pathlib import Path

import pytest

from pipelex.durable.dispatch import resolve_dispatch
from pipelex.durable.dispatch.options import NON_RETRYABLE_ERROR_TYPES, START_TO_CLOSE
from pipelex.errors import TemporalConfigError
from pipelex.temporal.config import TemporalConfig, parse_temporal_config
from pipelex.temporal.worker.profiles import FixedSlots, ResourceSlots, worker_tuning
from pipelex.temporal.worker.scopes import resolve_scope
from tests.support.settings_files import Loader


def test_the_whole_file_is_read(operator: TemporalConfig) -> None:
    assert operator.is_enabled
    assert operator.server.target_host == "eu-west-1.aws.api.temporal.io:7233"
    assert operator.server.namespace == "ns.a1"
    assert operator.worker_config.default_task_queue == "temporal_task_queue"
    assert operator.worker_config.workflow_execution_timeout == timedelta(hours=6)
    assert NON_RETRYABLE_ERROR_TYPES.baseline_value(operator.worker_config) == (
        "LLMPromptParameterError",
        "ModelUnknown",
    )
    assert operator.activity_queues["act_llm_gen_text"].by_handle == {
        "claude-sonnet": "anthropic_q",
        "gpt-5.4": "premium_q",
    }
    assert operator.queue_options["openai_q"].max_task_queue_activities_per_second == 20.0
    assert operator.search_attributes.attributes == ("PipeCode", "PipelineRunId")
    assert operator.payload_codec_config.storage_provider_config.s3 == {"bucket": "b", "region": "eu-west-1"}


def test_its_workers_are_tuned_and_scoped(operator: TemporalConfig) -> None:
    tuning = worker_tuning(operator)
    assert tuning.slots == FixedSlots(1000, 1000, 1000)
    assert (tuning.workflow_task_polls, tuning.activity_task_polls) == (100, 100)
    assert tuning.max_activities_per_second == 1000.0
    assert worker_tuning(operator, "ocr").slots == ResourceSlots(0.7, 0.9, 1, 8)
    scope = resolve_scope(operator)
    assert scope.name == "office"
    assert len(scope.workflows) == 13
    assert "act_func_call" not in scope.activities
    assert "act_llm_gen_text" in scope.activities


def test_its_warnings_are_what_is_former(operator: TemporalConfig) -> None:
    found = {(fault.location.field, fault.detail.partition(": ")[2].split(" ")[0]) for fault in operator.warnings}
    worker = "temporal.worker_config"
    log = "temporal.temporal_config.temporal_log_config"
    assert {
        (f"{worker}.task_queue", "is"),
        (f"{worker}.activity_queues", "is"),
        (f"{worker}.activity_queues.act_dry_validate", "has"),
    } <= found
    assert {(f"{log}.{key}", "has") for key in ("managed_loggers", "is_dispatch_resolution_traced")}.isdisjoint(found)
    assert all(fault.location.line for fault in operator.warnings)


# --- a file of an earlier release -------------------------------------------------------------------------------------

EXISTING = (Path(__file__).parent / "existing.toml").read_text(encoding="utf-8")


def test_a_file_of_an_earlier_release_loads_with_warnings_only(load: Loader) -> None:
    config = parse_temporal_config(load(EXISTING))

    worker, scopes = "temporal.worker_config", "temporal.worker_scopes.scopes"
    found = [fault for fault in config.warnings if ".payload_codec_config." not in str(fault.location.field)]
    assert [fault.location.field for fault in found] == [
        f"{worker}.task_queue",
        f"{worker}.activity_queues",
        f"{worker}.activity_queues.act_search_gen_structured",
        f"{worker}.activity_queues.act_assemble_tracing",
        f"{worker}.activity_queues.act_flush_trace_events",
        f"{worker}.activity_queues.act_dry_validate",
        f"{scopes}.runner.required_activities",
        f"{scopes}.runner.required_activities",
        f"{scopes}.runner-search.required_activities",
    ]
    assert all(fault.severity == "warning" and fault.location.line for fault in config.warnings)


def test_and_means_what_it_meant(load: Loader) -> None:
    config = parse_temporal_config(load(EXISTING))

    images = resolve_dispatch(config.routing, activity="act_img_gen_images", handle="any")
    assert (images.queue, images[START_TO_CLOSE]) == ("images", timedelta(minutes=20))
    assert resolve_dispatch(config.routing, activity="act_llm_gen_text", handle="any").queue == "temporal_task_queue"
    assert config.worker_config.workflow_execution_timeout == timedelta(minutes=30)
    tuning = worker_tuning(config)
    assert tuning.slots == FixedSlots(1000, 1000, 1000)
    assert (tuning.workflow_task_polls, tuning.activity_task_polls, tuning.max_activities_per_second) == (
        100,
        100,
        1000,
    )
    assert resolve_scope(config, "router").activities == ()
    assert resolve_scope(config, "runner-search").activities == ("act_search_gen_sourced_answer",)


def test_variables_of_a_profile_matter_once_it_is_selected(load: Loader) -> None:
    selected = {"temporal.temporal_config.selected_server": "testing"}
    names = ("TESTING_TEMPORAL_TARGET_HOST", "TESTING_TEMPORAL_NAMESPACE", "TESTING_TEMPORAL_MAIN_API_KEY")
    with pytest.raises(TemporalConfigError) as failed:
        parse_temporal_config(load(EXISTING, overrides=selected))
    assert all(f"{name} is not set" in str(failed.value) for name in names)
    settings = load(EXISTING, overrides=selected, environ=dict.fromkeys(names, "given"))
    assert parse_temporal_config(settings).server.namespace == "given"


CODEC = "temporal.payload_codec_config"


@pytest.mark.parametrize("is_temporal_on", [True, False])
def test_its_payload_settings_load_with_the_size_capped(load: Loader, is_temporal_on: bool) -> None:
    text = (
        f"[temporal]\nis_enabled = {str(is_temporal_on).lower()}\n[{CODEC}]\nis_enabled = true\n"
        'size_threshold = 1048576\nstorage_prefix = "temporal-payloads/"\n'
        f'[{CODEC}.storage_provider_config]\nmethod = "s3"\n'
        f'[{CODEC}.storage_provider_config.s3]\nbucket_name = "b"\nregion = "eu-west-1"\n'
        'uri_format = "{primary_id}/{hash}.{extension}"\nsigned_urls_lifespan_seconds = 3600\n'
        f'[{CODEC}.storage_provider_config.local]\nlocal_storage_path = ".pipelex/payloads"\n'
    )
    config = parse_temporal_config(load(text))
    codec = config.payload_codec_config
    assert (codec.size_threshold, codec.storage_prefix) == (262_144, "temporal-payloads")
    assert codec.storage_provider_config.table["bucket"] == "b"
    s3 = f"{CODEC}.storage_provider_config.s3"
    assert [(fault.location.field, fault.location.line) for fault in config.warnings] == [
        (f"{CODEC}.size_threshold", 5),
        (f"{s3}.bucket_name", 10),
        (f"{s3}.uri_format", 12),
        (f"{s3}.signed_urls_lifespan_seconds", 13),
    ]
    assert "262144 is used" in config.warnings[0].detail


def test_a_folder_of_payloads_keeps_its_place(load: Loader) -> None:
    text = f"[{CODEC}.storage_provider_config]\nlocal.local_storage_path = 'payloads'\n"
    config = parse_temporal_config(load(text))
    assert config.payload_codec_config.storage.local.path == "payloads"
    with pytest.raises(TemporalConfigError, match="local_storage_path"):
        parse_temporal_config(load(text.replace("'payloads'", "3")))


def test_a_size_from_a_variable_is_capped_too(load: Loader) -> None:
    text = f"[{CODEC}]\nsize_threshold = '${{SIZE}}'\n"
    assert parse_temporal_config(load(text, environ={"SIZE": "1048576"})).payload_codec_config.size_threshold == 262_144
    assert parse_temporal_config(load(text, environ={"SIZE": "1000"})).payload_codec_config.size_threshold == 1000
