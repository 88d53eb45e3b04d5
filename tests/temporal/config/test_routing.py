from datetime import timedelta

import pytest

from pipelex.durable.dispatch import hopeless_error_types, resolve_dispatch, trace_line
from pipelex.durable.dispatch.options import (
    BACKOFF_COEFFICIENT,
    HEARTBEAT,
    MAXIMUM_ATTEMPTS,
    MAXIMUM_INTERVAL,
    NON_RETRYABLE_ERROR_TYPES,
    PRIORITY_KEY,
    SCHEDULE_TO_CLOSE,
    SCHEDULE_TO_START,
    START_TO_CLOSE,
)
from pipelex.errors import CORE_CODES, ConfigurationError, error_type_name
from pipelex.temporal.config import TemporalConfig, parse_temporal_config
from pipelex.temporal.config.catalog import ACTIVITIES
from tests.support.settings_files import Loader

TEXT, OBJECT, EXTRACT, FUNC = "act_llm_gen_text", "act_llm_gen_object", "act_extract_gen_extract_pages", "act_func_call"


@pytest.mark.parametrize(
    ("activity", "handle", "backend", "queue", "origin"),
    [
        (TEXT, "claude-sonnet", "openai", "anthropic_q", "activity_queues.act_llm_gen_text.by_handle.claude-sonnet"),
        (TEXT, "gpt-5.4", "anthropic", "premium_q", "activity_queues.act_llm_gen_text.by_handle.gpt-5.4"),
        (TEXT, "other", "mistral", "openai_q", "activity_queues.act_llm_gen_text.by_backend.mistral"),
        (TEXT, "other", "anthropic", "openai_q", "activity_queues.act_llm_gen_text.default"),
        (TEXT, None, None, "openai_q", "activity_queues.act_llm_gen_text.default"),
        (OBJECT, "claude-sonnet", "anthropic", "anthropic_q", "activity_queues.llm.by_backend.anthropic"),
        (OBJECT, "gpt-5.4", "openai", "openai_q", "activity_queues.llm.default"),
        (EXTRACT, "mistral-ocr", "mistral", "extract_q", "activity_queues.act_extract_gen_extract_pages.default"),
        (FUNC, "a.b", None, "temporal_task_queue", "worker_config.default_task_queue"),
    ],
)
def test_the_first_route_that_matches_wins(
    operator: TemporalConfig, activity: str, handle: str | None, backend: str | None, queue: str, origin: str
) -> None:
    dispatch = resolve_dispatch(operator.routing, activity=activity, handle=handle, backend=backend)
    assert dispatch.queue == queue
    assert dispatch.origins["queue"] == origin


@pytest.mark.parametrize("activity", list(ACTIVITIES))
def test_without_any_route_an_activity_rides_its_workflows_queue(activity: str) -> None:
    dispatch = resolve_dispatch(TemporalConfig().routing, activity=activity, handle="h", backend="b")
    assert dispatch.queue is None
    assert dispatch[START_TO_CLOSE] == timedelta(minutes=10)
    assert dispatch[HEARTBEAT] == timedelta(seconds=30)
    assert dispatch[MAXIMUM_ATTEMPTS] == 3
    assert set(dispatch.origins.values()) == {"the workflow's queue", "worker_config"}


def test_a_table_that_does_not_match_falls_to_its_group(load: Loader) -> None:
    text = (
        "[temporal]\nqueue_options.a = {}\nqueue_options.b = {}\n[temporal.activity_queues]\n"
        "act_llm_gen_text.by_handle.x = 'a'\nllm.default = 'b'\n"
    )
    config = parse_temporal_config(load(text))
    assert resolve_dispatch(config.routing, activity=TEXT, handle="x").queue == "a"
    assert resolve_dispatch(config.routing, activity=TEXT, handle="y").queue == "b"
    assert resolve_dispatch(config.routing, activity=FUNC, handle="y").queue == "temporal_task_queue"


