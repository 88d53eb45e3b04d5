"""PipeJudge.

Source: MTHDS 8.0.0, section 6.6 of the language reference.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, cast

from pydantic import Field, model_validator

from pipelex.language.blueprints._answers import AskedModel
from pipelex.language.blueprints._base import Blueprint, refuse
from pipelex.language.blueprints._pipe import PipeBlueprint
from pipelex.language.blueprints._settings import PlainSettings
from pipelex.language.templates import TemplateSite


class JudgeLevel(Blueprint):
    """One step of a rating scale."""

    label: str | None = None
    """The short name of the level."""
    description: str | None = None
    """The meaning of the level."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.label is None and self.description is None:
            raise refuse("level_empty", "a level needs a 'label' or a 'description'")
        return self


class JudgeCriteria(Blueprint):
    """The criteria of the answers yes and no."""

    yes: str = Field(min_length=1)
    """The criterion of the answer yes."""
    no: str = Field(min_length=1)
    """The criterion of the answer no."""


JudgeKind = Literal["yes_no", "choice", "rating"]


class JudgeQuestion(Blueprint):
    """One closed question: yes or no, a choice among options, or a rating on levels."""

    question: str = Field(min_length=1)
    """The question, as a template of plain text."""
    options: dict[str, str] | None = None
    """The options of a choice: key → description; two at least."""
    levels: tuple[str | JudgeLevel, ...] | None = Field(default=None, strict=False)
    """The levels of a rating, the lowest first; two at least."""
    criteria: JudgeCriteria | None = None
    """The criteria of the answers yes and no."""
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """The probability of yes from which on the answer is yes, between 0 and 1. 0.5 by default."""

    @property
    def kind(self) -> JudgeKind:
        if self.options is not None:
            return "choice"
        return "yes_no" if self.levels is None else "rating"

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_judge_kind(self.options, self.levels, self.criteria, self.threshold)
        return self


def check_judge_kind(
    options: dict[str, str] | None,
    levels: tuple[str | JudgeLevel, ...] | None,
    criteria: JudgeCriteria | None,
    threshold: float | None,
) -> None:
    """Refuse keys that cannot be used together, and options or levels that are too few to choose from."""
    if options is not None and levels is not None:
        raise refuse(
            "judge_kind", "'options' and 'levels' cannot be used together", "options", "levels", "criteria", "threshold"
        )
    if options is not None and len(options) < 2:
        raise refuse("judge_options", "'options' needs at least two entries", "options")
    if levels is not None:
        if len(levels) < 2:
            raise refuse("judge_levels", "'levels' needs at least two entries", "levels")
        if len({isinstance(level, str) for level in levels}) > 1:
            raise refuse("judge_levels", "write every level as a string, or every one as a table", "levels")
        labels = [level if isinstance(level, str) else level.label for level in levels]
        present = [label for label in labels if label is not None]
        if present and len(present) != len(labels):
            raise refuse("judge_levels", "label every level, or none", "levels")
        if len(set(present)) != len(present):
            raise refuse("judge_levels", "the labels of the levels must differ", "levels")
    if (options is not None or levels is not None) and (criteria is not None or threshold is not None):
        raise refuse(
            "judge_kind",
            "'criteria' and 'threshold' belong to yes/no questions",
            "options",
            "levels",
            "criteria",
            "threshold",
        )


class PipeJudgeBlueprint(PipeBlueprint):
    """Closed questions about evidence, asked of a judgment model."""

    reads_every_input = True
    has_fixed_output = True
    prompts = (("prompt", "llm_prompt"), ("question", "llm_prompt"))

    type: Literal["PipeJudge"]
    prompt: str = Field(min_length=1)
    """The evidence, as a template; it may show images and documents."""
    question: str | None = Field(default=None, min_length=1)
    """The one question, as a template of plain text. Instead of `questions`."""
    questions: dict[str, JudgeQuestion] | None = None
    """The questions by the names of the output's fields; excludes `question`."""
    options: dict[str, str] | None = None
    """The options of a choice: key → description; two at least. The output is a Choice."""
    levels: tuple[str | JudgeLevel, ...] | None = Field(default=None, strict=False)
    """The levels of a rating, the lowest first; two at least. The output is a Rating."""
    criteria: JudgeCriteria | None = None
    """The criteria of the answers yes and no."""
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """The probability of yes from which on the answer is yes, between 0 and 1. 0.5 by default."""
    model: str | PlainSettings | None = None
    """The judgment model: a preset, an alias, a handle, or a table."""

    @model_validator(mode="after")
    def _check_questions(self) -> Self:
        if (self.question is None) == (self.questions is None):
            raise refuse("judge_question", "write exactly one of 'question' and 'questions'", "questions", "question")
        if self.questions is not None:
            if not self.questions:
                raise refuse("judge_question", "'questions' needs at least one entry", "questions", "question")
            if any(key is not None for key in (self.options, self.levels, self.criteria, self.threshold)):
                raise refuse(
                    "judge_kind",
                    "with 'questions', put options, levels, criteria and threshold on each of them",
                    "options",
                    "levels",
                    "criteria",
                    "threshold",
                )
        check_judge_kind(self.options, self.levels, self.criteria, self.threshold)
        output = self.output_slot
        if output.is_list:
            raise refuse("judge_output", "the output of a PipeJudge takes no brackets", "output")
        return self

    @classmethod
    def sites_in(cls, table: Mapping[str, Any]) -> Iterator[TemplateSite]:
        yield from super().sites_in(table)
        questions = table.get("questions")
        if not isinstance(questions, Mapping):
            return
        for name, entry in cast("Mapping[str, Any]", questions).items():
            question = cast("Mapping[str, Any]", entry).get("question") if isinstance(entry, Mapping) else None
            if isinstance(question, str):
                yield TemplateSite(("questions", name, "question"), question, "llm_prompt")

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        del is_text
        yield AskedModel("judgment", "model", self.model, handed="templates")

    @property
    def all_questions(self) -> dict[str | None, JudgeQuestion]:
        """Every question by its name; an unnamed single question is under None."""
        if self.questions is not None:
            return {**self.questions}
        assert self.question is not None
        return {
            None: JudgeQuestion(
                question=self.question,
                options=self.options,
                levels=self.levels,
                criteria=self.criteria,
                threshold=self.threshold,
            )
        }
