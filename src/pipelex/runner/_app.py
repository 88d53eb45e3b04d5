"""Loading methods and running them, in-process or on Temporal as the configuration says."""

import asyncio
import getpass
import os
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack

from pipelex.config import Settings, load_settings
from pipelex.config.trust import require_trust
from pipelex.content.inputs import read_inputs
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorCategory, Fault, PipelexError
from pipelex.library import Library, LoadedLibrary, ModelUse, Pipe, Verdict, focused, load_library, model_uses
from pipelex.orchestration import Orchestrator, RunRequest, StartedRun, chosen_name, factory_of
from pipelex.orchestration.jobs import Attributes
from pipelex.orchestration.wiring import deck_of, fetch_policy_of, inference_of, options_of, storage_of, tree_rules_of
from pipelex.pipes.calls import OnItemFailure, PipeCall, RunIdentity
from pipelex.pipes.models import ModelChoice
from pipelex.pipes.trace import PipeTrace
from pipelex.runner._handle import RunHandle
from pipelex.runner._inputs import input_slots, mock_inputs
from pipelex.runner._options import RunKeywords
from pipelex.runner._result import RunResult
from pipelex.runner._rows import ManyRows, RowRun, run_rows
from pipelex.runner.finding import find_run
from pipelex.runner.orchestrator import open_orchestrator

if TYPE_CHECKING:
    from pipelex.inference import Inference, ModelDeck
    from pipelex.storage import SavedFiles

T = TypeVar("T")
PathLike = str | os.PathLike[str]

_MOMENT = timedelta(seconds=1)


class Pipelex:
    """The runtime with one configuration: loads methods, runs them, attaches to runs.

    Nothing is read or connected before it is needed. Use it as an asynchronous context manager, or call `aclose`.

    Args:
        settings: the configuration; by default that of the working directory's project.
        orchestrator: the name of the orchestrator that runs methods: `direct`, `temporal`, or that of another that is
            installed; by default the one that the settings choose (`[temporal] is_enabled`).
    """

    def __init__(self, settings: Settings | None = None, *, orchestrator: str | None = None) -> None:
        self._settings = settings
        self._orchestrator_name = orchestrator
        self.session_id = secrets.token_hex(6)

    # --- what it is made of -------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """The settings in force.

        Raises:
            ConfigurationError: a settings file is wrong.
        """
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    @property
    def orchestrator_name(self) -> str:
        """The name of the orchestrator that runs methods.

        Raises:
            ConfigurationError: the settings of an orchestrator are wrong.
        """
        return self._orchestrator_name or chosen_name(self.settings)

    @cached_property
    def orchestrator(self) -> Orchestrator:
        """The orchestrator that runs methods; it connects when it is first needed.

        Raises:
            ConfigurationError: its settings are wrong.
            PipelexError: there is none of that name, or something is not installed.
        """
        return open_orchestrator(self.settings, self.orchestrator_name, lambda: self.inference)

    @property
    def warnings(self) -> Sequence[Fault]:
        """Warnings of the orchestrator about its settings.

        Raises:
            ConfigurationError: they are wrong.
        """
        return factory_of(self.orchestrator_name).warnings(self.settings)

    @cached_property
    def deck(self) -> "ModelDeck":
        """The models of the configuration.

        Raises:
            ConfigurationError: an inference file is wrong.
        """
        return deck_of(self.settings)

    @cached_property
    def inference(self) -> "Inference":
        """The models, as configured.

        Raises:
            ConfigurationError: an inference file is wrong.
        """
        return inference_of(self.settings, self.deck)

    async def aclose(self) -> None:
        """Give up connections. Durable runs go on; those in this process are cancelled."""
        if "orchestrator" in self.__dict__:
            await self.orchestrator.aclose()
        if "inference" in self.__dict__:
            await self.inference.aclose()

    async def __aenter__(self) -> "Pipelex":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # --- methods ------------------------------------------------------------------------------------------------------

    def load(self, *paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None) -> "Method":
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
    ) -> "Method":
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
        return self.deck.check(_choice_of(use), document=use.document, needs=use.needs)

    async def save_files(self, *values: Json, folder: PathLike) -> "SavedFiles":
        """Save the stored files that values name, such as a run's documents and images, under their own names.

        Args:
            values: plain JSON, such as the `content` of a `RunResult`.
            folder: where they go; made when there is at least one.

        Returns:
            The files; those that the storage of this machine does not have are told with the reason.

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


