"""What a workflow was started with, looked at before it runs: anybody who may start one may have written it by hand."""

from pipelex.content.structure import ContentError, ListShape, validate
from pipelex.content.stuff import Stuff
from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.library import Library
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.references import parts_of


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
        )


def check_contents(library: Library, call: PipeCall) -> None:
    """Refuse inputs whose content is none of their concept; lists by reference are checked where they are read.

    Raises:
        PipelexError: `input.invalid`.
    """
    for name, stuff in call.inputs.items():
        if not parts_of(stuff):
            _check_content(library, name, stuff)


def _check_content(library: Library, name: str, stuff: Stuff) -> None:
    shape = library.shape(stuff.concept)
    try:
        if stuff.is_list:
            validate(ListShape(shape), stuff.items, where=name)
        else:
            validate(shape, stuff.content, where=name)
    except ContentError as wrong:
        place, message = wrong.findings[0]
        raise PipelexError(
            "input.invalid",
            f"the input '{name}' is no {stuff.concept}: {place} {message}",
            category=ErrorCategory.CONTENT,
            params={"input": name, "field": place.removeprefix(name).removeprefix(".")},
            location=Location(input=name),
        ) from None
    except (KeyError, TypeError) as wrong:
        detail = f"the input '{name}' is no list of {stuff.concept}: {type(wrong).__name__}"
        raise PipelexError(
            "input.invalid", detail, category=ErrorCategory.CONTENT, params={"input": name, "field": ""}
        ) from None
