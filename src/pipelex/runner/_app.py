"""The runtime: loads and validates methods, and attaches to runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.content.stuff import Json
from pipelex.errors import Fault
from pipelex.library import ModelUse, Verdict, load_library
from pipelex.orchestration.wiring import storage_of, tree_rules_of
from pipelex.runner._configured import Configured
from pipelex.runner._handle import RunHandle
from pipelex.runner._method import Method, PathLike, choice_of
from pipelex.runner.finding import find_run

if TYPE_CHECKING:
    from pipelex.storage import SavedFiles


class Pipelex(Configured):
    """The runtime with one configuration: loads methods, runs them, attaches to runs.

    Nothing is read or connected before it is needed. Use it as an asynchronous context manager, or call `aclose`.

    Args:
        settings: the configuration; by default that of the working directory's project.
        orchestrator: the name of the orchestrator that runs methods: `direct`, `temporal` or another installed one; by
            default the one that the settings choose (`[temporal] is_enabled`).
    """

    def load(self, *paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None) -> Method:
        """Load bundle files or a method's folder.

        Args:
            *paths: bundle files and folders; without any, the library folders are loaded.
            library_dirs: additional folders of the concepts, pipes and packages that the method refers to.
            pipe: the pipe that will run; only its faults, and those of the pipes it runs, count then.

        Raises:
            MethodInvalidError: the method has faults; the error lists all of them.
            PipelexError: a path cannot be read, or there is no such pipe.
        """
        method = self.open(*paths, library_dirs=library_dirs, pipe=pipe)
        method.verdict.require_valid()
        return method

    def open(
        self,
        *paths: PathLike,
        library_dirs: Sequence[PathLike] = (),
        pipe: str | None = None,
        texts: Mapping[Path, str] | None = None,
    ) -> Method:
        """Read a method like `load`, but return it even if it has faults; see `Method.verdict`.

        Args:
            *paths: see `load`.
            library_dirs: see `load`.
            pipe: see `load`.
            texts: resolved path of a bundle → the text to use instead of the file's, for example an editor's.

        Raises:
            PipelexError: a path cannot be read, or there is no such pipe.
        """
        loaded = load_library(
            [Path(path) for path in paths],
            library_dirs=[Path(folder) for folder in library_dirs],
            check_model=self._check_model,
            rules=tree_rules_of(self.settings),
            texts=texts,
        )
        method = Method(self, loaded)
        return method if pipe is None else method.for_pipe(pipe)

    async def validate(
        self,
        *paths: PathLike,
        library_dirs: Sequence[PathLike] = (),
        pipe: str | None = None,
        dry_run: bool = True,
    ) -> Verdict:
        """The verdict on bundle files or a method's folder; the one that `pipelex validate` prints.

        Args:
            *paths: see `load`.
            library_dirs: see `load`.
            pipe: the pipe to check, with the pipes it runs; if None, everything is checked.
            dry_run: whether to run each valid pipe on made-up values as well, without any model.

        Raises:
            PipelexError: there can be no verdict, because a path cannot be read or there is no such pipe.
        """
        return await self.open(*paths, library_dirs=library_dirs, pipe=pipe).validate(dry_run=dry_run)

    def _check_model(self, use: ModelUse) -> Sequence[Fault]:
        return self.deck.check(choice_of(use), document=use.document, needs=use.needs)

    async def save_files(self, *values: Json, folder: PathLike) -> "SavedFiles":
        """Save the stored files that values refer to, such as a run's documents and images, under their own names.

        Args:
            values: plain JSON, such as the `content` of a `RunResult`.
            folder: the folder to write to; it is made if there is at least one file.

        Returns:
            The saved files, and the reason for each file that the storage of this machine could not provide.

        Raises:
            OSError: a file cannot be written.
        """
        from pipelex.storage import SavedFiles, files_of, save_files

        found = files_of(*values)
        if not found:
            return SavedFiles(Path(folder))
        return await save_files(found, storage_of(self.settings), Path(folder))

    async def attach(self, run_id: str) -> RunHandle:
        """The handle of a run, started here or elsewhere.

        Args:
            run_id: the run's id, or a beginning of it that no other run's id shares.

        Raises:
            PipelexError: there is no such run, several ids begin so, or the engine does not answer.
        """
        run = await find_run(self.orchestrator, run_id)
        return RunHandle(self.orchestrator, run, (await run.describe()).pipe)
