"""Routes and options of models that do not exist never apply; a warning says so, and names the nearest model."""

import pytest

from pipelex.errors import Fault
from pipelex.temporal.factory import TemporalFactory
from tests.support.settings_files import Loader

QUEUE = "temporal_task_queue"
TEXT, IMAGES = "temporal.activity_queues.act_llm_gen_text", "temporal.activity_queues.act_img_gen_images"
OWN_MODELS = "work/.pipelex/inference/backends/openai.toml"


def warnings(load: Loader, text: str, files: dict[str, str] | None = None) -> list[Fault]:
    return list(TemporalFactory().warnings(load(text, files=files)))


@pytest.mark.parametrize(
    ("text", "line", "key", "near"),
    [
        (f"[{TEXT}]\nby_handle.claude-4-sonet = '{QUEUE}'\n", 2, "by_handle.claude-4-sonet", "claude-4-sonnet"),
        (f"[{TEXT}]\n\nby_handle.'gtp-5.4' = '{QUEUE}'\n", 3, 'by_handle."gtp-5.4"', "gpt-5.4"),
        (f"[{TEXT}]\nby_backend.antropic = '{QUEUE}'\n", 2, "by_backend.antropic", "anthropic"),
        (f"[{TEXT}.handle_options.gpt4o]\nstart_to_close_timeout = '1m'\n", 1, "handle_options.gpt4o", "gpt-4o"),
        (
            f"[{TEXT}]\nhandle_options.'claude-4.5-opsu'.retry_policy_config.maximum_attempts = 9\n",
            2,
            'handle_options."claude-4.5-opsu"',
            "claude-4.5-opus",
        ),
        (
            f"[temporal.activity_queues.llm]\nby_handle.mistral-larg = '{QUEUE}'\n",
            2,
            "llm.by_handle.mistral-larg",
            "mistral-large",
        ),
        (
            f"[temporal.activity_queues.act_search_gen_sourced_answer]\nby_handle.linkup-dep = '{QUEUE}'\n",
            2,
            "by_handle.linkup-dep",
            "linkup-deep",
        ),
        (
            f"[temporal.activity_queues.act_judge_gen]\nby_handle.jev-lates = '{QUEUE}'\n",
            2,
            "by_handle.jev-lates",
            "jev-latest",
        ),
        (
            f"[temporal.worker_config.activity_queues.llm]\nby_handle.gpt4o = '{QUEUE}'\n",
            2,
            "temporal.worker_config.activity_queues.llm.by_handle.gpt4o",
            "gpt-4o",
        ),
        (f"[{TEXT}]\nby_handle.'@best-claud' = '{QUEUE}'\n", 2, '"@best-claud"', None),
        (f"[{TEXT}]\nby_handle.zzzzzz = '{QUEUE}'\n", 2, "by_handle.zzzzzz", None),
    ],
)
def test_a_misspelt_name_is_warned_of(load: Loader, text: str, line: int, key: str, near: str | None) -> None:
    *_, warning = warnings(load, text)
    assert (warning.severity, warning.location.line) == ("warning", line)
    assert f"{key}: " in warning.detail
    assert "so this has no effect" in warning.detail
    if near is not None:
        assert warning.suggestions == (near,)
        assert warning.detail.endswith(f"did you mean {near!r}?")


@pytest.mark.parametrize(
    "route",
    [
        "act_llm_gen_text.by_handle.claude-4-sonnet",
        "act_llm_gen_object.by_handle.'grok-4.5'",
        "act_llm_gen_object_list.by_backend.xai",
        "llm.by_backend.internal",
        "act_judge_gen.by_handle.jev-latest",
        "act_judge_gen.by_handle.gpt-4o",  # a language model stands in for a judge
        "act_func_call.by_handle.any_function",
        "act_search_gen_sourced_answer.by_handle.tavily-basic",
    ],
)
@pytest.mark.parametrize("is_enabled", ["true", "false"])
def test_known_names_are_not_warned_of(load: Loader, route: str, is_enabled: str) -> None:
    backends = "".join(
        f"[{name}]\nenabled = {is_enabled}\n" for name in ("anthropic", "openai", "xai", "tavily", "typesafe")
    )
    files = {"work/.pipelex/inference/backends.toml": backends}
    assert warnings(load, f"[temporal.activity_queues]\n{route} = '{QUEUE}'\n", files) == []


def test_models_of_files_of_one_s_own_are_known_and_hide_no_packaged_ones(load: Loader) -> None:
    files = {OWN_MODELS: "[house-model]\nsdk = 'openai'\n"}
    text = f"[{TEXT}]\nby_handle = {{ house-model = '{QUEUE}', 'gpt-5.4' = '{QUEUE}', house-modell = '{QUEUE}' }}\n"
    (warning,) = warnings(load, text, files)
    assert warning.suggestions == ("house-model",)


def test_every_wrong_name_is_warned_of(load: Loader) -> None:
    text = (
        f"[{TEXT}]\nby_handle.gpt4o = '{QUEUE}'\nby_backend.opnai = '{QUEUE}'\nhandle_options.gpt4o.priority = 1\n"
    ).replace("priority = 1", "heartbeat_timeout = '9s'")
    found = [each.location.line for each in warnings(load, text)]
    assert sorted(line for line in found if line is not None) == [2, 3, 4]


@pytest.mark.parametrize(
    ("table", "name", "part"),
    [
        (IMAGES, "gpt-4o", "is not known for image generation, so this has no effect; it is known for language models"),
        (TEXT, "linkup-deep", "it is known for search"),
        (TEXT, "best-claude", "'@best-claude' is a name that leads to a model"),
        (TEXT, "~premium", "'~premium' is a name that leads to a model"),
        (TEXT, "$writing-factual", "'$writing-factual' is a name that leads to a model"),
    ],
)
def test_a_name_that_is_no_handle_there_says_what_it_is(load: Loader, table: str, name: str, part: str) -> None:
    (warning,) = warnings(load, f"[{table}]\nby_handle.'{name}' = '{QUEUE}'\n")
    assert part in warning.detail


def test_an_alias_is_told_with_the_model_that_it_leads_to(load: Loader) -> None:
    files = {
        OWN_MODELS: "[house-model]\nsdk = 'openai'\n",
        "work/.pipelex/inference/backends.toml": "[openai]\nendpoint = 'http://127.0.0.1:9/v1'\napi_key = 'k'\n",
        "work/.pipelex/inference/deck/mine.toml": "[llm.aliases]\nhouse = 'house-model'\n",
    }
    (warning,) = warnings(load, f"[{TEXT}]\nby_handle.house = '{QUEUE}'\n", files)
    assert warning.suggestions == ("house-model",)
    assert warning.detail.endswith("here, it leads to 'house-model'")


def test_wrong_model_files_are_left_to_whatever_needs_the_models(load: Loader) -> None:
    files = {OWN_MODELS: "[broken\n"}
    assert warnings(load, f"[{TEXT}]\nby_handle.gpt4o = '{QUEUE}'\n", files) == []
