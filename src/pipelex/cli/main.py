"""`pipelex`: the entry point, the table of commands, and how the process ends."""

import contextlib
import gc
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NoReturn

import typer
from typer.exceptions import Abort, Exit, TyperException

from pipelex.cli._shared.group import Entry, LazyGroup, Misuse, command_app
from pipelex.cli._shared.keys import ARGS_KEY, DEBUG_KEY
from pipelex.cli._shared.streams import prepare_streams
from pipelex.cli.early import end_at_once_on_interrupt, let_the_command_end
from pipelex.exits import ExitCode, exit_codes_text

_PROTOCOL = "2.0.0"
_STANDARD = "8.0.0"
"""The versions of MTHDS's protocol and standard that this release speaks."""


_METHODS = "Run methods"
_AUTHORS = "Write methods"
_TEMPORAL = "Durable runs on Temporal"
_SETUP = "Set up"

_HELP = f"""Pipelex runs methods of the MTHDS open standard, in-process or durably on Temporal.

{exit_codes_text()}"""
_EXAMPLES = """\b
Examples:
  pipelex new my_method
  pipelex run my_method
  pipelex run report.mthds -i inputs.json
  pipelex validate report.mthds"""


_MEANT = {
    "help": "--help", "version": "--version", "list": "runs", "ls": "runs", "check": "validate", "test": "validate",
    "verify": "validate", "exec": "run", "execute": "run", "start": "run", "create": "new", "format": "fmt",
}  # fmt: skip
"""Words that are not commands → the command or option that the user probably means."""


