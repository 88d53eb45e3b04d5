"""A loaded method: its verdict, its inputs, and its runs."""

import asyncio
import getpass
import os
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack

from pipelex.config.trust import require_trust
from pipelex.content.inputs import read_inputs
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorCategory, PipelexError, near_names
from pipelex.library import Library, LoadedLibrary, ModelUse, Pipe, Verdict, focused, model_uses
from pipelex.orchestration import RunRequest, StartedRun
from pipelex.orchestration.jobs import Attributes
from pipelex.orchestration.wiring import fetch_policy_of, options_of, storage_of
from pipelex.pipes.calls import OnItemFailure, PipeCall, RunIdentity
from pipelex.pipes.models import ModelChoice
from pipelex.pipes.trace import PipeTrace
from pipelex.runner._configured import Configured
from pipelex.runner._handle import RunHandle
from pipelex.runner._inputs import input_slots, mock_inputs
from pipelex.runner._options import RunKeywords
from pipelex.runner._result import RunResult
from pipelex.runner._rows import ManyRows, RowRun, run_rows

T = TypeVar("T")
PathLike = str | os.PathLike[str]

_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True)
class Method:
    """A loaded method."""

    app: Configured
    """The runtime that loaded it."""
    loaded: LoadedLibrary

    @property
    def verdict(self) -> Verdict:
        """The verdict of reading and linking; `validate` adds the faults of dry runs."""
        return self.loaded.verdict

    def for_pipe(self, name: str) -> "Method":
        """The method with the verdict on one pipe and what it runs; that pipe is its entry.

        Raises:
            PipelexError: there is no such pipe, or several pipes have that code.
        """
        return self if name == self.loaded.focus else replace(self, loaded=focused(self.loaded, name))

    async def validate(self, *, dry_run: bool = True) -> Verdict:
        """The verdict, including the faults that dry runs of the pipes find.

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
            MethodInvalidError: the method has faults that keep it from being linked.
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
        """The backend of the tiny local model, if it stands in for a model that the pipe or a pipe below it asks for.

        Args:
            pipe: code or reference; the entry pipe when None.
        """
        library, deck = self.library, self.app.deck
        reached = library.closure(self.pipe(pipe).ref).pipes
        uses = (use for ref in reached for use, _ in model_uses(library.pipe(ref), library))
        return next(filter(None, (deck.stand_in(choice_of(use), document=use.document) for use in uses)), None)

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
            allow_files: whether inputs may name files of this machine, which are then read and sent on. If it is a
                folder, only files in it may be named. Pass False for inputs that somebody else sent, such as a server's
                callers.

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
        user: str | None = None,
        attributes: Attributes | None = None,
        on_change: Callable[[PipeTrace], None] | None = None,
    ) -> RunResult:
        """Run a pipe to its end, on the orchestrator that the configuration chooses.

        If the caller is cancelled, a run in this process ends and a durable one continues.

        Args:
            inputs: see `read_inputs`.
            pipe: code or reference; the entry pipe when None.
            run_id: the run's id. If a run with that id exists, the call attaches to it when method, pipe, inputs and
                options are the same; otherwise, the call is refused.
            dry_run: whether to mock every effect.
            mock: whether to make up the inputs, too; only in a dry run. "sparse" leaves out optional values.
            full_memory: whether to bring back everything that the entry pipe's memory held at the end.
            output_concept: the concept that replaces a `Dynamic` output.
            on_item_failure: what happens if an item of a batch fails: the run fails, or the item is left out of the
                list and reported in `RunResult.failures`.
            allow_files: see `read_inputs`.
            user: the user to whom the run belongs; `PIPELEX_USER_ID`, or the account of the process, when None.
            attributes: your own search attributes, which the settings declare.
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
            user=user,
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
        """Start a pipe without waiting, on the orchestrator that the configuration chooses; see `run`.

        Raises:
            PipelexError: the inputs do not fit, the id is that of another run, the engine refuses or does not answer.
        """
        return await self.start_request(await self.request(inputs, **keywords))

    async def start_request(self, request: RunRequest) -> RunHandle:
        """Start a request that `request` made.

        Raises:
            PipelexError: see `start`.
        """
        if request.options.mode == "live":
            require_trust(self.app.settings.demands)
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
        user: str | None = None,
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
            self._identity(run_id, user),
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
        user: str | None = None,
        max_concurrency: int | None = None,
        on_row: Callable[[RowRun], None] | None = None,
    ) -> list[RowRun]:
        """Run a pipe once for each row, several at a time, on the orchestrator that the configuration chooses.

        All rows are checked before any of them runs. Each has an id of its own: `RUN_ID-1`, `RUN_ID-2` and so on. With
        the run id and the rows of an earlier call, rows that have ended are not run again.

        Args:
            rows: the inputs of each run, as `read_inputs` takes them; or a CSV file whose columns are inputs, or the fields
                of the one structure that the pipe takes.
            pipe: code or reference; the entry pipe when None.
            run_id: the beginning of the ids of the runs.
            dry_run: whether to mock every effect.
            output_concept: the concept that replaces a `Dynamic` output.
            on_item_failure: what happens if a row fails: everything ends, or its error is reported beside the results.
            allow_files: see `read_inputs`.
            user: see `run`.
            max_concurrency: the number of rows under way at a time; `max_concurrency` of the settings when None.
            on_row: called as each row ends.

        Raises:
            PipelexError: a row does not fit, or a row failed and that ends everything.
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
                user=user,
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

    def _concept(self, name: str) -> str:
        """The concept that a person names; see `Library.resolve`.

        Raises:
            PipelexError: no concept, or more than one, has that name (`method.concept_unresolved`).
        """
        from pipelex.content.inputs import UnresolvedConcept

        try:
            return self.library.resolve(name)
        except UnresolvedConcept as unknown:
            near = unknown.suggestions or near_names(name, [ref.rpartition(".")[2] for ref in self.library.concepts])
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise PipelexError(
                "method.concept_unresolved",
                f"{unknown}{hint}",
                category=ErrorCategory.CONTENT,
                params={"concept": name, "suggestions": list(near)},
                advice="Name a concept of the method, or a native one, as the output.",
            ) from None

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
        dynamic = None if output_concept is None else self._concept(output_concept)
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

    def _identity(self, run_id: str | None, user: str | None) -> RunIdentity:
        return RunIdentity.sparse(
            run_id=run_id or new_run_id(), session_id=self.app.session_id, user_id=user or _user()
        )


def choice_of(use: ModelUse) -> ModelChoice:
    """The choice of a model as a pipe writes it, for the model deck."""
    choice = dict(use.choice) if isinstance(use.choice, Mapping) else use.choice
    return ModelChoice(family=use.family, purpose=use.purpose, choice=choice)


def _rows_of(rows: Sequence[Mapping[str, Json]] | PathLike) -> Sequence[Mapping[str, Json]] | Path:
    return Path(rows) if isinstance(rows, str | os.PathLike) else rows


async def _stopped(handle: RunHandle) -> None:
    """Cancel an in-process run and wait for its end, so that nothing of it keeps running in the background."""
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
        return os.environ.get("PIPELEX_USER_ID") or _login()
    except (KeyError, OSError):
        return None


@cache
def _login() -> str:
    return getpass.getuser()


def run_in_new_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a new event loop; if a loop is already running, as in notebooks, in a new thread.

    The calling thread waits in either case.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context

    with ThreadPoolExecutor(1, "pipelex-run") as thread:
        return thread.submit(copy_context().run, asyncio.run, work).result()
