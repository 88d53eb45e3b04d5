"""The first steps of most authoring commands: find the method, load its library, choose the pipe."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelex.cli._shared.session import open_local_app
from pipelex.cli._shared.targets import Target, detect, method_target, open_target, pipe_target

if TYPE_CHECKING:
    from pipelex.errors import Location
    from pipelex.runner import Method

LibraryDirs = Annotated[
    list[Path] | None,
    typer.Option("--library-dir", "-L", metavar="DIR", help="Another folder of bundles; repeatable."),
]
PipeOption = Annotated[
    str | None, typer.Option("--pipe", metavar="CODE", help="The pipe to use instead of the main one.")
]


def target_of(ctx: typer.Context, kind: str, name: str, pipe: str | None, library_dirs: Sequence[Path]) -> Target:
    """The target that a path, a name or a code stands for; with the kind `auto`, its form decides which it is.

    Raises:
        PipelexError: no method of that name is installed.
    """
    if kind == "bundle":
        return Target((Path(name),), pipe)
    if kind == "method":
        from pipelex.cli._shared.session import settings_for

        return method_target(name, pipe, library_dirs, settings_for(ctx).config_dirs)
    return pipe_target(name, library_dirs) if kind == "pipe" else detect(name, pipe, library_dirs)


def open_method(ctx: typer.Context, target: Target, library_dirs: Sequence[Path], *, is_valid: bool = True) -> "Method":
    """The method of a target.

    Raises:
        MethodInvalidError: the method has faults and `is_valid` is set; if the target names a pipe, only the faults of
            what that pipe needs count.
        PipelexError: the method cannot be read.
    """
    app = open_local_app(ctx)
    return open_target(app, target, library_dirs, is_valid=is_valid)


def place_of(method: "Method", ref: str) -> "Location":
    """The place in the source where a pipe or a concept is declared."""
    return method.loaded.linked.sources[ref].locate(on_key=True)


def default_folder(target: Target) -> Path:
    """The folder for a file that is written beside the target's bundle; the working directory without one."""
    if not target.paths:
        return Path()
    first = target.paths[0]
    return first if first.is_dir() else first.parent
