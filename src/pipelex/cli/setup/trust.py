"""`pipelex trust`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.console import out, say
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag

_EXAMPLES = """\b
Examples:
  pipelex trust
  pipelex trust --yes
  pipelex trust --list
  pipelex trust --forget"""

app = command_app()


@app.command(epilog=_EXAMPLES)
def trust(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Trust without being asked.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Only say what needs trust.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Trust the project's files no longer.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """Trust the configuration of this project: its files may then name your variables, secrets and addresses.

    Says what would be read and where it would go. A file that changes is asked for again. For workers and CI there is
    `pipelex --trust-project`, or the variable PIPELEX_TRUST_PROJECT.
    """
    from pipelex.cli._shared.results import print_json
    from pipelex.cli._shared.streams import is_terminal
    from pipelex.cli._shared.trusting import demands_of, tell_demands
    from pipelex.config import load_settings
    from pipelex.config.trust import forget_trust, record_trust, require_trust

    settings = load_settings()
    if forget:
        gone = forget_trust(settings.home_dir, settings.base_dir)
        out("\n".join(f"forgotten {path}" for path in gone) or "No file of this project was trusted.")
        return
    demands = demands_of(settings)
    if is_json:
        print_json(
            {"demands": [{"file": demand.shown, "line": demand.line, "text": str(demand)} for demand in demands]}
        )
    elif demands:
        tell_demands(demands)
    else:
        out("Nothing in this project needs trust, or all of it is trusted.")
    if list_ or not demands:
        return
    if not yes and not (is_terminal(sys.stdin) and typer.confirm("Trust these files?", err=True)):
        require_trust(demands)
    files: list[Path] = record_trust(settings.home_dir, dict.fromkeys(demand.file for demand in demands))
    for file in files:
        say(f"trusted {file}")
