"""What an entry workflow is given: another program, or a person, may have written it by hand."""

from typing import Final

from pipelex.content.inputs import UnresolvedConcept
from pipelex.content.structure import ContentError, ListShape, validate
from pipelex.content.stuff import Stuff
from pipelex.errors import ErrorCategory, Json, Location, PipelexError
from pipelex.language.references import Slot
from pipelex.library import Library
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.references import parts_of

WRITTEN_JOB: Final = "`pipelex build job TARGET -i …` writes the arguments of a run."
"""The advice where an argument of a workflow is none."""


def check_type(library: Library, call: PipeCall, pipe_type: str) -> None:
    """Refuse a pipe of another type than the workflow's: what may run where is told by types of workflows.

    Raises:
        PipelexError: `request.malformed`.
    """
    pipe = library.pipe(call.pipe)
    if pipe.type != pipe_type:
        raise PipelexError(
            "request.malformed",
            f"a workflow of type '{pipe_type}' runs pipes of that type, and '{pipe.ref}' is a {pipe.type}",
            category=ErrorCategory.CONTENT,
            params={"reason": "invalid_argument"},
            advice=WRITTEN_JOB,
        )


def check_inputs(library: Library, call: PipeCall) -> None:
    """Refuse inputs that are not those which the pipe declares, before anything is asked of a model.

    Lists by reference are checked where they are read.

    Raises:
        PipelexError: `input.missing`, `input.unexpected`, `input.wrong_concept`, `input.wrong_multiplicity` or
            `input.invalid`.
    """
    slots = library.pipe(call.pipe).inputs
    for name in call.inputs:
        if name not in slots:
            declared = f"the declared inputs are {', '.join(slots)}" if slots else "the pipe takes no inputs"
            raise _refused("input.unexpected", f"'{name}' is not an input: {declared}", name)
    for name, slot in slots.items():
        stuff = call.inputs.get(name)
        if stuff is not None:
            _check_slot(library, name, slot, stuff)
            if not parts_of(stuff):
                _check_content(library, name, stuff)
            _check_count(name, slot, stuff)
        elif slot.presence != "optional":
            raise _refused("input.missing", f"the input '{name}' ({slot}) is missing", name)


def _check_slot(library: Library, name: str, slot: Slot, stuff: Stuff) -> None:
    try:
        given = library.resolve(stuff.concept)
    except UnresolvedConcept as unknown:
        raise _refused(
            "input.wrong_concept",
            f"the input '{name}': {unknown}",
            name,
            expected=slot.concept,
            provided=stuff.concept,
        ) from None
    if not library.is_compatible(given, slot.concept):
        detail = f"the input '{name}' takes a {slot.concept}, not a {given}"
        raise _refused("input.wrong_concept", detail, name, expected=slot.concept, provided=given)
    if slot.is_list != stuff.is_list:
        expected = "list" if slot.is_list else "single"
        wanted = f"a list of {slot.concept}" if slot.is_list else "one value, not a list"
        raise _refused("input.wrong_multiplicity", f"the input '{name}' takes {wanted}", name, expected=expected)


def _check_count(name: str, slot: Slot, stuff: Stuff) -> None:
    if slot.count is not None and stuff.count != slot.count:
        raise _refused(
            "input.wrong_multiplicity",
            f"the input '{name}' takes exactly {slot.count} values of {slot.concept}, not {stuff.count}",
            name,
            expected="count",
            expected_count=slot.count,
        )


def _check_content(library: Library, name: str, stuff: Stuff) -> None:
    shape = library.shape(stuff.concept)
    try:
        if stuff.is_list:
            validate(ListShape(shape), stuff.items, where=name)
        else:
            validate(shape, stuff.content, where=name)
    except ContentError as wrong:
        place, message = wrong.faults[0]
        detail = f"the input '{name}' is not a valid {stuff.concept}: {place} {message}"
        field = place.removeprefix(name).removeprefix(".")
        raise _refused("input.invalid", detail, name, field=field) from None
    except (KeyError, TypeError) as wrong:
        detail = f"the input '{name}' is not a list of {stuff.concept}: {type(wrong).__name__}"
        raise _refused("input.invalid", detail, name, field="") from None


def _refused(code: str, detail: str, name: str, **params: Json) -> PipelexError:
    return PipelexError(
        code,
        detail,
        category=ErrorCategory.CONTENT,
        params={"input": name, **params},
        location=Location(input=name),
    )
