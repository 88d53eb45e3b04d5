"""PipeLLM and PipeStructure: texts and objects from a language model (sections 6.1 and 6.2 of the language reference)."""

from typing import Final

from pipelex.content.structure import shape_to_json
from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.errors.json import Json, as_object, exactly
from pipelex.language.blueprints import ModelName, PipeLLMBlueprint, PipeStructureBlueprint
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.effects.kinds import LLM_OBJECT, LLM_OBJECT_LIST, LLM_TEXT
from pipelex.pipes.effects.requests import LLMObjectListRequest, LLMObjectRequest, LLMPrompt, LLMTextRequest, ObjectSpec
from pipelex.pipes.semantics._fields import checked_output
from pipelex.pipes.semantics._run import PipeRun
from pipelex.pipes.semantics._templates import Attachments, render_text, style_of

_TEXT: Final = "native.Text"
_MISMATCH: Final = "model.output_schema_mismatch"

_STRUCTURE_SYSTEM: Final = (
    "You turn a text into a JSON object. Take every value from the text; where the text says nothing, leave the field "
    "out if it is optional. Add nothing of your own."
)


async def run_llm(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeLLMBlueprint)
    prompt = await _prompt(run, blueprint)
    slot = run.output
    if run.library.is_written(slot.concept) and not slot.is_list:
        answer = await run.ask(LLM_TEXT, LLMTextRequest(prompt=prompt), blueprint.model)
        return _finish(run, Stuff(slot.concept, _written(run, {"text": answer.text})))
    if blueprint.structuring_method == "preliminary_text":
        answer = await run.ask(LLM_TEXT, LLMTextRequest(prompt=prompt), blueprint.model)
        prompt = _structure_prompt(answer.text)
    return _finish(run, await _generate(run, blueprint.structuring_model, prompt))


async def run_structure(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeStructureBlueprint)
    text = exactly(as_object(run.single_input().content)["text"], str)
    return _finish(run, await _generate(run, blueprint.model, _structure_prompt(text)))


def _written(run: PipeRun, text: Json) -> Json:
    """The output's content for a text that a model wrote; in a `TextAndImages`, it becomes the field `text`."""
    return {"text": text} if _has_images(run) else text


def _has_images(run: PipeRun) -> bool:
    return run.library.native_base(run.output.concept) == "TextAndImages"


def _finish(run: PipeRun, value: Stuff) -> tuple[PipeOutcome, WorkingMemory]:
    return PipeOutcome.of(value), run.memory.with_result(None, value)


async def _generate(run: PipeRun, model: ModelName, prompt: LLMPrompt) -> Stuff:
    slot = run.output
    concept = _TEXT if _has_images(run) else slot.concept
    spec = ObjectSpec(concept=concept, shape=shape_to_json(run.library.shape(concept)))
    if not slot.is_list:
        answer = await run.ask(LLM_OBJECT, LLMObjectRequest(prompt=prompt, spec=spec), model)
        return Stuff(slot.concept, checked_output(run, concept, answer.content, code=_MISMATCH))
    request = LLMObjectListRequest.sparse(prompt=prompt, spec=spec, count=slot.count)
    items = (await run.ask(LLM_OBJECT_LIST, request, model)).items
    if slot.count is not None and len(items) != slot.count:
        raise run.failure(
            _MISMATCH,
            f"pipe '{run.pipe.code}' asks for {slot.count} values; the model gave {len(items)}",
            concept=slot.concept,
        )
    contents = [_written(run, checked_output(run, concept, item, code=_MISMATCH)) for item in items]
    return Stuff.of_list(slot.concept, contents)


async def _prompt(run: PipeRun, blueprint: PipeLLMBlueprint) -> LLMPrompt:
    attachments = Attachments()
    style = style_of(blueprint.templating_style, run.runtime.options)
    system: str | None = None
    if blueprint.system_prompt is not None:
        rendered = await render_text(
            run, blueprint.system_prompt, category="llm_prompt", style=style, attachments=attachments
        )
        system = rendered.text.strip() or None
    rendered = await render_text(
        run, blueprint.prompt or "", category="llm_prompt", style=style, attachments=attachments
    )
    if not rendered.text.strip() and system is None:
        raise run.failure("pipe.prompt_empty", f"the prompt of pipe '{run.pipe.code}' came out empty", part="user_text")
    return LLMPrompt.sparse(user=rendered.text, system=system, images=rendered.images, documents=rendered.documents)


def _structure_prompt(text: str) -> LLMPrompt:
    return LLMPrompt(system=_STRUCTURE_SYSTEM, user=f"<text>\n{text}\n</text>")
