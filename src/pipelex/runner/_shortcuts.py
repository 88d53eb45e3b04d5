"""The API in single calls, with the configuration of the working directory."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelex.content.stuff import Json
from pipelex.library import Verdict
from pipelex.runner._app import Method, PathLike, Pipelex, run_in_new_loop
from pipelex.runner._result import RunResult

if TYPE_CHECKING:
    from pipelex.runner._durable import RunHandle


def load(*paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None) -> Method:
    """Load bundle files or a method's folder; see `Pipelex.load`.

    Raises:
        MethodInvalidError: there are faults; all of them are in it.
        PipelexError: a path cannot be read, or there is no such pipe.
    """
    return Pipelex().load(*paths, library_dirs=library_dirs, pipe=pipe)


def validate(
    *paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None, dry_run: bool = True
) -> Verdict:
    """The verdict on bundle files or a method's folder, the one that `pipelex validate` prints; see `Pipelex.validate`.

    Raises:
        PipelexError: a path cannot be read, or there is no such pipe: there is no verdict.
    """
    return run_in_new_loop(Pipelex().validate(*paths, library_dirs=library_dirs, pipe=pipe, dry_run=dry_run))


async def run(path: PathLike, inputs: Mapping[str, Json] | PathLike | None = None, **options: Any) -> RunResult:
    """Load a method and run it to its end; the options are those of `Method.run`."""
    async with Pipelex() as app:
        return await app.load(path, pipe=options.get("pipe")).run(inputs, **options)


def run_sync(path: PathLike, inputs: Mapping[str, Json] | PathLike | None = None, **options: Any) -> RunResult:
    """`run` for programs without an event loop."""
    return load(path, pipe=options.get("pipe")).run_sync(inputs, **options)


async def attach(run_id: str) -> "RunHandle":
    """The handle of a run on Temporal, started here or elsewhere."""
    return await Pipelex().attach(run_id)
