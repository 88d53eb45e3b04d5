"""`pipelex fmt`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelex.cli._shared.console import out, paint_out, say, tell_out
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.cli._shared.streams import is_terminal, stdin_text
from pipelex.errors.json import Json
from pipelex.exits import ExitCode

_EXAMPLES = """\b
Examples:
  pipelex fmt report.mthds
  pipelex fmt methods/ --check
  cat report.mthds | pipelex fmt -"""

app = command_app(no_args_is_help=True)


@app.command(epilog=_EXAMPLES)
def fmt(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Bundle files or folders; - for standard input.")
    ],
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file is not formatted.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the changes; write nothing.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """Format bundles in place."""
    from pipelex.cli._shared.results import print_json
    from pipelex.cli.authoring.tools import bundle_files, bundle_text, tools

    format_mthds = tools().format_mthds
    if [str(path) for path in paths] == ["-"]:
        found = format_mthds(stdin_text())
        if is_terminal(sys.stdout):
            out(found["formatted"].removesuffix("\n"))
        else:
            sys.stdout.write(found["formatted"])
        raise typer.Exit(ExitCode.FAILED if found["diagnostics"] else ExitCode.DONE)
    paint = paint_out()
    is_failed = False
    report: list[dict[str, Json]] = []
    for path in bundle_files(paths):
        before, wrong = bundle_text(path)
        found: dict[str, Any] = (
            {"formatted": "", "changed": False, "diagnostics": wrong} if wrong else dict(format_mthds(before))
        )
        is_failed = is_failed or bool(found["diagnostics"]) or (check and found["changed"])
        report.append({"path": str(path), "changed": found["changed"], "diagnostics": found["diagnostics"]})
        if found["changed"] and not check and not diff and not found["diagnostics"]:
            path.write_bytes(found["formatted"].encode())
        if is_json:
            continue
        for diagnostic in found["diagnostics"]:
            place = diagnostic["range"] or {"start_line": 1, "start_col": 1}
            say(f"{path}:{place['start_line']}:{place['start_col']}: {diagnostic['message']}")
        if diff and found["changed"]:
            out(_difference(str(path), before, found["formatted"]))
        elif found["changed"]:
            tell_out(f"{paint('✓', 'green')} {'would format' if check else 'formatted'} {path}")
    if is_json:
        print_json(report)
    raise typer.Exit(ExitCode.FAILED if is_failed else ExitCode.DONE)


def _difference(name: str, before: str, after: str) -> str:
    import difflib

    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    return "\n".join(lines)