@dataclass(frozen=True)
class Method:
    """A loaded method."""

    app: Pipelex
    loaded: LoadedLibrary

    @property
    def verdict(self) -> Verdict:
        """The verdict of reading and linking; `validate` adds the faults of dry runs."""
        return self.loaded.verdict

    def for_pipe(self, name: str) -> "Method":
        """The method with the verdict on one pipe and what it runs; that pipe is its entry.

        Raises:
            PipelexError: there is no such pipe, or several have that code.
        """
        return self if name == self.loaded.focus else replace(self, loaded=focused(self.loaded, name))

    async def validate(self, *, dry_run: bool = True) -> Verdict:
        """The verdict, with what dry runs of the pipes find.

        Args:
            dry_run: whether to run each valid pipe on made-up values, in this process and without any model.
        """
        if not dry_run:
            return self.verdict
        from pipelex.runner._verdicts import JudgedMethod, checked_verdict

        return await checked_verdict(JudgedMethod(self.loaded, self.app.settings))

    @property
    def library(self) -> Library:
        """The linked library.

        Raises:
            MethodInvalidError: nothing could be linked.
        """
        if self.loaded.library is None:
            self.verdict.require_valid()
            raise PipelexError("method.invalid", "the files declare nothing", category=ErrorCategory.CONTENT)
        return self.loaded.library

    def pipe(self, name: str | None = None) -> Pipe:
        """A pipe by its code or reference; the entry pipe when None.

        Raises:
            PipelexError: there is no such pipe, or the name means several.
        """
        return self.library.pipe(self.loaded.pipe_ref(name))

    def stand_in(self, pipe: str | None = None) -> str | None:
        """The backend of the tiny local model, where it answers for a model that the pipe, or one it may run, asks for.

        Args:
            pipe: code or reference; the entry pipe when None.
        """
        library, deck = self.library, self.app.deck
        reached = library.closure(self.pipe(pipe).ref).pipes
        uses = (use for ref in reached for use, _ in model_uses(library.pipe(ref), library))
        return next(filter(None, (deck.stand_in(_choice_of(use), document=use.document) for use in uses)), None)

    def read_inputs(
        self,
        inputs: Mapping[str, Json] | PathLike | None,
        pipe: str | None = None,
        *,
        base_dir: Path | None = None,
        allow_files: bool | Path = True,
    ) -> dict[str, Stuff]:
        """A run's inputs, checked against what the pipe declares.

        Args:
            inputs: name → bare value or `{concept, content}`; or a JSON, TOML or YAML file of these, in which relative
                paths start at the file's own folder; or a CSV file, for a pipe that takes one list; or another file,
                for a pipe that takes one text, image or document.
            pipe: the pipe to run.
            base_dir: the folder that relative paths in a mapping start from; the working directory when None.
            allow_files: whether inputs may name files of this machine, which are then read and sent on; a folder: those
                of that folder alone. Say False for inputs that somebody else sent, as a server's callers do.

        Raises:
            InputError: something does not fit; every fault is in its report.
        """
        raw: Mapping[str, Json]
        slots = input_slots(self.pipe(pipe))
        if inputs is None:
            raw = {}
        elif isinstance(inputs, Mapping):
            raw = inputs
        else:
            from pipelex.content.typed import file_inputs

            raw, base_dir = file_inputs(Path(inputs), slots, self.library)
        folder = None if allow_files is False else base_dir or Path.cwd()
        root = allow_files if isinstance(allow_files, Path) else None
        return read_inputs(raw, slots, base_dir=folder, concepts=self.library, root=root)

    async def run(
        self,
        inputs: Mapping[str, Json] | PathLike | None = None,
        *,
        pipe: str | None = None,
        run_id: str | None = None,
        dry_run: bool = False,
        mock: bool | Literal["sparse"] = False,
        full_memory: bool = False,
        output_concept: str | None = None,
        on_item_failure: OnItemFailure = "fail",
        allow_files: bool | Path = True,
        attributes: Attributes | None = None,
        on_change: Callable[[PipeTrace], None] | None = None,
    ) -> RunResult:
        """Run a pipe to its end, where the configuration says.

        A run in this process ends when the caller is cancelled; a durable one goes on.

        Args:
            inputs: see `read_inputs`.
            pipe: code or reference; the entry pipe when None.
            run_id: the run's id. One that is in use attaches to that run where method, pipe, inputs and options are the
                same, and is refused where they are not.
            dry_run: mock every effect.
            mock: make the inputs up, too; only in a dry run. "sparse" leaves optional values out of whatever is made up.
            full_memory: bring back everything the entry pipe's memory held at the end.
            output_concept: stands for a `Dynamic` output.
            on_item_failure: the effect of a failing item of a batch: the run fails, or the item is left out of the list
                and told in `RunResult.failures`.
            allow_files: see `read_inputs`.
            attributes: search attributes of one's own, which the settings declare.
            on_change: a function that is called in-process with the run's trace whenever something begins or ends.

        Raises:
            PipelexError: the inputs do not fit, the id is that of another run, or the run failed.
        """
        handle = await self.start(
            inputs,
            pipe=pipe,
            run_id=run_id,
            dry_run=dry_run,
            mock=mock,
            full_memory=full_memory,
            output_concept=output_concept,
            on_item_failure=on_item_failure,
            allow_files=allow_files,
            attributes=attributes,
            on_change=on_change,
        )
        try:
            return await handle.result(full_memory=full_memory)
        except asyncio.CancelledError:
            if not handle.orchestrator.is_durable and not handle.is_attached:
                await _stopped(handle)
            raise

    async def start(
        self, inputs: Mapping[str, Json] | PathLike | None = None, **keywords: Unpack[RunKeywords]
    ) -> RunHandle:
        """Start a pipe without waiting, where the configuration says; the arguments are those of `run`.

        Raises:
            PipelexError: the inputs do not fit, the id is that of another run, no engine answers, or it refuses.
        """
        if not keywords.get("dry_run"):
            require_trust(self.app.settings.demands)
        request = await self.request(inputs, **keywords)
        started: StartedRun = await self.app.orchestrator.start(request)
        return RunHandle(self.app.orchestrator, started.run, request.call.pipe, request.call.inputs, started)

    async def request(
        self,
        inputs: Mapping[str, Json] | PathLike | None = None,
        *,
        pipe: str | None = None,
        run_id: str | None = None,
        dry_run: bool = False,
        mock: bool | Literal["sparse"] = False,
        full_memory: bool = False,
        output_concept: str | None = None,
        on_item_failure: OnItemFailure = "fail",
        allow_files: bool | Path = True,
        attributes: Attributes | None = None,
        on_change: Callable[[PipeTrace], None] | None = None,
    ) -> RunRequest:
        """The request that `start` would hand to an orchestrator. The arguments are those of `run`.

        Raises:
            PipelexError: the inputs do not fit.
        """
        call = await self._call(inputs, pipe, mock=mock, output_concept=output_concept, allow_files=allow_files)
        settings = self.app.settings
        return RunRequest(
            self.library,
            call,
            self._identity(run_id),
            options_of(
                settings,
                is_dry=dry_run,
                is_sparse=mock == "sparse",
                full_memory=full_memory,
                on_item_failure=on_item_failure,
            ),
            tuple(self.loaded.files.trees.values()),
            is_named=run_id is not None,
            attributes=attributes or {},
            on_change=on_change,
        )

    async def run_many(
        self,
        rows: Sequence[Mapping[str, Json]] | PathLike | ManyRows,
        *,
        pipe: str | None = None,
        run_id: str | None = None,
        dry_run: bool = False,
        output_concept: str | None = None,
        on_item_failure: OnItemFailure = "fail",
        allow_files: bool | Path = True,
        max_concurrency: int | None = None,
        on_row: Callable[[RowRun], None] | None = None,
    ) -> list[RowRun]:
        """Run a pipe once for each row, several at a time, where the configuration says.

        Every row is checked before any runs, and runs under an id of its own: `RUN_ID-1`, `RUN_ID-2` and so on. With the
        run id and the rows of an earlier call, rows that have ended are not run again.

        Args:
            rows: the inputs of each run, as `read_inputs` takes them; or a CSV file whose columns are inputs, or the fields
                of the one structure that the pipe takes.
            pipe: code or reference; the entry pipe when None.
            run_id: the beginning of the ids of the runs.
            dry_run: mock every effect.
            output_concept: stands for a `Dynamic` output.
            on_item_failure: the effect of a failing row: it ends everything, or is told as an error beside the others.
            allow_files: see `read_inputs`.
            max_concurrency: the number of rows under way at a time; `max_concurrency` of the settings when None.
            on_row: called as each row ends.

        Raises:
            PipelexError: a row does not fit, or failed where that ends it all.
        """
        many = rows if isinstance(rows, ManyRows) else ManyRows.of(self, _rows_of(rows), pipe, allow_files=allow_files)
        options = options_of(self.app.settings)

        def run(inputs: Mapping[str, Json], row_id: str) -> Coroutine[Any, Any, RunResult]:
            return self.run(
                inputs,
                pipe=pipe,
                run_id=row_id,
                dry_run=dry_run,
                output_concept=output_concept,
                on_item_failure=on_item_failure,
                allow_files=allow_files,
            )

        return await run_rows(
            many,
            run,
            run_id=run_id or new_run_id(),
            limit=max_concurrency or options.max_concurrency,
            on_item_failure=on_item_failure,
            on_row=on_row,
        )

    def run_sync(
        self, inputs: Mapping[str, Json] | PathLike | None = None, **keywords: Unpack[RunKeywords]
    ) -> RunResult:
        """`run` for programs without an event loop."""

        async def once() -> RunResult:
            try:
                return await self.run(inputs, **keywords)
            finally:
                await self.app.aclose()

        return run_in_new_loop(once())

    async def _call(
        self,
        inputs: Mapping[str, Json] | PathLike | None,
        pipe: str | None,
        *,
        mock: bool | Literal["sparse"],
        output_concept: str | None,
        allow_files: bool | Path,
    ) -> PipeCall:
        judged = self if pipe is None else self.for_pipe(pipe)
        judged.verdict.require_valid()
        target = judged.pipe(pipe)
        if mock and inputs is None:
            values = mock_inputs(self.library, target, is_sparse=mock == "sparse")
        else:
            values = self.read_inputs(inputs, pipe, allow_files=allow_files)
            values = await self._stored(values, allow_files=allow_files is not False)
        dynamic = None if output_concept is None else self.library.resolve(output_concept)
        return PipeCall.sparse(pipe=target.ref, inputs=values, dynamic_output=dynamic)

    async def _stored(self, values: dict[str, Stuff], *, allow_files: bool) -> dict[str, Stuff]:
        from pipelex.runner._files import stored_inputs

        settings = self.app.settings
        return await stored_inputs(
            values,
            self.library,
            lambda: storage_of(settings),
            fetch_policy_of(settings, allow_files=allow_files),
            with_data_urls=settings.interpreter.pipeline_execution.is_normalize_data_urls_to_storage,
        )

    def _identity(self, run_id: str | None) -> RunIdentity:
        return RunIdentity.sparse(run_id=run_id or new_run_id(), session_id=self.app.session_id, user_id=_user())


