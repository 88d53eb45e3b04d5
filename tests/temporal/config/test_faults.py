"""What is refused, and where the message points."""

import pytest

from pipelex.errors import ConfigurationError, Fault, TemporalConfigError
from pipelex.temporal.config import parse_temporal_config
from tests.support.settings_files import Loader


def faults(load: Loader, text: str, **environ: str) -> tuple[Fault, ...]:
    settings = load(text, environ=environ)
    with pytest.raises(TemporalConfigError) as caught:
        parse_temporal_config(settings)
    return caught.value.faults


BAD = [
    # unknown keys
    ("[temporal]\nis_enable = true\n", 2, "temporal.is_enable", ("is_enabled",)),
    ("[temporal.worker_confg]\nx = 1\n", 1, "temporal.worker_confg", ("worker_config",)),
    ("[temporal]\ntask_timeout = '1s'\n", 2, "temporal.task_timeout", ("temporal.worker_config.task_timeout",)),
    (
        "[temporal.queue_options.q]\nstart_to_close = '1s'\n",
        2,
        "temporal.queue_options.q.start_to_close",
        ("start_to_close_timeout",),
    ),
    (
        "[temporal.worker_runtime_profiles.profiles.p]\nmax_cached_workflow = 1\n",
        2,
        "temporal.worker_runtime_profiles.profiles.p.max_cached_workflow",
        ("max_cached_workflows",),
    ),
    (
        "[temporal.worker_config.retry_policy_config]\nnon_retryable_error_types_extra = ['A']\n",
        2,
        "temporal.worker_config.retry_policy_config.non_retryable_error_types_extra",
        ("non_retryable_error_types",),
    ),
    (
        "[temporal.queue_options.q.retry_policy_config]\nnon_retryable_error_types = ['A']\n",
        2,
        "temporal.queue_options.q.retry_policy_config.non_retryable_error_types",
        ("non_retryable_error_types_extra",),
    ),
    (
        "[temporal.activity_queues.act_llm_gen_text.handle_options.h]\nretry_policy_config.non_retryable_error_types = ['A']\n",
        2,
        "temporal.activity_queues.act_llm_gen_text.handle_options.h.retry_policy_config.non_retryable_error_types",
        ("non_retryable_error_types_extra",),
    ),
    (
        "[temporal.activity_queues.llm.handle_options.h]\npriority_key = 1\n",
        2,
        "temporal.activity_queues.llm.handle_options.h.priority_key",
        (),
    ),
    # wrong values
    ("[temporal]\nis_enabled = 'yes'\n", 2, "temporal.is_enabled", ()),
    (
        "[temporal.worker_config.retry_policy_config]\nnon_retryable_error_types = 'A'\n",
        2,
        "temporal.worker_config.retry_policy_config.non_retryable_error_types",
        (),
    ),
    ("[temporal.worker_config]\ntask_timeout = 10\n", 2, "temporal.worker_config.task_timeout", ()),
    ("[temporal.worker_config]\ntask_timeout = 1.5\n", 2, "temporal.worker_config.task_timeout", ()),
    ("[temporal.worker_config]\ntask_timeout = 'soon'\n", 2, "temporal.worker_config.task_timeout", ()),
    ("[temporal.worker_config]\ntask_timeout = 'unlimited'\n", 2, "temporal.worker_config.task_timeout", ()),
    ("[temporal.worker_config]\ntask_timeout = '0:00:00'\n", 2, "temporal.worker_config.task_timeout", ()),
    ("[temporal.worker_config]\nstart_delay = 'unlimited'\n", 2, "temporal.worker_config.start_delay", ()),
    ("[temporal.worker_config]\ndefault_task_queue = ''\n", 2, "temporal.worker_config.default_task_queue", ()),
    (
        "[temporal.worker_config.retry_policy_config]\nbackoff_coefficient = 0.5\n",
        2,
        "temporal.worker_config.retry_policy_config.backoff_coefficient",
        (),
    ),
    (
        "[temporal.worker_config.retry_policy_config]\nmaximum_attempts = -1\n",
        2,
        "temporal.worker_config.retry_policy_config.maximum_attempts",
        (),
    ),
    (
        "[temporal.worker_config.retry_policy_config]\nmaximum_interval = '1s'\n",
        2,
        "temporal.worker_config.retry_policy_config.maximum_interval",
        (),
    ),
    (
        "[temporal.queue_options.q.retry_policy_config]\nmaximum_interval = '1s'\n",
        2,
        "temporal.queue_options.q.retry_policy_config.maximum_interval",
        (),
    ),
    ("[temporal.queue_options.q]\npriority_key = 6\n", 2, "temporal.queue_options.q.priority_key", ()),
    (
        "[temporal.queue_options.q]\nmax_task_queue_activities_per_second = 0\n",
        2,
        "temporal.queue_options.q.max_task_queue_activities_per_second",
        (),
    ),
    (
        "[temporal.queue_options.q]\nmax_task_queue_activities_per_second = inf\n",
        2,
        "temporal.queue_options.q.max_task_queue_activities_per_second",
        (),
    ),
    (
        "[temporal.payload_codec_config]\ncompression = 'zst'\n",
        2,
        "temporal.payload_codec_config.compression",
        ("zstd",),
    ),
    (
        "[temporal.payload_codec_config.encryption]\nkey_id = 'k'\n",
        1,
        "temporal.payload_codec_config.encryption.key_env",
        (),
    ),
    (
        "[temporal.payload_codec_config.storage_provider_config]\nlocal.folder = 'p'\n",
        2,
        "temporal.payload_codec_config.storage_provider_config.local.folder",
        (),
    ),
    (
        "[temporal.payload_codec_config.storage_provider_config]\nmethod = 'gcs'\ngcs.buckets = 'b'\n",
        3,
        "temporal.payload_codec_config.storage_provider_config.gcs.buckets",
        ("bucket",),
    ),
    (
        "[temporal.payload_codec_config]\nsize_threshold = 0\n",
        2,
        "temporal.payload_codec_config.size_threshold",
        (),
    ),
    (
        "[temporal.payload_codec_config]\nstorage_prefix = '../x'\n",
        2,
        "temporal.payload_codec_config.storage_prefix",
        (),
    ),
    (
        "[temporal.temporal_config.temporal_server_configs.p]\napi_key_method = 'environment'\n",
        2,
        "temporal.temporal_config.temporal_server_configs.p.api_key_method",
        (),
    ),
    (
        "[temporal.temporal_config.temporal_server_configs.p]\napi_key_method = 'env'\n",
        2,
        "temporal.temporal_config.temporal_server_configs.p.api_key_method",
        (),
    ),
    (
        "[temporal.temporal_config.temporal_server_configs.p]\ntls.client_cert = 'c'\n",
        2,
        "temporal.temporal_config.temporal_server_configs.p.tls",
        (),
    ),
    ("temporal = 3\n", 1, "temporal", ()),
    ("[temporal]\nworker_config = 3\n", 2, "temporal.worker_config", ()),
    # names nothing defines
    (
        "[temporal.temporal_config]\nselected_server = 'locl'\n",
        2,
        "temporal.temporal_config.selected_server",
        ("local",),
    ),
    (
        "[temporal.activity_queues.act_llm_gen_txt]\n",
        1,
        "temporal.activity_queues.act_llm_gen_txt",
        ("act_llm_gen_text",),
    ),
    (
        "[temporal.queue_options.openai_q]\n[temporal.activity_queues.llm]\ndefault = 'openia_q'\n",
        3,
        "temporal.activity_queues.llm.default",
        ("openai_q",),
    ),
    (
        "[temporal.activity_queues.llm]\nby_handle.'gpt-5.4' = 'somewhere'\n",
        2,
        'temporal.activity_queues.llm.by_handle."gpt-5.4"',
        (),
    ),
    (
        "[temporal.activity_queues.llm]\nby_backend.openai = 'somewhere'\n",
        2,
        "temporal.activity_queues.llm.by_backend.openai",
        (),
    ),
    (
        "[temporal.activity_queues.llm]\ndefault = 'temporal_task_queu'\n",
        2,
        "temporal.activity_queues.llm.default",
        ("temporal_task_queue",),
    ),
    (
        "[temporal.worker_scopes]\ndefault_scope = 'runner-lm'\n",
        2,
        "temporal.worker_scopes.default_scope",
        ("runner-llm",),
    ),
    (
        "[temporal.worker_scopes.scopes.x]\nrequired_tasks_packs = ['pipes']\n",
        2,
        "temporal.worker_scopes.scopes.x.required_tasks_packs",
        ("pipe",),
    ),
    (
        "[temporal.worker_scopes.scopes.x]\nrequired_workflows = ['PipeLlm']\n",
        2,
        "temporal.worker_scopes.scopes.x.required_workflows",
        ("PipeLLM",),
    ),
    (
        "[temporal.worker_scopes.scopes.x]\nexcluded_activities = ['act_func_cal']\n",
        2,
        "temporal.worker_scopes.scopes.x.excluded_activities",
        ("act_func_call",),
    ),
    (
        "[temporal.worker_runtime_profiles]\ndefault_profile = 'defualt'\n",
        2,
        "temporal.worker_runtime_profiles.default_profile",
        ("default",),
    ),
    (
        "[temporal.search_attributes]\nattributes = ['PipeCode', 'PipeCod']\n",
        2,
        "temporal.search_attributes.attributes",
        ("PipeCode",),
    ),
    # contradictions
    (
        "[temporal.worker_runtime_profiles.profiles.p]\ntarget_cpu_usage = 0.5\n",
        2,
        "temporal.worker_runtime_profiles.profiles.p.target_cpu_usage",
        (),
    ),
    (
        "[temporal.worker_runtime_profiles.profiles.p]\ntuning_mode = 'resource_based'\nmax_concurrent_activities = 5\n",
        3,
        "temporal.worker_runtime_profiles.profiles.p.max_concurrent_activities",
        (),
    ),
    (
        "[temporal.worker_runtime_profiles.profiles.p]\ntuning_mode = 'resource_based'\nminimum_slots = 9\nmaximum_slots = 3\n",
        3,
        "temporal.worker_runtime_profiles.profiles.p.minimum_slots",
        (),
    ),
    (
        "[temporal.worker_runtime_profiles.profiles.p]\nbuild_id = '1'\n",
        2,
        "temporal.worker_runtime_profiles.profiles.p.build_id",
        (),
    ),
    (
        "[temporal.worker_runtime_profiles.profiles.p]\nversioning_behavior = 'pinned'\n",
        2,
        "temporal.worker_runtime_profiles.profiles.p.versioning_behavior",
        (),
    ),
    (
        "[temporal.worker_config]\ndefault_task_queue = 'a'\ntask_queue = 'b'\n",
        3,
        "temporal.worker_config.task_queue",
        (),
    ),
    (
        "[temporal.worker_config]\nactivity_queues.llm.default = 'temporal_task_queue'\n[temporal.activity_queues.llm]\n",
        2,
        "temporal.worker_config.activity_queues",
        (),
    ),
    # in a place that moved, the place in the file
    (
        "[temporal.worker_config.activity_queues.llm]\ndefalt = 'x'\n",
        2,
        "temporal.worker_config.activity_queues.llm.defalt",
        ("default",),
    ),
    # variables
    ("[temporal.worker_config]\nrun_timeout = '${NOWHERE}'\n", 2, "temporal.worker_config.run_timeout", ()),
]


