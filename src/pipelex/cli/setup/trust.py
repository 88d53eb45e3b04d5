"""`pipelex trust`."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.console import say, tell_out
from pipelex.cli._shared.group import command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.errors.json import Json

if TYPE_CHECKING:
    from pipelex.config import Settings

_EXAMPLES = """\b
Examples:
  pipelex trust
  pipelex trust --yes
  pipelex trust --list
  pipelex trust --revoke"""

app = command_app()


@app.command(epilog=_EXAMPLES)
def trust(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Trust without being asked.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="Only list what needs trust, and what has it.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Stop trusting the project's files.")] = False,
    is_json: JsonFlag = False,
) -> None:
    """Trust the configuration of this project. Its files may then name your variables, secrets and addresses.

    It shows what would be read and where it would go. A file that changes needs trust again. For workers and CI there
    is `pipelex --trust-project`, or the variable PIPELEX_TRUST_PROJECT.
    """
    from pipelex.config import load_settings
    from pipelex.config.trust import forget_trust

    settings = load_settings()
    if revoke:
        gone = forget_trust(settings.home_dir, settings.base_dir)
        _tell(is_json, {"revoked": gone}, [f"no longer trusted {path}" for path in gone])
        return
    if list_:
        _list(settings, is_json=is_json)
        return
    _trust(settings, is_asked=not yes, is_json=is_json)


def _trust(settings: "Settings", *, is_asked: bool, is_json: bool) -> None:
    from pipelex.cli._shared.streams import is_terminal
    from pipelex.cli.setup.trusting import tell_demands
    from pipelex.config.trust import record_trust, require_trust

    demands = settings.demands
    if demands and not is_json:
        tell_demands(demands)
    if demands and is_asked and not (is_terminal(sys.stdin) and typer.confirm("Trust these files?", err=True)):
        require_trust(demands)
    added = [str(file) for file in record_trust(settings.home_dir, demands)]
    _tell(is_json, {"trusted": added}, [f"trusted {path}" for path in added])


def _list(settings: "Settings", *, is_json: bool) -> None:
    from pipelex.config.trust import trusted_below

    demands = settings.demands
    trusted = trusted_below(settings.home_dir, settings.base_dir)
    found = [
        {
            "file": demand.shown,
            "line": demand.line,
            "reads": list(demand.reads),
            "goes_to": demand.goes_to,
            "text": str(demand),
        }
        for demand in demands
    ]
    lines = [f"needs trust: {demand}" for demand in demands] + [f"trusted: {path}" for path in trusted]
    _tell(is_json, {"demands": found, "trusted": trusted}, lines)


def _tell(is_json: bool, data: Mapping[str, Json], lines: list[str]) -> None:
    from pipelex.cli._shared.results import print_json

    if is_json:
        print_json(data)
    elif lines:
        tell_out("\n".join(lines))
    else:
        say("Nothing in this project needs trust.")
