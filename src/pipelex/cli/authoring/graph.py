"""`pipelex graph`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._console import out, paint_out
from pipelex.cli._group import command_app
from pipelex.cli._session import JsonFlag
from pipelex.cli.authoring._loading import LibraryDirs, PipeOption

_EXAMPLES = """\b
Examples:
  pipelex graph report.mthds
  pipelex graph report.mthds --format html --out report.html
  pipelex graph methods/report --pipe sum_up --direction left_to_right"""

app = command_app(no_args_is_help=True)


class GraphFormat(StrEnum):
    """What a graph is written as."""

    MERMAID = "mermaid"
    HTML = "html"
    JSON = "json"


class GraphDirection(StrEnum):
    """Which way values flow in the drawing."""

    TOP_DOWN = "top_down"
    LEFT_TO_RIGHT = "left_to_right"


@app.command(epilog=_EXAMPLES)
def graph(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="PATH", help="A bundle file, a folder, or a pipe's code.")],
    pipe: PipeOption = None,
    file_format: Annotated[
        GraphFormat | None, typer.Option("--format", "-f", help="Default: by --out's ending, else mermaid.")
    ] = None,
    out_file: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Instead of the output.")] = None,
    direction: Annotated[GraphDirection, typer.Option("--direction", help="Which way it flows.")] = (
        GraphDirection.TOP_DOWN
    ),
    library_dir: LibraryDirs = None,
    is_json: JsonFlag = False,
) -> None:
    """Draw what a method runs and which value goes where, without running it."""
    import json

    from pipelex.cli.authoring._loading import open_method, target_of
    from pipelex.tooling.graph import static_graph, to_html, to_mermaid

    wanted = GraphFormat.JSON if is_json else file_format or _by_ending(out_file)
    found = target_of(ctx, "auto", target, pipe, library_dir or [])
    method = open_method(ctx, found, library_dir or [])
    drawn = static_graph(method.library, method.pipe(found.pipe).ref)
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
        out(f"{paint_out()('✓', 'green')} wrote {out_file}")


def _by_ending(file: Path | None) -> GraphFormat:
    if file is None:
        return GraphFormat.MERMAID
    return {".html": GraphFormat.HTML, ".htm": GraphFormat.HTML, ".json": GraphFormat.JSON}.get(
        file.suffix, GraphFormat.MERMAID
    )