class PipelexGroup(LazyGroup):
    """All commands, and the one place where failures become text and exit codes."""

    table: ClassVar = {
        "new": Entry("pipelex.cli.authoring.new", "Write a small working method to start from.", _METHODS),
        "run": Entry("pipelex.cli.run.command", "Run a method: a bundle, a pipe or an installed method.", _METHODS),
        "validate": Entry("pipelex.cli.validate.command", "Check bundles without calling a model.", _METHODS),
        "runs": Entry("pipelex.cli.runs.command", "List, show, open, compare, retry or replay runs.", _METHODS),
        "storage": Entry("pipelex.cli.storage.command", "Fetch files that runs read and made.", _METHODS),
        "build": Entry("pipelex.cli.authoring.build", "Write example inputs and outputs, classes and jobs.", _AUTHORS),
        "graph": Entry("pipelex.cli.authoring.graph", "Draw a method: Mermaid, HTML or JSON.", _AUTHORS),
        "fix": Entry("pipelex.cli.authoring.fix", "Rewrite older forms of bundles to the current standard.", _AUTHORS),
        "fmt": Entry("pipelex.cli.authoring.fmt", "Format bundles.", _AUTHORS),
        "lint": Entry("pipelex.cli.authoring.lint", "Check bundles against the standard's schema.", _AUTHORS),
        "lsp": Entry("pipelex.cli.authoring.lsp", "Serve an editor: the language server of bundles.", _AUTHORS),
        "schema": Entry("pipelex.cli.authoring.schema", "Print the JSON Schema of bundles, for editors.", _AUTHORS),
        "show": Entry("pipelex.cli.catalog.show", "Show pipes, concepts, backends and models.", _AUTHORS),
        "explain": Entry("pipelex.cli.authoring.explain", "Explain an error code: cause, fix, example.", _AUTHORS),
        "which": Entry("pipelex.cli.authoring.which", "Say which file declares a pipe or a concept.", _AUTHORS),
        "dev": Entry("pipelex.cli.temporal.dev", "Run a Temporal development server and a worker.", _TEMPORAL),
        "worker": Entry("pipelex.cli.worker.command", "Run a worker that executes runs from Temporal.", _TEMPORAL),
        "schedule": Entry(
            "pipelex.cli.schedule.command", "Run methods at set times, by Temporal Schedules.", _TEMPORAL
        ),
        "temporal": Entry(
            "pipelex.cli.temporal.command", "Show how activities are routed; decode payloads.", _TEMPORAL
        ),
        "setup-temporal-namespace": Entry(
            "pipelex.cli.temporal.namespace", "Register the search attributes that runs carry.", _TEMPORAL
        ),
        "init": Entry("pipelex.cli.setup.init", "Choose a default endpoint, or write commented files.", _SETUP),
        "doctor": Entry("pipelex.cli.setup.doctor", "Check configuration, credentials, models and Temporal.", _SETUP),
        "models": Entry("pipelex.cli.catalog.models", "List the models that a method can name.", _SETUP),
        "config": Entry("pipelex.cli.setup.config", "Show the settings in force and where they come from.", _SETUP),
        "completion": Entry("pipelex.cli.setup.completion", "Print the completion code for a shell.", _SETUP),
        "trust": Entry("pipelex.cli.setup.trust", "Trust the configuration of this project.", _SETUP),
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See base class; the arguments are kept as they were typed."""
        ctx.meta[ARGS_KEY] = list(args)
        if not args:
            return super().parse_args(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except TyperException as wrong:
            from pipelex.cli.mistakes.misuse import report_misuse

            raise Exit(report_misuse(wrong, ctx.meta)) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See base class; if a method was typed instead of a command, the message says how to run it."""
        if args[0] not in self.commands and (args[0].endswith((".mthds", ".plx")) or os.path.isdir(args[0])):
            raise Misuse(
                f"'{args[0]}' is a method, not a command. Run it with: {shlex.join(['pipelex', 'run', *args])}"
            )
        meant = _MEANT.get(args[0].lower(), args[0].lower())
        if args[0] not in self.commands and (meant in self.commands or meant in _MEANT.values()):
            told = f"No such command '{args[0]}'. Did you mean 'pipelex {meant}'?"
            whole = [*args[1:], meant] if meant.startswith("-") else [meant, *args[1:]]
            raise Misuse(f"{told} Type: {shlex.join(['pipelex', *whole])}" if args[1:] else told)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            let_the_command_end()
            return super().invoke(ctx)
        except TyperException as wrong:
            from pipelex.cli.mistakes.misuse import report_misuse

            raise Exit(report_misuse(wrong, ctx.meta)) from None
        except Exit:
            raise
        except (Abort, KeyboardInterrupt):  # `Abort` is Ctrl-C or the end of the input at a question
            sys.stderr.write("\nInterrupted.\n")
            raise Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            _silence_output()
            raise Exit(ExitCode.NO_READER) from None
        except Exception as failed:
            from pipelex.cli._shared.failures import report_failure

            raise Exit(report_failure(failed, ctx.meta)) from failed


app = command_app(cls=PipelexGroup, no_args_is_help=True)


def _print_version(value: bool) -> None:
    if value:
        from pipelex import __version__

        typer.echo(f"pipelex {__version__}\nmthds-protocol {_PROTOCOL}\nmthds-standard {_STANDARD}")
        raise Exit


@app.callback(help=_HELP, epilog=_EXAMPLES)
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print versions and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of every failure.")] = False,
    trust_project: Annotated[
        bool, typer.Option("--trust-project", help="Trust the project's configuration for this command.")
    ] = False,
) -> None:
    del version
    ctx.meta[DEBUG_KEY] = debug
    if trust_project:
        os.environ["PIPELEX_TRUST_PROJECT"] = "1"  # also for the processes this one starts


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    prepare_streams()
    try:
        typer.main.get_command(app).main(None if args is None else list(args), prog_name="pipelex")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    return 0


def _complete(words: Sequence[str]) -> None:
    """Print the words that may complete the last one."""
    from pipelex.cli.completing import candidates

    for each in candidates(typer.main.get_command(app), words):
        sys.stdout.write(f"{each}\n")


def main() -> NoReturn:
    """The `pipelex` command."""
    # Loading modules makes many objects but no garbage. At its usual rhythm, the collector would take a tenth of the
    # time of a short command.
    gc.set_threshold(200_000, 20, 20)
    if os.environ.get("_PIPELEX_COMPLETE"):
        _complete(sys.argv[1:])
        sys.exit(0)
    code = run()
    end_at_once_on_interrupt()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_output()
        code = code or ExitCode.NO_READER
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    if "temporalio" in sys.modules:
        # The SDK's native threads may abort an interpreter that is shutting down, which would end it with status 134
        # after everything was done.
        _run_exit_handlers()
        logging.shutdown()
        os._exit(code)
    sys.exit(code)


def _run_exit_handlers() -> None:
    import atexit

    atexit._run_exitfuncs()


def _silence_output() -> None:
    """Discard what is still buffered, so that the interpreter's flush at the end does not fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
