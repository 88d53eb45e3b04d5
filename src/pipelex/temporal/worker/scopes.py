"""The scopes of workers, which decide what each worker registers."""

from dataclasses import dataclass

from pipelex.errors import ConfigurationError, near_names
from pipelex.temporal.config import BUILT_IN_SCOPES, TemporalConfig, WorkerScope
from pipelex.temporal.config.catalog import ACTIVITIES, RUNNERS, TASKS_PACKS, WORKFLOWS


@dataclass(frozen=True, slots=True)
class ScopeContent:
    """The workflows and activities of a scope, in the order of the catalog."""

    name: str
    workflows: tuple[str, ...]
    activities: tuple[str, ...]


_BUILT_IN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "full": (WORKFLOWS, tuple(ACTIVITIES)),
    "router": (WORKFLOWS, ()),
    "runner": ((), tuple(ACTIVITIES)),
    **{scope: ((), activities) for scope, activities in RUNNERS.items()},
}
assert tuple(_BUILT_IN) == BUILT_IN_SCOPES


def scope_names(config: TemporalConfig) -> tuple[str, ...]:
    """The names of the built-in and the configured scopes."""
    return tuple(dict.fromkeys([*_BUILT_IN, *config.worker_scopes.scopes]))


def resolve_scope(config: TemporalConfig, name: str | None = None) -> ScopeContent:
    """The workflows and activities of a scope. A configured scope hides a built-in one with the same name.

    A configured scope starts with its packs and required names, or with everything if it has neither. Then its
    exclusions are removed.

    Args:
        config: the configuration.
        name: the name of the scope; None for the configured `default_scope`.

    Raises:
        ConfigurationError: there is no such scope, or nothing is left in it.
    """
    chosen = config.worker_scopes.default_scope if name is None else name
    configured = config.worker_scopes.scopes.get(chosen)
    if configured is not None:
        content = _content(chosen, configured)
        if not content.workflows and not content.activities:
            raise ConfigurationError(
                f"the worker scope {chosen!r} registers nothing",
                advice=f"Require or do not exclude something in [temporal.worker_scopes.scopes.{chosen}].",
            )
        return content
    if chosen in _BUILT_IN:
        return ScopeContent(chosen, *_BUILT_IN[chosen])
    known = scope_names(config)
    near = near_names(chosen, known)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known)}"
    raise ConfigurationError(
        f"no worker scope is called {chosen!r}; {hint}",
        advice=f"Name another scope, or add [temporal.worker_scopes.scopes.{chosen}].",
    )


def _content(name: str, scope: WorkerScope) -> ScopeContent:
    workflows, activities = {*scope.required_workflows}, {*scope.required_activities}
    packs = scope.required_tasks_packs
    if not packs and not workflows and not activities:
        packs = ("pipe",)
    for pack in packs:
        workflows.update(TASKS_PACKS[pack][0])
        activities.update(TASKS_PACKS[pack][1])
    workflows -= {*scope.excluded_workflows}
    activities -= {*scope.excluded_activities}
    return ScopeContent(
        name,
        () if scope.disable_all_workflows else tuple(item for item in WORKFLOWS if item in workflows),
        () if scope.disable_all_activities else tuple(item for item in ACTIVITIES if item in activities),
    )
