"""PipeJudge: closed questions about evidence (section 6.6 of the language reference)."""

from collections.abc import Mapping

from pipelex.content.structure import ObjectShape
from pipelex.content.stuff import Json, Stuff, WorkingMemory
from pipelex.language.blueprints import JudgeLevel, JudgeQuestion, PipeJudgeBlueprint, PlainSettings
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.effects.kinds import JUDGE
from pipelex.pipes.effects.requests import JudgeQuestionRequest, JudgeRequest, LLMPrompt
from pipelex.pipes.semantics._fields import checked_output
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.semantics._templates import Attachments, render_text


async def run_judge(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeJudgeBlueprint)
    evidence = await render_text(run, blueprint.prompt, category="llm_prompt", attachments=Attachments())
    if not evidence.text.strip():
        raise run.failure(
            "pipe.prompt_empty", f"the evidence of pipe '{run.pipe.code}' came out empty", part="user_text"
        )
    questions = blueprint.all_questions
    request = JudgeRequest(
        evidence=LLMPrompt.sparse(user=evidence.text, images=evidence.images, documents=evidence.documents),
        questions=tuple([await _question(run, name, question) for name, question in questions.items()]),
    )
    model = blueprint.model.model if isinstance(blueprint.model, PlainSettings) else blueprint.model
    result = await run.ask(JUDGE, request, model)
    value = Stuff(run.output.concept, _content(run, dict(zip(questions, result.contents, strict=True))))
    return PipeOutcome.of(value), run.memory.with_result(None, value)


async def _question(run: PipeRun, name: str | None, question: JudgeQuestion) -> JudgeQuestionRequest:
    text = await render_text(run, question.question, category="basic")
    levels: tuple[dict[str, str], ...] | None = None
    if question.levels is not None:
        levels = tuple({"label": level} if isinstance(level, str) else _level(level) for level in question.levels)
    return JudgeQuestionRequest.sparse(
        name=name,
        question=text.text,
        options=question.options,
        levels=levels,
        criteria=None if question.criteria is None else question.criteria.model_dump(),
        threshold=question.threshold,
    )


def _level(level: JudgeLevel) -> dict[str, str]:
    return level.model_dump(exclude_none=True)


def _content(run: PipeRun, verdicts: Mapping[str | None, Json]) -> Json:
    concept = run.output.concept
    if None in verdicts:
        verdict = verdicts[None]
        if verdict is None:
            raise run.failure(
                "model.content_refused", f"the model refused to judge for pipe '{run.pipe.code}'", model=""
            )
        return checked_output(run, concept, verdict)
    shape = run.library.shape(concept)
    for name, verdict in verdicts.items():
        field = shape.field(name) if isinstance(shape, ObjectShape) and name is not None else None
        if verdict is None and field is not None and field.required:
            raise run.failure(
                "model.content_refused", f"the model refused the question '{name}' of pipe '{run.pipe.code}'", model=""
            )
    return checked_output(
        run, concept, {str(name): verdict for name, verdict in verdicts.items() if verdict is not None}
    )
