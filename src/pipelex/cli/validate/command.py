"""`pipelex validate`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import Misuse, TargetGroup, command_app
from pipelex.cli.validate.flags import ValidateFlags

_EXAMPLES = """\b
Examples:
  pipelex validate report.mthds
  pipelex validate methods/*.mthds --json
  pipelex validate bundle draft.mthds --allow-signatures
  pipelex validate pipe note_chapter -L methods/
  pipelex validate pipe --all -L methods/ --json
  pipelex validate method report
  pipelex validate --all -L methods/"""
app = command_app(cls=TargetGroup, no_args_is_help=True)


@app.callback(epilog=_EXAMPLES)
def validate() -> None:
    """Check methods without calling any model.

    Several paths are separate methods, each with a verdict of its own; the exit code is that of the worst.
    """


@app.command(epilog=_EXAMPLES)
@with_flags(ValidateFlags)
def bundle(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Bundle files, or folders of methods.")],
    flags: ValidateFlags,
) -> None:
    """Check bundle files, or all bundles of a folder."""
    from pipelex.cli.validate.checking import Checked, check

    check(ctx, [Checked.of_path(path) for path in paths], flags)


@app.command(name="pipe", epilog=_EXAMPLES)
@with_flags(ValidateFlags)
def validate_pipe(
    ctx: typer.Context,
    flags: ValidateFlags,
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="The pipe's code, or domain.code.")] = None,
    all_pipes: Annotated[
        bool, typer.Option("--all", "-a", help="Check every pipe of the library directories.")
    ] = False,
) -> None:
    """Check one pipe with everything it runs, or all pipes of the library directories."""
    from pipelex.cli.validate.checking import Checked, check

    if (code is None) != all_pipes:
        raise Misuse("name a pipe, or give --all")
    check(ctx, [Checked.of_pipe(code, flags.library_dir or [])], flags)


@app.command(epilog=_EXAMPLES)
@with_flags(ValidateFlags)
def method(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The method's folder, as it is installed.")],
    flags: ValidateFlags,
) -> None:
    """Check an installed method."""
    from pipelex.cli._shared.session import settings_for
    from pipelex.cli._shared.targets import method_target
    from pipelex.cli.validate.checking import Checked, check

    target = method_target(name, None, flags.library_dir or [], settings_for(ctx).config_dirs)
    check(ctx, [Checked(name, target)], flags)


@app.command(name=TargetGroup.short_form, hidden=True, epilog=_EXAMPLES)
@with_flags(ValidateFlags)
def auto(
    ctx: typer.Context,
    flags: ValidateFlags,
    targets: Annotated[list[str] | None, typer.Argument(metavar="TARGET...", help="Paths or codes of pipes.")] = None,
    all_pipes: Annotated[
        bool, typer.Option("--all", "-a", help="Check every pipe of the library directories.")
    ] = False,
) -> None:
    """Check bundle files, folders, or pipes by their codes."""
    from pipelex.cli.validate.checking import Checked, check

    if bool(targets) == all_pipes:
        raise Misuse("name a pipe to check, or give --all")
    dirs = flags.library_dir or []
    chosen = [Checked.of_word(target, dirs) for target in targets or ()]
    check(ctx, chosen or [Checked.of_pipe(None, dirs)], flags)