@pytest.mark.parametrize(
    ("text", "line", "field", "suggestions"), BAD, ids=[f"{case[2]}-{i}" for i, case in enumerate(BAD)]
)
def test_it_is_refused_with_place_and_suggestion(
    load: Loader, text: str, line: int, field: str, suggestions: tuple[str, ...]
) -> None:
    first = faults(load, text)[0]
    assert first.location.field == field
    assert first.location.file == ".pipelex/pipelex.toml"
    assert first.location.line == line
    assert first.suggestions == suggestions
    assert first.severity == "error"


def test_everything_wrong_is_told_at_once(load: Loader) -> None:
    text = (
        "[temporal]\nis_enable = true\n"
        "[temporal.worker_config]\ntask_timeout = 3\n"
        "[temporal.worker_scopes]\ndefault_scope = 'nobody'\n"
        "[temporal.activity_queues.llm]\ndefault = 'nowhere'\n"
    )
    found = faults(load, text)
    assert sorted(fault.location.line or 0 for fault in found) == [2, 4, 6, 8]


def test_the_message_is_for_people(load: Loader) -> None:
    settings = load("[temporal.worker_config]\ntask_timeot = '1s'\n")
    with pytest.raises(TemporalConfigError) as caught:
        parse_temporal_config(settings)
    assert str(caught.value) == (
        ".pipelex/pipelex.toml:2: temporal.worker_config.task_timeot: unknown key 'task_timeot'; "
        "did you mean 'task_timeout'?"
    )
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.code == "runtime.misconfigured"


