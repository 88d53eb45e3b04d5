"""The names of all workflows and activities: what configuration files, routes, scopes and the UI call them by."""

from dataclasses import dataclass
from typing import Final, Literal

RoutingKey = Literal["llm", "img_gen", "extract", "search", "judgment", "function"]
"""What an activity is routed by: the handle of a model of that family, or the function's name."""

WORKFLOWS: Final[tuple[str, ...]] = (
    "PipeLLM",
    "PipeStructure",
    "PipeExtract",
    "PipeImgGen",
    "PipeSearch",
    "PipeJudge",
    "PipeCompose",
    "PipeFunc",
    "PipeDocGen",
    "PipeSequence",
    "PipeParallel",
    "PipeCondition",
    "PipeBatch",
)
"""One workflow type per pipe type."""


@dataclass(frozen=True, slots=True)
class ActivityFacts:
    """What is fixed about one activity."""

    name: str
    routing_key: RoutingKey | None
    """None: nothing but the activity's own name routes it."""
    group: str | None = None
    """Name of a table of routes that several activities share."""
    is_crafting: bool = True
    """Whether it generates content, as the tasks pack `crafting` means it."""


_FACTS: Final = (
    ActivityFacts("act_llm_gen_text", "llm", group="llm"),
    ActivityFacts("act_llm_gen_object", "llm", group="llm"),
    ActivityFacts("act_llm_gen_object_list", "llm", group="llm"),
    ActivityFacts("act_img_gen_images", "img_gen"),
    ActivityFacts("act_extract_gen_extract_pages", "extract"),
    ActivityFacts("act_render_page_views", None),
    ActivityFacts("act_search_gen_sourced_answer", "search"),
    ActivityFacts("act_judge_gen", "judgment"),
    ActivityFacts("act_jinja2_gen_text", None),
    ActivityFacts("act_doc_gen", None),
    ActivityFacts("act_func_call", "function", is_crafting=False),
    ActivityFacts("act_deliver", None, is_crafting=False),
)

ACTIVITIES: Final[dict[str, ActivityFacts]] = {facts.name: facts for facts in _FACTS}
"""By name."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    group: tuple(facts.name for facts in _FACTS if facts.group == group)
    for group in dict.fromkeys(facts.group for facts in _FACTS if facts.group is not None)
}
"""Group name → its activities."""

FORMER_ACTIVITIES: Final[tuple[str, ...]] = (
    "act_search_gen_structured",
    "act_assemble_tracing",
    "act_flush_trace_events",
    "act_dry_validate",
)
"""Names of older releases that have no counterpart; configuration files may still have them."""

TASKS_PACKS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "pipe": (WORKFLOWS, tuple(ACTIVITIES)),
    "crafting": ((), tuple(facts.name for facts in _FACTS if facts.is_crafting)),
}
"""Pack → its workflows and activities."""

SEARCH_ATTRIBUTES: Final[tuple[str, ...]] = ("PipeCode", "DomainCode", "PipelineRunId", "SessionId", "UserId")
"""All of type Keyword."""
