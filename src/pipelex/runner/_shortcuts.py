"""The API as single functions that use the configuration of the working directory."""

from collections.abc import Mapping, Sequence
from typing import Unpack

from pipelex.content.stuff import Json
from pipelex.library import Verdict
from pipelex.runner._app import Pipelex
from pipelex.runner._handle import RunHandle
from pipelex.runner._method import Method, PathLike, run_in_new_loop
from pipelex.runner._options import RunKeywords
from pipelex.runner._result import RunResult


def load(*paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None) -> Method:
    """Load bundle files or a method's folder; see `Pipelex.load`.

    Raises:
        MethodInvalidError: the method has faults; the error lists all of them.
        PipelexError: a path cannot be read, or there is no such pipe.
    """
    return Pipelex().load(*paths, library_dirs=library_dirs, pipe=pipe)


def validate(
    *paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None, dry_run: bool = True
) -> Verdict:
    """The verdict on bundle files or a method's folder, the one that `pipelex validate` prints; see `Pipelex.validate`.

    Raises:
        PipelexError: there can be no verdict, because a path cannot be read or there is no such pipe.
    """
    return run_in_new_loop(Pipelex().validate(*paths, library_dirs=library_dirs, pipe=pipe, dry_run=dry_run))


async def run(
    path: PathLike, inputs: Mapping[str, Json] | PathLike | None = None, **keywords: Unpack[RunKeywords]
) -> RunResult:
    """Load a method and run it to its end; see `Method.run` for the keyword arguments."""
    async with Pipelex() as app:
        return await app.load(path, pipe=keywords.get("pipe")).run(inputs, **keywords)


def run_sync(
    path: PathLike, inputs: Mapping[str, Json] | PathLike | None = None, **keywords: Unpack[RunKeywords]
) -> RunResult:
    """`run` for programs without an event loop."""
    return load(path, pipe=keywords.get("pipe")).run_sync(inputs, **keywords)


async def attach(run_id: str) -> RunHandle:
    """The handle of a durable run, started here or elsewhere."""
    return await Pipelex().attach(run_id)
