"""The runtime: loading methods, judging them, attaching to runs."""

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
        orchestrator: the name of the orchestrator that runs methods: `direct`, `temporal`, or that of another that is
            installed; by default the one that the settings choose (`[temporal] is_enabled`).
    """

    def load(self, *paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None) -> Method:
        """Load bundle files or a method's folder.

        Args:
            *paths: bundle files and folders; without any, the library folders are what is loaded.
            library_dirs: additional folders of the concepts, pipes and packages that the method refers to.
            pipe: the pipe that will run: only its own faults, and those of what it runs, count then.

        Raises:
            MethodInvalidError: there are faults; all of them are in it.
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
        """Read a method like `load`, whatever the verdict; `Method.verdict` has it.

        Args:
            *paths: see `load`.
            library_dirs: see `load`.
            pipe: see `load`.
            texts: resolved path of a bundle → the text that counts instead of the file's, as an editor has it.

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
            pipe: judge this pipe and what it runs; everything when None.
            dry_run: also run each valid pipe on made-up values, without any model.

        Raises:
            PipelexError: a path cannot be read, or there is no such pipe: there is no verdict.
        """
        return await self.open(*paths, library_dirs=library_dirs, pipe=pipe).validate(dry_run=dry_run)

    def _check_model(self, use: ModelUse) -> Sequence[Fault]:
        return self.deck.check(choice_of(use), document=use.document, needs=use.needs)

    async def save_files(self, *values: Json, folder: PathLike) -> "SavedFiles":
        """Save the stored files that values name, such as a run's documents and images, under their own names.

        Args:
            values: plain JSON, such as the `content` of a `RunResult`.
            folder: where they go; made when there is at least one.

        Returns:
            The files; for those that the storage of this machine does not have, the reason.

        Raises:
            OSError: one cannot be written.
        """
        from pipelex.storage import SavedFiles, files_of, save_files

        found = files_of(*values)
        if not found:
            return SavedFiles(Path(folder))
        return await save_files(found, storage_of(self.settings), Path(folder))

    async def attach(self, run_id: str) -> RunHandle:
        """The handle of a run, started here or elsewhere.

        Args:
            run_id: its id, or as much of the id's beginning as no other run has.

        Raises:
            PipelexError: there is no such run, or several whose ids begin so; or no engine answers.
        """
        run = await find_run(self.orchestrator, run_id)
        return RunHandle(self.orchestrator, run, (await run.describe()).pipe)
