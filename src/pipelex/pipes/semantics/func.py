"""PipeFunc: a Python function of the method tree (section 6.8 of the language reference)."""

from typing import Final

from pipelex.content.inputs import expanded
from pipelex.content.stuff import Absence, Json, Stuff, WorkingMemory
from pipelex.errors import PipelexError
from pipelex.language.blueprints import PipeFuncBlueprint
from pipelex.pipes.calls import PipeOutcome
from pipelex.pipes.effects.kinds import FUNCTION
from pipelex.pipes.effects.requests import FunctionRequest
from pipelex.pipes.semantics._fields import checked_output
from pipelex.pipes.semantics._run import PipeRun

_MEMBERS: Final = {"Html": "inner_html", "Choice": "choice", "Rating": "level"}
"""Native concepts that a function may return as a bare value, besides those that inputs may, and their fields."""


async def run_func(run: PipeRun) -> tuple[PipeOutcome, WorkingMemory]:
    blueprint = run.pipe.blueprint
    assert isinstance(blueprint, PipeFuncBlueprint)
    slot = run.output
    inputs = {name: value for name in run.pipe.inputs if (value := run.memory.get(name)) is not None}
    request = FunctionRequest.sparse(
        function=blueprint.function_name,
        file=run.file,
        inputs=inputs,
        absent=tuple(name for name in run.pipe.inputs if name not in inputs),
        output_concept=slot.concept,
        is_list=slot.is_list,
    )
    try:
        result = await run.ask(FUNCTION, request)
    except PipelexError as failed:
        raise failed.with_report(params={"pipe": run.pipe.ref, **failed.report.params}) from failed.__cause__
    value = _checked(run, result.content)
    return PipeOutcome.of(value), run.memory.with_result(None, value)


def _content(run: PipeRun, given: Json) -> Json:
    """The result of a function as the concept's content; a `str` may stand for a Text, and a number for a Number."""
    concept = run.output.concept
    member = _MEMBERS.get(run.library.native_base(concept) or "")
    if member is not None and not isinstance(given, dict | list):
        given = {member: given}
    return checked_output(run, concept, expanded(run.library.shape(concept), given))


def _checked(run: PipeRun, content: Json) -> Stuff | Absence:
    slot = run.output
    if content is None and slot.presence == "optional":
        return Absence("declared_absent", pipe=run.pipe.ref)
    items = content.get("items") if isinstance(content, dict) else None
    if slot.takes_any_number and isinstance(content, list):
        return Stuff.of_list(slot.concept, content)
    if not slot.is_list:
        return Stuff(slot.concept, _content(run, content))
    if not isinstance(items, list):
        raise run.failure(
            "pipe.output_multiplicity",
            f"function '{run.pipe.code}' gave a single value where a list of {slot.concept} is declared",
            output=slot.concept,
            declared="list",
            produced="single",
        )
    contents = [_content(run, item) for item in items]
    if slot.count is not None and len(contents) != slot.count:
        raise run.failure(
            "pipe.output_multiplicity",
            f"function '{run.pipe.code}' gave {len(contents)} values where {slot.count} are declared",
            output=slot.concept,
            declared="list",
            produced="list",
        )
    return Stuff.of_list(slot.concept, contents)