def test_a_bare_number_is_told_its_spelling(load: Loader) -> None:
    assert 'write "30s"' in faults(load, "temporal.worker_config.rpc_timeout = 30\n")[0].detail


def test_a_handle_with_a_dot_that_is_not_quoted_is_told_so(load: Loader) -> None:
    (route,) = faults(load, "temporal.activity_queues.llm.by_handle.gpt-5.4 = 'q'\n")
    assert 'by_handle."gpt-5.4"' in route.detail
    (options,) = faults(load, "[temporal.activity_queues.llm.handle_options.gpt-5.4]\nheartbeat_timeout = '1s'\n")
    assert 'handle_options."gpt-5.4"' in options.detail


def test_a_flag_that_does_not_fit_has_no_line(load: Loader) -> None:
    settings = load(overrides={"temporal.temporal_config.selected_server": "nobody"})
    with pytest.raises(TemporalConfigError) as caught:
        parse_temporal_config(settings)
    assert caught.value.faults[0].location.file is None
    assert "given as a flag" in str(caught.value)


def test_an_unset_variable_matters_only_in_the_selected_table(load: Loader) -> None:
    text = (
        "[temporal.temporal_config.temporal_server_configs.prod]\ntarget_host = '${PROD_HOST}'\n"
        "[temporal.worker_runtime_profiles.profiles.big]\nmax_cached_workflows = '${CACHE}'\n"
    )
    config = parse_temporal_config(load(text))
    assert config.temporal_config.temporal_server_configs["prod"].target_host == "${PROD_HOST}"
    settings = load(text, overrides={"temporal.temporal_config.selected_server": "prod"})
    with pytest.raises(TemporalConfigError, match="PROD_HOST is not set") as caught:
        parse_temporal_config(settings)
    assert caught.value.report.location.line == 2
    settings = load(text, overrides={"temporal.worker_runtime_profiles.default_profile": "big"})
    with pytest.raises(TemporalConfigError, match="CACHE is not set"):
        parse_temporal_config(settings)


