"""The inputs and the output of each type of operator (section 6 of the language reference)."""

from pipelex.content.structure import ObjectShape, nested_objects
from pipelex.language.blueprints import JudgeKind, PipeJudgeBlueprint
from pipelex.language.templates import analyse_template
from pipelex.library._library import DYNAMIC, Pipe
from pipelex.library._paths import Reached, walk_path
from pipelex.library._validate._context import Checks, Rule, shown
from pipelex.library._validate._outputs import report_output

_VERDICTS: dict[JudgeKind, str] = {"yes_no": "YesNo", "choice": "Choice", "rating": "Rating"}
_QUESTIONS: dict[JudgeKind, str] = {
    "yes_no": "a yes/no question",
    "choice": "a question with options",
    "rating": "a question with levels",
}


def gives_no_image(checks: Checks, pipe: Pipe) -> None:
    if pipe.type == "PipeLLM" and checks.library.native_base(pipe.output.concept) == "TextAndImages":
        return  # the model's text, without images
    shape = checks.library.shape(pipe.output.concept)
    image = next((found for found in nested_objects(shape) if found.native == "Image"), None)
    if image is None:
        return
    concept = shown(pipe.output)
    what = "is an Image" if isinstance(shape, ObjectShape) and shape.native == "Image" else "contains an Image"
    report_output(
        checks,
        pipe,
        f"the output '{concept}' of '{checks.label(pipe)}' {what}, but a language model cannot make images:"
        " make the image with a PipeImgGen",
        pipe.output.concept,
        "output",
        is_image=pipe.type == "PipeLLM",
    )


def gives_no_text(checks: Checks, pipe: Pipe) -> None:
    if checks.library.is_text(pipe.output.concept):
        report_output(
            checks,
            pipe,
            f"the PipeStructure '{checks.label(pipe)}' turns a text into an object, but its output '{shown(pipe.output)}'"
            " is a text itself: declare a concept with a structure",
            pipe.output.concept,
            "output",
        )


def takes_one_of(*natives: str) -> Rule:
    """The rule that the one input is a single value of one of some native concepts."""
    wanted = _listed(natives)

    def check(checks: Checks, pipe: Pipe) -> None:
        name, slot = next(iter(pipe.inputs.items()))
        if slot.concept == DYNAMIC or (checks.library.native_base(slot.concept) in natives and not slot.is_list):
            return
        checks.report(
            pipe,
            "method.input_concept_mismatch",
            f"a {pipe.type} takes one {wanted}, or a concept that refines it; input '{name}' of '{checks.label(pipe)}'"
            f" is '{shown(slot)}'",
            "inputs",
            name,
            category="input_stuff_spec_mismatch",
            input=name,
            declared=slot.concept,
            expected=f"native.{natives[0]}",
        )

    return check


def _listed(natives: tuple[str, ...]) -> str:
    return " or ".join(native for native in natives if native != "Markdown")


def gives_one_of(*natives: str) -> Rule:
    """The rule that the output is one of some native concepts."""
    wanted = _listed(natives)

    def check(checks: Checks, pipe: Pipe) -> None:
        if checks.library.native_base(pipe.output.concept) in natives:
            return
        report_output(
            checks,
            pipe,
            f"a {pipe.type} returns {wanted}, or a concept that refines it; the output of '{checks.label(pipe)}' is"
            f" '{shown(pipe.output)}'",
            f"native.{natives[0]}",
            "output",
        )

    return check


def gives_single(checks: Checks, pipe: Pipe) -> None:
    if pipe.output.is_list:
        checks.report(
            pipe,
            "method.output_multiplicity_mismatch",
            f"a {pipe.type} returns one value: remove the brackets from the output of '{checks.label(pipe)}'",
            "output",
            category="inadequate_output_multiplicity",
            declared="list" if pipe.output.count is None else "fixed",
            expected="single",
        )


def check_judge(checks: Checks, pipe: Pipe) -> None:
    """Check that the output has a verdict for each question: the native concept of its kind, or a field of that."""
    blueprint = pipe.blueprint
    assert isinstance(blueprint, PipeJudgeBlueprint)
    _check_questions(checks, pipe, blueprint)
    if blueprint.questions is None:
        ((_, question),) = blueprint.all_questions.items()
        native = _VERDICTS[question.kind]
        if checks.library.native_base(pipe.output.concept) != native:
            report_output(
                checks,
                pipe,
                f"{_QUESTIONS[question.kind]} is answered by a {native}; the output of '{checks.label(pipe)}' is"
                f" '{shown(pipe.output)}'",
                f"native.{native}",
                "output",
            )
        return
    shape = checks.library.shape(pipe.output.concept)
    concept = shown(pipe.output)
    if not isinstance(shape, ObjectShape) or shape.native is not None:
        report_output(
            checks,
            pipe,
            f"several questions need an output with a structure, one field for each; '{concept}' has none",
            pipe.output.concept,
            "output",
        )
        return
    for name, question in blueprint.questions.items():
        field = shape.field(name)
        native = _VERDICTS[question.kind]
        if field is None:
            detail = f"'{concept}' has no field for the question '{name}': add one of type concept, a {native}"
        elif not isinstance(field.shape, ObjectShape) or field.shape.native != native:
            detail = (
                f"{_QUESTIONS[question.kind]} is answered by a {native}; the field '{name}' of '{concept}' must be"
                f' type = "concept", concept_ref = "{native}"'
            )
        else:
            continue
        report_output(checks, pipe, detail, f"native.{native}", "questions", name)
    extra = [field.name for field in shape.fields if field.name not in blueprint.questions]
    if extra:
        report_output(
            checks,
            pipe,
            f"the fields of '{concept}' must be exactly the questions; no question answers {', '.join(extra)}",
            pipe.output.concept,
            "output",
        )


def _check_questions(checks: Checks, pipe: Pipe, blueprint: PipeJudgeBlueprint) -> None:
    """Check that questions are plain text: images and documents are evidence, and belong in the prompt."""
    for site in blueprint.sites:
        if site.keys[-1] != "question":
            continue
        analysis = analyse_template(
            site.template, category=site.category, sigils=site.has_sigils, declared=tuple(pipe.inputs)
        )
        for read in analysis.reads:
            slot = pipe.inputs.get(read.root)
            reached = None if slot is None else walk_path(checks.library, slot, read.path[1:])
            if not isinstance(reached, Reached):
                continue
            base = checks.library.native_base(reached.slot.concept)
            if base in ("Image", "Document"):
                checks.report(
                    pipe,
                    "method.wiring_invalid",
                    f"a question is plain text, but '{'.'.join(read.path)}' is {'an' if base == 'Image' else 'a'} {base}:"
                    " show it in the prompt",
                    *site.keys,
                    category="input_stuff_spec_mismatch",
                    offset=read.offset,
                    variable_path=".".join(read.path),
                    finding=f"a question reaches {base}",
                )
