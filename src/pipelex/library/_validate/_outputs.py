"""Compares the outputs of controllers with their declarations."""

from collections.abc import Mapping

from pipelex.content.structure import ObjectShape
from pipelex.language.references import Slot
from pipelex.library._library import Pipe
from pipelex.library._validate._context import Checks, shown
from pipelex.library._validate._fields import suits


def check_given_output(checks: Checks, pipe: Pipe, given: Slot, keys: tuple[str | int, ...], site: str) -> None:
    """Compare the output of a controller's last or chosen pipe with the output that the controller declares.

    Args:
        checks: the collector of faults.
        pipe: the controller.
        given: the slot of the value; `optional` when it may be absent.
        keys: the keys that name the pipe that returns it.
        site: the `site` of a fault about absence.
    """
    declared = pipe.output
    label = checks.label(pipe)
    if not checks.library.is_compatible(given.concept, declared.concept):
        report_output(
            checks,
            pipe,
            f"'{label}' declares the output '{shown(declared)}', but {_what(keys)} returns '{shown(given)}':"
            f" make the two agree",
            given.concept,
            *(("output",) if site == "sequence_step" else keys),
        )
    elif not _is_as_many(given, declared):
        checks.report(
            pipe,
            "method.output_multiplicity_mismatch",
            f"'{label}' declares the output '{shown(declared)}', but {_what(keys)} returns '{shown(given)}':"
            f" write '{_with_number_of(declared, given)}', or change what is returned",
            *(("output",) if site == "sequence_step" else keys),
            category="inadequate_output_multiplicity",
            declared=_multiplicity(declared),
            expected=_multiplicity(given),
        )
    elif given.presence == "optional" and declared.presence != "optional":
        checks.report(
            pipe,
            "method.optional_unhandled",
            f"{_what(keys)} of '{label}' may return nothing, but the output '{shown(declared)}' does not allow that:"
            f" declare '{shown(declared)}?', or make sure that there is always a value",
            *keys,
            category="optional_not_handled",
            input=None,
            site=site,
        )


def check_parallel_output(checks: Checks, pipe: Pipe, results: Mapping[str, tuple[int, Slot | None]]) -> None:
    """Compare the results of a PipeParallel's branches with its output.

    Args:
        checks: the collector of faults.
        pipe: the PipeParallel.
        results: result name → index of the branch and its slot, None where it is unknown.
    """
    concept = pipe.output.concept
    base = checks.library.native_base(concept)
    if base == "Composite":
        return
    shape = checks.library.shape(concept)
    if base is not None or not isinstance(shape, ObjectShape):
        checks.report(
            pipe,
            "method.schema_violation",
            f"the output of the PipeParallel '{checks.label(pipe)}' is '{shown(pipe.output)}': it must be 'Composite',"
            " or a concept with a structure whose fields are the branches",
            "output",
            category="blueprint_validation",
            field_path=f"pipe.{pipe.code}.output",
            finding="parallel_output",
        )
        return
    for name, (index, slot) in results.items():
        field = shape.field(name)
        if field is None or slot is None:  # a branch without a field runs, but its result is not part of the output
            continue
        if not suits(checks.library, field.shape, slot):
            report_output(
                checks, pipe, f"the branch '{name}' returns '{shown(slot)}', which does not fit the field of {shape.title}",
                slot.concept, "branches", index, "pipe",
            )  # fmt: skip
        elif slot.presence == "optional" and field.required:
            checks.report(
                pipe,
                "method.optional_unhandled",
                f"the branch '{name}' may return nothing, but {shape.title} requires that field: make the field optional,"
                " or make sure that the branch always returns a value",
                "branches",
                index,
                "pipe",
                category="optional_branch_required_field",
                input=name,
                site="parallel_branch",
            )
    missing = [field.name for field in shape.fields if field.required and field.name not in results]
    if missing:
        report_output(
            checks, pipe, f"no branch fills the required {_fields(missing)} of {shape.title}: add a branch with that result",
            concept, "branches",
        )  # fmt: skip


def report_output(
    checks: Checks, pipe: Pipe, detail: str, expected: str, *keys: str | int, is_image: bool = False
) -> None:
    """Report that a pipe cannot return its declared output concept."""
    checks.report(
        pipe,
        "method.output_concept_mismatch",
        detail,
        *keys,
        category="llm_output_cannot_be_image" if is_image else "inadequate_output_concept",
        declared=pipe.output.concept,
        expected=expected,
        pipe_type=pipe.type,
    )


def _what(keys: tuple[str | int, ...]) -> str:
    match keys:
        case ("steps", int(index), *_):
            return f"its last step ({index + 1})"
        case ("outcomes", key):
            return f"the outcome '{key}'"
        case ("default_outcome",):
            return "the default outcome"
        case _:
            return "its branch"


def _is_as_many(given: Slot, declared: Slot) -> bool:
    if declared.takes_any_number:
        return True
    return given.is_list == declared.is_list and declared.count in (None, given.count)


def _multiplicity(slot: Slot) -> str:
    if not slot.is_list:
        return "single"
    return "list" if slot.count is None else "fixed"


def _with_number_of(declared: Slot, given: Slot) -> str:
    return shown(Slot(declared.concept, given.is_list, given.count))


def _fields(names: list[str]) -> str:
    quoted = ", ".join(f"'{name}'" for name in names)
    return f"field {quoted}" if len(names) == 1 else f"fields {quoted}"
