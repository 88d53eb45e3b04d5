"""`pipelex lint`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.console import paint_out, tell_out
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.errors.json import Json, as_object
from pipelex.exits import ExitCode

_EXAMPLES = """\b
Examples:
  pipelex lint report.mthds
  pipelex lint methods/ --json"""

app = command_app(no_args_is_help=True)


@app.command(epilog=_EXAMPLES)
def lint(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Bundle files or folders.")],
    is_json: JsonFlag = False,
) -> None:
    """Check bundles against the standard's schema alone; `pipelex validate` checks their meaning, too."""
    from pipelex.cli._shared.results import print_json
    from pipelex.cli.authoring.tools import bundle_files, bundle_text, tools
    from pipelex.tooling.lint import placed

    lint_mthds = tools().lint_mthds
    paint = paint_out()
    report: list[dict[str, Json]] = []
    for path in bundle_files(paths):
        text, wrong = bundle_text(path)
        for found in wrong or placed(text, lint_mthds(text)["diagnostics"]):
            report.append({"path": str(path), **found})
            if not is_json:
                place = as_object(found["range"] or {"start_line": 1, "start_col": 1})
                where = f"{path}:{place['start_line']}:{place['start_col']}"
                about = f" ({found['location']})" if found["location"] else ""
                tell_out(f"{where}: {paint(str(found['kind']), 'red')}: {found['message']}{about}")
    if is_json:
        print_json(report)
    raise typer.Exit(ExitCode.FAILED if report else ExitCode.DONE)
