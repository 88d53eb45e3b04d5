"""Asking the user whether a project's files are trusted."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import say
from pipelex.cli._shared.streams import is_terminal

if TYPE_CHECKING:
    from pipelex.config import Settings
    from pipelex.config.trust import Demand


def ask_for_trust(settings: "Settings") -> bool:
    """Ask on a terminal whether the project's files are trusted, and record the answer.

    Returns:
        Whether files became trusted that were not before.

    Raises:
        ConfigurationError: an inference file is wrong.
        ProjectNotTrustedError: nobody can be asked, or the answer is no.
    """
    from pipelex.config.trust import record_trust, require_trust

    demands = settings.demands
    if not demands:
        return False
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        require_trust(demands)
    tell_demands(demands)
    if not typer.confirm("Trust these files?", err=True):
        require_trust(demands)
    record_trust(settings.home_dir, demands)
    return True


def tell_demands(demands: "Sequence[Demand]") -> None:
    """Say what the project's files would read, and where it would go."""
    say("Files of this project use your variables, secrets or files, or send something to an address:")
    for demand in demands:
        say(f"  {demand}")
