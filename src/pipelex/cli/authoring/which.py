"""`pipelex which`."""

from typing import Annotated

import typer

from pipelex.cli._shared.console import out, tell_out
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.cli.authoring.loading import LibraryDirs

_EXAMPLES = """\b
Examples:
  pipelex which sum_up -L methods/
  pipelex which legal.Contract"""

app = command_app(no_args_is_help=True)


@app.command(epilog=_EXAMPLES)
def which(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="A pipe's or concept's code, or domain.code.")],
    library_dir: LibraryDirs = None,
    is_json: JsonFlag = False,
) -> None:
    """Say which file declares a pipe or a concept, as file:line."""
    from pipelex.cli._shared.results import print_json
    from pipelex.cli._shared.targets import pipe_target
    from pipelex.cli.authoring.loading import open_method, place_of
    from pipelex.cli.authoring.show import concept_ref

    method = open_method(ctx, pipe_target(None, library_dir or []), library_dir or [], is_valid=False)
    is_concept = ref.rpartition(".")[2][:1].isupper()
    found = concept_ref(method, ref) if is_concept else method.pipe(ref).ref
    if found not in method.loaded.linked.sources:
        tell_out(f"{found} is native: no file declares it") if not is_json else print_json({"ref": found, "file": None})
        return
    place = place_of(method, found)
    if is_json:
        print_json({"ref": found, "file": place.file, "line": place.line, "column": place.column})
    else:
        out(f"{place.file}:{place.line}")