def _choice_of(use: ModelUse) -> ModelChoice:
    choice = dict(use.choice) if isinstance(use.choice, Mapping) else use.choice
    return ModelChoice(family=use.family, purpose=use.purpose, choice=choice)


def _rows_of(rows: Sequence[Mapping[str, Json]] | PathLike) -> Sequence[Mapping[str, Json]] | Path:
    return Path(rows) if isinstance(rows, str | os.PathLike) else rows


async def _stopped(handle: RunHandle) -> None:
    """Have an in-process run end before whoever waited for it does, so that nothing of it goes on unseen."""
    try:
        await handle.cancel()
    except PipelexError:  # it ended in between
        return
    while not (await handle.run.ended(_MOMENT)).has_ended:
        pass


def new_run_id() -> str:
    """A new pipeline run id that sorts by time, for example `run-20260131-094501-9f3c2a7b`."""
    return f"run-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _user() -> str | None:
    try:
        return os.environ.get("PIPELEX_USER_ID") or getpass.getuser()
    except (KeyError, OSError):
        return None


def run_in_new_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop of its own; in a thread of its own where a loop runs already, as notebooks do.

    The thread that calls waits in either case.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    with ThreadPoolExecutor(1, "pipelex-run") as thread:
        return thread.submit(copy_context().run, asyncio.run, work).result()
