"""Finds outcomes of conditions that no value of the expression can choose."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pipelex.content.structure import ChoiceShape, ObjectShape, ScalarShape
from pipelex.errors import Json, SuggestedFix, near_names
from pipelex.language.blueprints import PipeConditionBlueprint, PipeJudgeBlueprint
from pipelex.language.templates import Texts, possible_texts
from pipelex.library._library import Pipe
from pipelex.library._validate._context import Checks
from pipelex.library._validate._presence import callable_from_outside
from pipelex.library._validate._reads import follow, may_lack

ToldTexts: TypeAlias = Mapping[tuple[str, ...], frozenset[str]]
"""Path inside a value → every text that is possible there; the empty path stands for the text of the value itself."""

_YES_NO: Texts = frozenset({"yes", "no"})
_TRUTHS: Texts = frozenset({"True", "False"})
_MOST_SHOWN = 8
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?")


def check_outcomes(checks: Checks, pipe: Pipe) -> None:
    """Warn of every outcome that the condition's expression never renders to, if all its possible texts are known.

    If it can render to none of the outcomes and the default is to fail, the condition always fails, which is an error.
    """
    blueprint = pipe.blueprint
    assert isinstance(blueprint, PipeConditionBlueprint)
    texts = possible_texts(blueprint.template_text, lambda path: _texts_of(checks, pipe, path))
    if texts is None:
        is_numeric = any(_NUMBER.fullmatch(outcome) for outcome in blueprint.outcomes)
        if blueprint.default_outcome == "fail" and not is_numeric and _is_number(checks, pipe, blueprint.expression):
            _report_unmatched(checks, pipe, "a number")
        return
    if blueprint.default_outcome == "fail" and texts.isdisjoint(blueprint.outcomes):
        _report_unmatched(checks, pipe, _listed(texts) or "nothing")
        return
    _warn(checks, pipe, blueprint, texts)


def texts_given_by(pipe: Pipe) -> ToldTexts:
    """The known texts in a pipe's output: for a judgment, the options and levels that it chooses among."""
    blueprint = pipe.blueprint
    if not isinstance(blueprint, PipeJudgeBlueprint):
        return {}
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for name, question in blueprint.all_questions.items():
        start = () if name is None else (name,)
        if question.options is not None:
            found[start] = found[(*start, "choice")] = frozenset(question.options)
        elif question.levels is not None:
            labels = [level if isinstance(level, str) else level.label for level in question.levels]
            ranks = frozenset(map(str, range(len(labels))))
            named = frozenset(label for label in labels if label is not None)
            found[(*start, "level")] = ranks
            found[start] = named or ranks
            if named:
                found[(*start, "label")] = named
    return found


def warn_of_dead_choices(checks: Checks, told: Mapping[tuple[str, str], Sequence[ToldTexts]]) -> None:
    """Warn of outcomes that no caller's value can choose, if every caller's value is one of a few known texts.

    Pipes that may be called from outside are not checked.
    """
    open_pipes = callable_from_outside(checks)
    for ref in dict.fromkeys(ref for ref, _ in told):
        pipe = checks.library.pipes[ref]
        blueprint = pipe.blueprint
        if not isinstance(blueprint, PipeConditionBlueprint) or ref in open_pipes:
            continue
        known = {name: _in_all(told.get((ref, name), ())) for name in pipe.inputs}
        if not any(known.values()):
            continue

        def text_of(path: tuple[str, ...], pipe: Pipe = pipe, known: Mapping[str, ToldTexts] = known) -> Texts:
            found = known.get(path[0], {}).get(path[1:])
            return _texts_of(checks, pipe, path) if found is None else found

        texts = possible_texts(blueprint.template_text, text_of)
        plain = possible_texts(blueprint.template_text, lambda path, pipe=pipe: _texts_of(checks, pipe, path))
        if texts is not None and plain is None:
            _warn(checks, pipe, blueprint, texts)


def _in_all(told: Sequence[ToldTexts]) -> ToldTexts:
    """The texts that are possible in a value that comes from one of several callers."""
    paths = set(told[0]).intersection(*told[1:]) if told else set[tuple[str, ...]]()
    return {path: frozenset[str]().union(*(each[path] for each in told)) for path in paths}


def _listed(texts: frozenset[str]) -> str:
    listed = [repr(text) for text in sorted(texts - {""})]
    return ", ".join(listed[:_MOST_SHOWN]) + (", …" if len(listed) > _MOST_SHOWN else "")


def _warn(checks: Checks, pipe: Pipe, blueprint: PipeConditionBlueprint, texts: frozenset[str]) -> None:
    gives = _listed(texts)
    free = [text for text in sorted(texts) if text not in blueprint.outcomes]
    for outcome in blueprint.outcomes:
        if outcome not in texts:
            near = _meant(outcome, free)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            checks.report(
                pipe,
                "method.wiring_invalid",
                f"the outcome '{outcome}' of '{checks.label(pipe)}' can never be chosen: its expression gives {gives}{hint}",
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
        f"the condition '{checks.label(pipe)}' always fails: its expression gives {gives}, but the outcomes are {written};"
        " write outcomes that match, or a default that is a pipe",
        "outcomes",
        category="condition_unmatched",
        on_key=True,
    )


def _is_number(checks: Checks, pipe: Pipe, expression: str | None) -> bool:
    """Whether an expression is the path of a single number."""
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
    """Every text that a value may render to; None if there are too many."""
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
