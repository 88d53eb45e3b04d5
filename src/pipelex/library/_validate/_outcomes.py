"""Outcomes of conditions that no value of the expression can choose."""

import re

from pipelex.content.structure import ChoiceShape, ObjectShape, ScalarShape
from pipelex.errors import Json, SuggestedFix, near_names
from pipelex.language.blueprints import PipeConditionBlueprint
from pipelex.language.templates import Texts, possible_texts
from pipelex.library._library import Pipe
from pipelex.library._validate._context import Checks
from pipelex.library._validate._reads import follow, may_lack

_YES_NO: Texts = frozenset({"yes", "no"})
_TRUTHS: Texts = frozenset({"True", "False"})
_MOST_SHOWN = 8
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")


def check_outcomes(checks: Checks, pipe: Pipe) -> None:
    """Warn of every outcome that the condition's expression never renders to, where all it can render to is known.

    Where it can render to none of them, and the default is to fail, the condition always fails: an error.
    """
    blueprint = pipe.blueprint
    assert isinstance(blueprint, PipeConditionBlueprint)
    texts = possible_texts(blueprint.template_text, lambda path: _texts_of(checks, pipe, path))
    if texts is None:
        is_numeric = any(_NUMBER.fullmatch(outcome) for outcome in blueprint.outcomes)
        if blueprint.default_outcome == "fail" and not is_numeric and _is_number(checks, pipe, blueprint.expression):
            _report_unmatched(checks, pipe, "a number")
        return
    listed = [repr(text) for text in sorted(texts - {""})]
    gives = ", ".join(listed[:_MOST_SHOWN]) + (", …" if len(listed) > _MOST_SHOWN else "")
    if blueprint.default_outcome == "fail" and texts.isdisjoint(blueprint.outcomes):
        _report_unmatched(checks, pipe, gives or "nothing")
        return
    free = [text for text in sorted(texts) if text not in blueprint.outcomes]
    for outcome in blueprint.outcomes:
        if outcome not in texts:
            near = _meant(outcome, free)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            checks.report(
                pipe,
                "method.wiring_invalid",
                f"the outcome '{outcome}' of '{checks.label(pipe)}' can never be chosen: the expression gives {gives}{hint}",
                "outcomes",
                outcome,
                category="outcome_unreachable",
                suggestions=near,
                fix=_renamed(checks, pipe, outcome, near[0]) if near else None,
                is_warning=True,
                on_key=True,
                variable_path=outcome,
                finding="outcome_unreachable",
            )


def _report_unmatched(checks: Checks, pipe: Pipe, gives: str) -> None:
    blueprint = pipe.blueprint
    assert isinstance(blueprint, PipeConditionBlueprint)
    written = ", ".join(f"'{outcome}'" for outcome in blueprint.outcomes)
    checks.report(
        pipe,
        "pipe.condition_unmatched",
        f"the condition '{checks.label(pipe)}' always fails: its expression gives {gives}, and the outcomes are {written};"
        " write outcomes that it gives, or a default that is a pipe",
        "outcomes",
        category="condition_unmatched",
        on_key=True,
    )


def _is_number(checks: Checks, pipe: Pipe, expression: str | None) -> bool:
    """Whether an expression is the path of one number."""
    path = tuple((expression or "").strip().split("."))
    slot = pipe.inputs.get(path[0])
    if slot is None or slot.is_list:
        return False
    match follow(checks.library.shape(slot.concept), path):
        case ScalarShape() as shape:
            return shape.kind in ("integer", "number")
        case ObjectShape() as shape:
            return shape.native == "Number"
        case _:
            return False


def _meant(outcome: str, free: list[str]) -> tuple[str, ...]:
    same = [text for text in free if text and text.casefold() == outcome.strip().casefold()]
    if same:
        return (same[0],)
    answers = {"true": "yes", "false": "no", "yes": "True", "no": "False"}
    other = answers.get(outcome.strip().casefold())
    return (other,) if other in free else near_names(outcome, [text for text in free if text], most=1)


def _renamed(checks: Checks, pipe: Pipe, outcome: str, text: str) -> SuggestedFix:
    table: list[Json] = ["pipe", pipe.code, "outcomes"]
    operation: dict[str, Json] = {"op": "rename_table_key", "table": table, "key": outcome, "new_key": text}
    return SuggestedFix("rename-outcome", f"write '{text}'", (operation,), "unsafe", checks.source(pipe).bundle.path)


def _texts_of(checks: Checks, pipe: Pipe, path: tuple[str, ...]) -> Texts:
    """Every text that a value prints as; None where there are too many."""
    slot = pipe.inputs.get(path[0])
    if slot is None or slot.is_list:
        return None
    shape = follow(checks.library.shape(slot.concept), path)
    match shape:
        case ChoiceShape():
            texts: Texts = frozenset(shape.choices)
        case ScalarShape() if shape.kind == "boolean":
            texts = _TRUTHS
        case ObjectShape() if shape.native == "YesNo":
            texts = _YES_NO
        case _:
            return None
    return texts | {""} if texts is not None and may_lack(checks.library, slot, path) else texts