def test_numbers_may_come_from_variables(load: Loader) -> None:
    text = "[temporal.worker_runtime_profiles.profiles.default]\nmax_cached_workflows = '${CACHE}'\n"
    config = parse_temporal_config(load(text, environ={"CACHE": "77"}))
    assert config.worker_runtime_profiles.profiles["default"].max_cached_workflows == 77


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("[temporal.worker_config]\ntask_queue = 'old'\n", 2, "default_task_queue"),
        (
            "[temporal.worker_config.activity_queues.llm]\ndefault = 'temporal_task_queue'\n",
            1,
            "temporal.activity_queues",
        ),
        ("[temporal.activity_queues.act_dry_validate]\n", 1, "older releases"),
        (
            "[temporal.worker_scopes.scopes.s]\nrequired_activities = ['act_flush_trace_events', 'act_func_call']\n",
            2,
            "older releases",
        ),
        (
            "[temporal.worker_scopes.scopes.s]\nrequired_activities = ['act_func_call', 'act_deliver']\n",
            2,
            "'act_deliver'",
        ),
        ("[temporal.activity_queues]\nact_deliver.default = 'temporal_task_queue'\n", 2, "no counterpart"),
        (
            "[temporal.activity_queues.act_jinja2_gen_text]\nby_handle.x = 'temporal_task_queue'\n",
            2,
            "not routed by a handle",
        ),
        (
            "[temporal.activity_queues.act_func_call]\nby_backend.x = 'temporal_task_queue'\n",
            2,
            "not routed by a backend",
        ),
    ],
)
def test_it_is_accepted_with_a_warning(load: Loader, text: str, line: int, part: str) -> None:
    (warning,) = parse_temporal_config(load(text)).warnings
    assert part in warning.detail
    assert warning.severity == "warning"
    assert warning.location.line == line


def test_former_keys_are_read(load: Loader) -> None:
    text = "[temporal.worker_config]\ntask_queue = 'old'\nactivity_queues.llm.default = 'old'\n"
    config = parse_temporal_config(load(text))
    assert config.worker_config.default_task_queue == "old"
    assert config.activity_queues["llm"].default == "old"
    assert len(config.warnings) == 2


def test_a_store_that_is_not_chosen_may_hold_anything(load: Loader) -> None:
    text = "[temporal.payload_codec_config.storage_provider_config]\ns3.anything = '${NOWHERE}'\n"
    assert parse_temporal_config(load(text)).warnings == ()
