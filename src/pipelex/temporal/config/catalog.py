"""The names of all workflows and activities, as configuration files, routes, scopes and the UI use them."""

from typing import Any, Final

from pipelex.language.blueprints import PIPE_TYPES
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS

WORKFLOWS: Final[tuple[str, ...]] = tuple(PIPE_TYPES)
"""One workflow type per pipe type."""

ACTIVITIES: Final[dict[str, EffectKind[Any, Any]]] = {kind.activity: kind for kind in EFFECTS}
"""Activity → its kind of effect."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    group: tuple(kind.activity for kind in EFFECTS if kind.group == group)
    for group in dict.fromkeys(kind.group for kind in EFFECTS if kind.group is not None)
}
"""Group → its activities."""

RUNNERS: Final[dict[str, tuple[str, ...]]] = {
    f"runner-{runner}": tuple(kind.activity for kind in EFFECTS if runner in kind.runners)
    for runner in dict.fromkeys(runner for kind in EFFECTS for runner in kind.runners)
}
"""Built-in worker scope for only some activities → these activities."""

FORMER_ACTIVITIES: Final[tuple[str, ...]] = (
    "act_search_gen_structured",
    "act_assemble_tracing",
    "act_flush_trace_events",
    "act_dry_validate",
    "act_deliver",
)
"""Activities of older releases that no longer exist; configuration files may still name them."""

TASKS_PACKS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "pipe": (WORKFLOWS, tuple(ACTIVITIES)),
    "crafting": ((), tuple(kind.activity for kind in EFFECTS if kind.is_crafting)),
}
"""Pack → its workflows and activities."""

SEARCH_ATTRIBUTES: Final[tuple[str, ...]] = ("PipeCode", "DomainCode", "PipelineRunId", "SessionId", "UserId")
"""The built-in search attributes that runs carry; all are of type Keyword."""

TAGS: Final = "Tags"
"""The attribute of `pipelex run --tag`, a KeywordList that the user declares."""
