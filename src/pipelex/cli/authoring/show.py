"""`pipelex show pipe` and `pipelex show concept`."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.console import out, paint_out, table, tell_out
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.session import JsonFlag
from pipelex.cli.authoring.loading import LibraryDirs

if TYPE_CHECKING:
    from pipelex.errors import Json
    from pipelex.library import Pipe
    from pipelex.runner import Method


def show_pipe(
    ctx: typer.Context,
    ref: Annotated[str | None, typer.Argument(metavar="REF", help="The pipe's code, or domain.code.")] = None,
    all_pipes: Annotated[bool, typer.Option("--all", "-a", help="List every pipe.")] = False,
    library_dir: LibraryDirs = None,
    is_json: JsonFlag = False,
) -> None:
    """Show a pipe: its inputs, its output, the pipes it runs."""
    from pipelex.cli._shared.results import print_json
    from pipelex.cli._shared.targets import pipe_target
    from pipelex.cli.authoring.loading import open_method

    if (ref is None) != all_pipes:
        raise Misuse("name a pipe, or give --all")
    method = open_method(ctx, pipe_target(ref, library_dir or []), library_dir or [], is_valid=False)
    pipes = [method.pipe(each) for each in ((ref,) if ref is not None else method.library.own_pipes)]
    if is_json:
        found = [_pipe_json(method, pipe) for pipe in pipes]
        print_json(found if ref is None else found[0])
    elif ref is None:
        rows = [[pipe.ref, pipe.type, _slots(pipe), str(pipe.output), _place(method, pipe.ref)] for pipe in pipes]
        out(table(rows, ["pipe", "type", "takes", "gives", "declared in"], paint_out()))
    else:
        _print_pipe(method, pipes[0])


def show_concept(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="The concept's code, or domain.Code.")],
    library_dir: LibraryDirs = None,
    is_json: JsonFlag = False,
) -> None:
    """Show a concept: its fields, its parent, its description."""
    from pipelex.cli._shared.results import print_json
    from pipelex.cli._shared.targets import pipe_target
    from pipelex.cli.authoring.loading import open_method
    from pipelex.content.structure import ObjectShape, json_schema

    method = open_method(ctx, pipe_target(None, library_dir or []), library_dir or [], is_valid=False)
    found = method.library.concept(concept_ref(method, ref))
    shape = method.library.shape(found.ref)
    if is_json:
        answer: dict[str, Json] = {
            "ref": found.ref,
            "description": found.description,
            "json_schema": json_schema(shape),
        }
        if found.refines is not None:
            answer["refines"] = found.refines
        print_json({**answer, "declared_in": _place(method, found.ref) or None})
        return
    paint = paint_out()
    tell_out(paint(found.ref, "bold") + (f"  refines {found.refines}" if found.refines else ""))
    tell_out(found.description)
    if place := _place(method, found.ref):
        tell_out(f"{paint('declared in', 'dim')} {place}")
    if isinstance(shape, ObjectShape):
        rows = [[field.name, "yes" if field.required else "", field.description] for field in shape.fields]
        out("\n" + table(rows, ["field", "required", "description"], paint))


def concept_ref(method: "Method", name: str) -> str:
    """The qualified reference of a concept that a person names.

    Raises:
        PipelexError: no concept has that name, or several have it (`method.concept_unresolved`).
    """
    from pipelex.content.inputs import UnresolvedConcept
    from pipelex.errors import ErrorCategory, PipelexError

    try:
        return method.library.resolve(name)
    except UnresolvedConcept as unknown:
        near = list(unknown.suggestions)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise PipelexError(
            "method.concept_unresolved",
            f"{unknown}{hint}",
            category=ErrorCategory.CONTENT,
            params={"concept": name, "suggestions": near},
        ) from None


def _slots(pipe: "Pipe") -> str:
    return ", ".join(f"{name}: {slot}" for name, slot in pipe.inputs.items())


def _place(method: "Method", ref: str) -> str:
    from pipelex.cli.authoring.loading import place_of

    if ref not in method.loaded.linked.sources:
        return ""
    place = place_of(method, ref)
    return f"{place.file}:{place.line}"


def _pipe_json(method: "Method", pipe: "Pipe") -> "dict[str, Json]":
    from pipelex.tooling.contracts import pipe_io_contract

    return {
        "ref": pipe.ref,
        "type": pipe.type,
        "description": pipe.description,
        "declared_in": _place(method, pipe.ref),
        **pipe_io_contract(method.library, pipe),
        "runs": [ref for ref in method.library.callees(pipe.ref) if ref in method.library.pipes],
    }


def _print_pipe(method: "Method", pipe: "Pipe") -> None:
    paint = paint_out()
    tell_out(f"{paint(pipe.ref, 'bold')}  {pipe.type}")
    tell_out(pipe.description)
    tell_out(f"{paint('declared in', 'dim')} {_place(method, pipe.ref)}")
    rows = [[name, str(slot), method.library.concept(slot.concept).description] for name, slot in pipe.inputs.items()]
    rows.append(["→", str(pipe.output), method.library.concept(pipe.output.concept).description])
    out("\n" + table(rows, ["takes", "concept", ""], paint))
    runs = method.library.callees(pipe.ref)
    if runs:
        tell_out(f"\nruns {', '.join(runs)}")