def test_overlays_compose_and_each_scalar_tells_its_layer(operator: TemporalConfig) -> None:
    dispatch = resolve_dispatch(operator.routing, activity=TEXT, handle="gpt-5.4", backend="openai")
    queue, handle = "queue_options.premium_q", "activity_queues.act_llm_gen_text.handle_options.gpt-5.4"
    assert (dispatch[START_TO_CLOSE], dispatch.origins["start_to_close"]) == (timedelta(minutes=20), handle)
    assert (dispatch[SCHEDULE_TO_CLOSE], dispatch.origins["schedule_to_close"]) == (None, handle)
    assert (dispatch[SCHEDULE_TO_START], dispatch.origins["schedule_to_start"]) == (timedelta(minutes=10), queue)
    assert (dispatch[HEARTBEAT], dispatch.origins["heartbeat"]) == (timedelta(minutes=1), queue)
    assert (dispatch[MAXIMUM_ATTEMPTS], dispatch.origins["maximum_attempts"]) == (10, queue)
    assert (dispatch[BACKOFF_COEFFICIENT], dispatch[MAXIMUM_INTERVAL]) == (1.5, timedelta(minutes=5))
    assert (dispatch[PRIORITY_KEY], dispatch.origins["priority_key"]) == (1, queue)


def test_error_types_add_up_and_are_never_taken_away(operator: TemporalConfig) -> None:
    dispatch = resolve_dispatch(operator.routing, activity=TEXT, handle="gpt-5.4")
    assert dispatch[NON_RETRYABLE_ERROR_TYPES] == ("LLMPromptParameterError", "ModelUnknown", "ProviderTimeout")
    assert dispatch.origins["non_retryable_error_types"] == "worker_config + queue_options.premium_q"
    dispatch = resolve_dispatch(operator.routing, activity=TEXT, handle="claude-long")
    assert dispatch[NON_RETRYABLE_ERROR_TYPES] == ("LLMPromptParameterError", "ModelUnknown", "ContextWindowExceeded")
    assert dispatch[MAXIMUM_ATTEMPTS] == 2
    assert dispatch.queue == "openai_q"


def test_the_default_queue_has_options_too(operator: TemporalConfig) -> None:
    dispatch = resolve_dispatch(operator.routing, activity=FUNC, handle="f")
    assert dispatch[HEARTBEAT] is None
    assert dispatch.origins["heartbeat"] == "queue_options.temporal_task_queue"


def test_the_options_of_the_queue_that_is_ridden_hold(load: Loader) -> None:
    config = parse_temporal_config(load("temporal.queue_options.mine.start_to_close_timeout = '1m'\n"))
    dispatch = resolve_dispatch(config.routing, activity=TEXT, workflow_queue="mine")
    assert dispatch.queue is None
    assert dispatch[START_TO_CLOSE] == timedelta(minutes=1)
    assert resolve_dispatch(config.routing, activity=TEXT)[START_TO_CLOSE] == timedelta(minutes=10)


def test_an_activity_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'act_llm_gen_text'"):
        resolve_dispatch(TemporalConfig().routing, activity="act_llm_gen_txt")


def test_the_trace_names_everything_in_one_line(operator: TemporalConfig) -> None:
    line = trace_line(resolve_dispatch(operator.routing, activity=TEXT, handle="gpt-5.4"))
    assert "\n" not in line
    for part in (
        "act_llm_gen_text",
        "key=gpt-5.4",
        "queue=premium_q [activity_queues.act_llm_gen_text.by_handle.gpt-5.4]",
        "start_to_close=0:20:00 [activity_queues.act_llm_gen_text.handle_options.gpt-5.4]",
        "schedule_to_close=unlimited",
        "maximum_attempts=10 [queue_options.premium_q]",
        "priority_key=1 [queue_options.premium_q]",
        "3 types [worker_config + queue_options.premium_q]",
    ):
        assert part in line


def test_what_cannot_be_mended_by_repetition_follows_the_registry() -> None:
    types = hopeless_error_types()
    assert {"ModelUnknown", "ProviderCredentialRefused", "ProviderQuotaExhausted", "InputInvalid"} <= set(types)
    assert {"RuntimeMisconfigured", "PipeFunctionRaised", "SecurityInputUrlRefused"} <= set(types)
    retryable = {error_type_name(code) for code, facts in CORE_CODES.items() if facts.retry != "no"}
    assert not retryable & set(types)
    assert "ProviderRateLimited" in retryable
