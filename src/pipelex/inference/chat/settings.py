"""The settings of a call: the pipe's settings, adapted to the constraints of the model that is asked."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pipelex.errors.json import Json, maybe
from pipelex.inference.deck.catalog import ModelEntry
from pipelex.inference.deck.schema import ReasoningEffort

logger = logging.getLogger("pipelex.inference")

EFFORT_BUDGETS: Mapping[ReasoningEffort, int] = {
    "none": 0,
    "minimal": 512,
    "low": 1024,
    "medium": 5000,
    "high": 16384,
    "xhigh": 32768,
    "max": 65536,
}
"""The thinking tokens for each effort, to convert one to the other when a model takes only one of them."""

_ENOUGH_TOKENS = 1024
"""The smallest `max_tokens` for models with `max_tokens_must_be_high_enough`, which think before they answer."""

_ROOM = 4, 1024
"""What a thinking budget leaves of `max_tokens` for the answer itself: one part in 4, but at most 1024 tokens."""

_told: set[tuple[str, str]] = set()
"""The models and subjects that this process has already warned about."""


@dataclass(frozen=True)
class CallSettings:
    """The settings that a provider is sent, after the model's constraints. A setting that is None is not sent."""

    temperature: float | None = None
    max_tokens: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    reasoning_budget: int | None = None
    """The number of thinking tokens: the effort's, or the budget that the effort was derived from."""
    image_detail: str | None = None


def call_settings(
    entry: ModelEntry,
    settings: Mapping[str, Json],
    effort_budgets: Mapping[ReasoningEffort, int] = EFFORT_BUDGETS,
) -> CallSettings:
    """Apply a model's constraints to the settings of a call.

    Args:
        entry: the model, with its constraints.
        settings: the resolved settings, as a preset of the family `llm` has them.
        effort_budgets: the thinking tokens for each reasoning effort.
    """
    most = _max_tokens(entry, settings.get("max_tokens"))
    effort, tokens = _within(entry, most or entry.table.max_tokens, *_reasoning(entry, settings, effort_budgets))
    return CallSettings(
        temperature=_temperature(entry, settings.get("temperature")),
        max_tokens=most,
        reasoning_effort=effort,
        reasoning_budget=tokens,
        image_detail=maybe(settings.get("image_detail"), str),
    )


def _temperature(entry: ModelEntry, wanted: Any) -> float | None:
    fixed = entry.valued_constraints.fixed_temperature
    if fixed is not None:
        if wanted is not None and wanted != fixed:
            tell(entry, "fixed_temperature", f"only works at temperature {fixed:g}; {wanted:g} is ignored")
        return fixed
    if wanted is None or "temperature_unsupported" in entry.listed_constraints:
        return None
    return wanted * 2 if "temperature_must_be_multiplied_by_2" in entry.listed_constraints else wanted


def _max_tokens(entry: ModelEntry, wanted: Any) -> int | None:
    cap = entry.table.max_tokens
    if not isinstance(wanted, int):  # "auto" and None leave it to the provider
        return None
    if "max_tokens_must_be_high_enough" in entry.listed_constraints and wanted < _ENOUGH_TOKENS:
        tell(entry, "max_tokens", f"needs max_tokens of at least {_ENOUGH_TOKENS}; {wanted} is raised to it")
        wanted = _ENOUGH_TOKENS
    return wanted if cap is None else min(wanted, cap)


def _reasoning(
    entry: ModelEntry, settings: Mapping[str, Json], budgets: Mapping[ReasoningEffort, int]
) -> tuple[ReasoningEffort | None, int | None]:
    """The effort and its thinking tokens; if only one is set, it determines the other. Both may be None."""
    effort = cast("ReasoningEffort | None", settings.get("reasoning_effort"))
    budget = maybe(settings.get("reasoning_budget"), int)
    if effort is None and budget is None:
        return None, None
    if entry.table.thinking_mode == "none":
        if effort != "none":
            tell(entry, "reasoning", "does not think; reasoning settings are ignored")
        return None, None
    if effort == "none":
        if "thinking_cannot_be_disabled" in entry.listed_constraints:
            tell(entry, "reasoning", "always thinks; 'none' is ignored")
            return None, None
        return "none", 0
    tokens = budgets.get(effort, 0) if budget is None and effort is not None else budget or 0
    low, high = entry.valued_constraints.min_thinking_budget, entry.valued_constraints.max_thinking_budget
    tokens = max(tokens, low) if low is not None else tokens
    tokens = min(tokens, high) if high is not None else tokens
    if effort is None:
        effort = "minimal"
        for name, needed in sorted(budgets.items(), key=lambda item: item[1]):
            effort = name if name != "none" and needed <= tokens else effort
    return effort, tokens


def _within(
    entry: ModelEntry, most: int | None, effort: ReasoningEffort | None, tokens: int | None
) -> tuple[ReasoningEffort | None, int | None]:
    """The effort and its tokens, reduced to leave room for the answer; both None if even the minimum leaves none.

    Thinking tokens count against `max_tokens`, so a budget of the same size would lead to an empty answer.
    """
    if most is None or not tokens or entry.table.thinking_mode != "manual":
        return effort, tokens
    left = room_for_thinking(most)
    if left < (entry.valued_constraints.min_thinking_budget or 1):
        tell_no_room(entry, most)
        return None, None
    return effort, min(tokens, left)


def room_for_thinking(most: int) -> int:
    """The thinking tokens that leave room for the answer.

    Args:
        most: the maximum number of output tokens, thinking included.
    """
    parts, room = _ROOM
    return most - max(1, min(most // parts, room))


def tell_no_room(entry: ModelEntry, most: int) -> None:
    """Warn that a model does not think, because its output tokens do not suffice for that."""
    tell(entry, "reasoning", f"cannot think within max_tokens = {most}; reasoning settings are ignored")


def tell(entry: ModelEntry, about: str, what: str) -> None:
    """Warn about a model, once for each subject in the life of the process."""
    key = (f"{entry.backend}/{entry.handle}", about)
    if key not in _told:
        _told.add(key)
        logger.warning("The model %r of %r %s.", entry.handle, entry.backend, what)
