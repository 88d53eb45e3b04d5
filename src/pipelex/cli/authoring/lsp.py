"""`pipelex lsp`."""

import contextlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.group import command_app
from pipelex.errors import ConfigurationError, PipelexError

if TYPE_CHECKING:
    from pipelex.library import LoadedLibrary
    from pipelex.runner import Pipelex

_EXAMPLES = """\b
Examples:
  pipelex lsp            started by an editor: see docs/editors.md
  pipelex lsp --verbose  what it does, on standard error"""

app = command_app()


@app.command(epilog=_EXAMPLES)
def lsp(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log to standard error.")] = False,
    stdio: Annotated[
        bool, typer.Option("--stdio", hidden=True, help="No effect: the server always uses standard input and output.")
    ] = True,
) -> None:
    """Serve an editor: faults while you type, completion, hover, definitions, references, renames and fixes.

    It speaks the Language Server Protocol on standard input and output, until the editor ends it.
    """
    del stdio
    try:
        from pipelex.cli.editor.server import make_server
    except ImportError:
        from pipelex.config.distribution import install_command

        raise ConfigurationError(
            "the language server is not installed", advice=f"Install it with: {install_command('lsp')}"
        ) from None
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s %(message)s"
    )
    judge = _Judge()
    # The server closes its stream at the end, and nothing else may print between its messages.
    messages = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    with contextlib.redirect_stdout(sys.stderr):
        make_server(judge.load, judge.refresh).start_io(sys.stdin.buffer, messages)


class _Judge:
    """Validates bundles, and checks models against the settings of the working directory if these can be read."""

    def __init__(self) -> None:
        self._app: Pipelex | None = None
        self._is_known = False

    def refresh(self) -> None:
        """Read the settings again before the next verdict."""
        self._is_known = False

    def load(self, paths: Sequence[Path], texts: Mapping[Path, str]) -> "LoadedLibrary":
        """Load bundle files; `texts` replaces the content of some of them, as an editor has it."""
        from pipelex.library import load_library

        if not self._is_known:
            self._app, self._is_known = _app_of_settings(), True
        if self._app is not None:
            try:
                return self._app.open(*paths, texts=texts).loaded
            except ConfigurationError as wrong:  # the commands that need the deck report its faults
                logging.getLogger("pipelex.lsp").warning("models are not checked: %s", wrong)
                self._app = None
        return load_library(list(paths), texts=texts)


def _app_of_settings() -> "Pipelex | None":
    from pipelex.config import load_settings
    from pipelex.orchestration import IN_PROCESS
    from pipelex.runner import Pipelex

    try:
        return Pipelex(load_settings(), orchestrator=IN_PROCESS)
    except PipelexError as wrong:
        logging.getLogger("pipelex.lsp").warning("models are not checked: %s", wrong)
        return None
