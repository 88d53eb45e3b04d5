"""The method folders that a worker is given: loaded and checked before it polls."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.cli._shared.logs import announce

if TYPE_CHECKING:
    from pipelex.config import Settings


def check_libraries(settings: "Settings", folders: Sequence[Path]) -> None:
    """Load and check method folders, and print what was found.

    Raises:
        PipelexError: a folder holds no bundle, or a method is invalid.
    """
    if not folders:
        return
    from pipelex.orchestration import IN_PROCESS
    from pipelex.runner import Pipelex

    app = Pipelex(settings, orchestrator=IN_PROCESS)
    for folder in folders:
        loaded = app.load(folder).loaded
        pipes = len(loaded.library.pipes) if loaded.library is not None else 0
        announce(
            settings,
            f"library {folder}: {pipes} pipes, {loaded.tree.digest[:19]}",
            library=str(folder),
            pipes=pipes,
            digest=loaded.tree.digest,
        )
