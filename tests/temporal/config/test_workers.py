import pytest

from pipelex.errors import ConfigurationError, TemporalConfigError
from pipelex.temporal.config import BUILT_IN_SCOPES, TemporalConfig, parse_temporal_config
from pipelex.temporal.config.catalog import ACTIVITIES, GROUPS, WORKFLOWS
from pipelex.temporal.worker.profiles import FixedSlots, ResourceSlots, Versioning, worker_tuning
from pipelex.temporal.worker.queues import WorkerTaskQueueUnknownError, check_worker_queue, known_queues
from pipelex.temporal.worker.scopes import resolve_scope, scope_names
from tests.support.settings_files import Loader

LLM = ("act_llm_gen_text", "act_llm_gen_object", "act_llm_gen_object_list")


@pytest.mark.parametrize(
    ("name", "workflows", "activities"),
    [
        ("full", WORKFLOWS, tuple(ACTIVITIES)),
        ("router", WORKFLOWS, ()),
        ("runner", (), tuple(ACTIVITIES)),
        ("runner-llm", (), (*LLM, "act_judge_gen")),
        ("runner-img-gen", (), ("act_img_gen_images", "act_render_page_views")),
        ("runner-extract", (), ("act_extract_gen_extract_pages", "act_render_page_views")),
        ("runner-search", (), ("act_search_gen_sourced_answer",)),
        ("runner-func", (), ("act_func_call",)),
        ("runner-jinja2", (), ("act_jinja2_gen_text",)),
    ],
)
def test_built_in_scopes(name: str, workflows: tuple[str, ...], activities: tuple[str, ...]) -> None:
    scope = resolve_scope(TemporalConfig(), name)
    assert (scope.workflows, scope.activities) == (workflows, activities)


def test_the_table_of_built_in_scopes_is_complete() -> None:
    assert scope_names(TemporalConfig()) == BUILT_IN_SCOPES
    assert len(BUILT_IN_SCOPES) == 9
    assert resolve_scope(TemporalConfig()).name == "full"
    assert GROUPS == {"llm": LLM}


@pytest.mark.parametrize(
    ("lines", "workflows", "activities"),
    [
        ("required_tasks_packs = ['pipe']", 13, len(ACTIVITIES)),
        ("required_tasks_packs = ['crafting']", 0, len(ACTIVITIES) - 1),
        ("required_activities = ['act_func_call']", 0, 1),
        ("required_workflows = ['PipeLLM', 'PipeBatch']", 2, 0),
        ("required_tasks_packs = ['crafting']\nrequired_workflows = ['PipeLLM']", 1, len(ACTIVITIES) - 1),
        ("excluded_workflows = ['PipeFunc']\nexcluded_activities = ['act_func_call']", 12, len(ACTIVITIES) - 1),
        ("disable_all_activities = true", 13, 0),
        ("disable_all_workflows = true", 0, len(ACTIVITIES)),
    ],
)
def test_configured_scopes(load: Loader, lines: str, workflows: int, activities: int) -> None:
    scope = resolve_scope(parse_temporal_config(load(f"[temporal.worker_scopes.scopes.mine]\n{lines}\n")), "mine")
    assert (len(scope.workflows), len(scope.activities)) == (workflows, activities)
    assert list(scope.workflows) == [name for name in WORKFLOWS if name in scope.workflows]


def test_an_own_scope_hides_the_built_in_one(load: Loader) -> None:
    text = "[temporal.worker_scopes.scopes.router]\nrequired_workflows = ['PipeLLM']\n"
    assert resolve_scope(parse_temporal_config(load(text)), "router").workflows == ("PipeLLM",)


def test_a_scope_of_nothing_and_one_nobody_knows_are_refused(load: Loader) -> None:
    text = "[temporal.worker_scopes.scopes.none]\ndisable_all_workflows = true\ndisable_all_activities = true\n"
    with pytest.raises(ConfigurationError, match="registers nothing"):
        resolve_scope(parse_temporal_config(load(text)), "none")
    with pytest.raises(ConfigurationError, match="'runner-llm'"):
        resolve_scope(TemporalConfig(), "runner-lm")


def test_slots_follow_the_machine_unless_they_are_set(load: Loader) -> None:
    config = TemporalConfig()
    small, large = worker_tuning(config, cpu_count=1), worker_tuning(config, cpu_count=64)
    assert isinstance(small.slots, FixedSlots)
    assert isinstance(large.slots, FixedSlots)
    assert small.slots.workflow_tasks < large.slots.workflow_tasks
    assert small.slots.activities < large.slots.activities
    text = "[temporal.worker_runtime_profiles.profiles.default]\nmax_concurrent_activities = 4\n"
    slots = worker_tuning(parse_temporal_config(load(text)), cpu_count=1).slots
    assert isinstance(slots, FixedSlots)
    assert (slots.activities, slots.workflow_tasks) == (4, small.slots.workflow_tasks)


def test_resource_based_tuning_has_the_sdks_targets(load: Loader) -> None:
    text = "[temporal.worker_runtime_profiles.profiles.default]\ntuning_mode = 'resource_based'\n"
    assert worker_tuning(parse_temporal_config(load(text))).slots == ResourceSlots(0.8, 0.9, None, None)


def test_versioning_needs_its_variables(load: Loader) -> None:
    text = "[temporal.worker_runtime_profiles.profiles.v]\ndeployment_name = 'd'\nbuild_id = '${BUILD}'\n"
    config = parse_temporal_config(load(text, environ={"BUILD": "42"}))
    assert worker_tuning(config, "v").versioning == Versioning("d", "42", "pinned")
    assert worker_tuning(config).versioning is None
    with pytest.raises(TemporalConfigError, match="BUILD"):
        worker_tuning(parse_temporal_config(load(text)), "v")


def test_a_profile_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'default'"):
        worker_tuning(TemporalConfig(), "defualt")


def test_queues_that_tables_name_may_be_polled(operator: TemporalConfig) -> None:
    assert set(known_queues(operator)) == {"temporal_task_queue", "openai_q", "anthropic_q", "premium_q", "extract_q"}
    for queue in known_queues(operator):
        assert check_worker_queue(operator, queue) == queue
    assert check_worker_queue(operator) == "temporal_task_queue"


def test_a_queue_no_table_names_is_refused(operator: TemporalConfig) -> None:
    with pytest.raises(WorkerTaskQueueUnknownError) as caught:
        check_worker_queue(operator, "premum_q")
    assert "did you mean 'premium_q'" in str(caught.value)
    assert "queue_options.premium_q, activity_queues.act_llm_gen_text.by_handle.gpt-5.4" in str(caught.value)
    assert "[temporal.queue_options.premum_q]" in (caught.value.report.advice or "")
