"""`pipelex run`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import TargetGroup, command_app
from pipelex.cli.run.flags import RunFlags

_EXAMPLES = """\b
Examples:
  pipelex run report.mthds -i inputs.toml
  pipelex run letter.mthds -i recipient=Ana -i draft=@draft.txt
  pipelex run tickets.mthds --inputs-csv rows.csv --save-csv sorted.csv
  pipelex run examples/lighthouse --json
  pipelex run bundle report.mthds --pipe note_chapter -i chapter=@chapter.json
  pipelex run bundle methods/report --dry-run --mock-inputs
  pipelex run pipe note_chapter -L methods/
  pipelex run pipe books.note_chapter -i inputs.toml
  pipelex run method report -i inputs.json --save-csv rows.csv
  pipelex run report.mthds --durable --detach
  pipelex run first.mthds --json --with-memory | pipelex run second.mthds -i -"""

app = command_app(cls=TargetGroup, no_args_is_help=True)
LibraryDirs = Annotated[
    list[Path] | None,
    typer.Option("--library-dir", "-L", metavar="DIR", help="Another folder of bundles; repeatable."),
]
PipeOption = Annotated[
    str | None, typer.Option("--pipe", metavar="CODE", help="The pipe to run instead of the method's main pipe.")
]


@app.callback(epilog=_EXAMPLES)
def run() -> None:
    """Run a method, in-process or on Temporal as the configuration says.

    The short form `pipelex run TARGET` takes a bundle file, a folder, or the code of a pipe; its options are those of
    `pipelex run bundle`. The result goes to standard output, everything else to standard error.
    """


@app.command(epilog=_EXAMPLES)
@with_flags(RunFlags)
def bundle(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A bundle file, or the folder of a method.")],
    flags: RunFlags,
    pipe: PipeOption = None,
    library_dir: LibraryDirs = None,
) -> None:
    """Run a bundle file, or the method in a folder."""
    from pipelex.cli._shared.targets import Target
    from pipelex.cli.run.execution import run_target

    run_target(ctx, Target((path,), pipe), library_dir or [], flags)


@app.command(name="pipe", epilog=_EXAMPLES)
@with_flags(RunFlags)
def run_pipe(
    ctx: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="The pipe's code, or domain.code.")],
    flags: RunFlags,
    library_dir: LibraryDirs = None,
) -> None:
    """Run a pipe of the library directories, or of the working directory."""
    from pipelex.cli._shared.targets import pipe_target
    from pipelex.cli.run.execution import run_target

    run_target(ctx, pipe_target(code, library_dir or []), library_dir or [], flags)


@app.command(epilog=_EXAMPLES)
@with_flags(RunFlags)
def method(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the installed method's folder.")],
    flags: RunFlags,
    pipe: PipeOption = None,
    library_dir: LibraryDirs = None,
) -> None:
    """Run an installed method: a folder below a library directory, `.pipelex/methods` or `~/.pipelex/methods`."""
    from pipelex.cli._shared.session import settings_for
    from pipelex.cli._shared.targets import method_target
    from pipelex.cli.run.execution import run_target

    config_dirs = settings_for(ctx).config_dirs
    run_target(ctx, method_target(name, pipe, library_dir or [], config_dirs), library_dir or [], flags)


@app.command(name=TargetGroup.short_form, hidden=True, epilog=_EXAMPLES)
@with_flags(RunFlags)
def auto(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A bundle file, a folder, or a pipe's code.")],
    flags: RunFlags,
    pipe: PipeOption = None,
    library_dir: LibraryDirs = None,
) -> None:
    """Run a bundle file, a folder, or a pipe by its code."""
    from pipelex.cli._shared.targets import detect
    from pipelex.cli.run.execution import run_target

    run_target(ctx, detect(target, pipe, library_dir or []), library_dir or [], flags)
