"""`pipelex graph`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.console import out, paint_out, tell_out
from pipelex.cli._shared.group import Misuse, command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.cli.authoring.loading import LibraryDirs, PipeOption

if TYPE_CHECKING:
    from pipelex.tooling.graph import StaticGraph

_EXAMPLES = """\b
Examples:
  pipelex graph report.mthds
  pipelex graph report.mthds --format html --out report.html
  pipelex graph methods/report --pipe sum_up --direction left_to_right
  pipelex graph render results/report_output_01/graphspec.json"""

app = command_app(no_args_is_help=True)


class GraphFormat(StrEnum):
    """The format of a graph."""

    MERMAID = "mermaid"
    HTML = "html"
    JSON = "json"


class GraphDirection(StrEnum):
    """The direction in which values flow in the drawing."""

    TOP_DOWN = "top_down"
    LEFT_TO_RIGHT = "left_to_right"


@app.command(epilog=_EXAMPLES)
def graph(
    ctx: typer.Context,
    target: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="A bundle file, a folder, or a pipe's code; or `render FILE`: the saved graph of a run.",
        ),
    ],
    pipe: PipeOption = None,
    file_format: Annotated[
        GraphFormat | None,
        typer.Option("--format", "-f", help="The format; by default that of --out's ending, else mermaid."),
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The file to write, instead of standard output.")
    ] = None,
    direction: Annotated[GraphDirection, typer.Option("--direction", help="The direction of the drawing.")] = (
        GraphDirection.TOP_DOWN
    ),
    library_dir: LibraryDirs = None,
    is_json: JsonFlag = False,
) -> None:
    """Draw the pipes of a method and the values between them, without running it, or draw a finished run."""
    import json

    from pipelex.tooling.graph import to_html, to_mermaid

    if len(target) == 2 and target[0] == "render":
        file = Path(target[1])
        drawn = _saved(file)
        if out_file is None and file_format is None and not is_json:
            out_file = file.with_suffix(".html")
    elif len(target) == 1:
        drawn = _static(ctx, target[0], pipe, library_dir or [])
    else:
        raise Misuse(_several(target))
    wanted = GraphFormat.JSON if is_json else file_format or _by_ending(out_file)
    if wanted is GraphFormat.JSON:
        text = json.dumps(drawn.to_json(), ensure_ascii=False, indent=2) + "\n"
    elif wanted is GraphFormat.HTML:
        text = to_html(drawn, direction.value)
    else:
        text = to_mermaid(drawn, direction.value)
    if out_file is None:
        out(text.rstrip("\n"))
        return
    out_file.parent.mkdir(parents=True, exist_ok=True)
    out_file.write_text(text, encoding="utf-8")
    if not is_json:
        tell_out(f"{paint_out()('✓', 'green')} wrote {out_file}")


def _several(targets: list[str]) -> str:
    """What to type if several paths are named, or a pipe without its option."""
    from pipelex.cli.mistakes.retyped import advised
    from pipelex.cli.mistakes.surplus import declares

    if len(targets) == 2 and declares(Path(targets[0]), targets[1]):
        advice = advised([["graph", targets[0], "--pipe", targets[1]]])
        return f"a pipe of a file is named with --pipe. {advice}"
    return f"`pipelex graph` draws one PATH at a time. {advised(['graph', each] for each in targets)}"


def _static(ctx: typer.Context, target: str, pipe: str | None, library_dirs: list[Path]) -> "StaticGraph":
    from pipelex.cli.authoring.loading import open_method, target_of
    from pipelex.tooling.graph import static_graph

    found = target_of(ctx, "auto", target, pipe, library_dirs)
    method = open_method(ctx, found, library_dirs)
    return static_graph(method.library, method.pipe(found.pipe).ref)


def _saved(file: Path) -> "StaticGraph":
    """The graph of a run from its file.

    Raises:
        PipelexError: the file cannot be read, or is not a graph of a run.
    """
    import json

    from pipelex.errors import ErrorCategory, PipelexError
    from pipelex.tooling.graph import run_graph

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as unreadable:
        why = unreadable.strerror if isinstance(unreadable, OSError) else f"it is not JSON: {unreadable}"
        raise PipelexError(
            "input.file_unreadable",
            f"'{file}' cannot be read: {why}",
            category=ErrorCategory.CONTENT,
            params={"input": str(file), "file_type": "json", "reason": type(unreadable).__name__},
            advice="Give it a graphspec.json, as `pipelex run` leaves it beside a result.",
        ) from None
    return run_graph(document)


def _by_ending(file: Path | None) -> GraphFormat:
    if file is None:
        return GraphFormat.MERMAID
    return {".html": GraphFormat.HTML, ".htm": GraphFormat.HTML, ".json": GraphFormat.JSON}.get(
        file.suffix, GraphFormat.MERMAID
    )
