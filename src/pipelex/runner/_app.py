"""Loading methods and running them, in-process or on Temporal as the configuration says."""

import asyncio
import getpass
import os
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pipelex.config import Settings, load_settings
from pipelex.content.inputs import load_inputs_file, read_inputs
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorCategory, Fault, PipelexError
from pipelex.library import Library, LoadedLibrary, ModelUse, Pipe, Verdict, focused, load_library
from pipelex.pipes.calls import OnItemFailure, PipeCall, RunIdentity
from pipelex.pipes.models import ModelChoice
from pipelex.pipes.trace import PipeTrace
from pipelex.runner._inputs import input_slots, mock_inputs
from pipelex.runner._result import RunResult, result_of
from pipelex.runner._settings import (
    deck_of,
    fetch_policy_of,
    inference_of,
    options_of,
    require_temporal,
    retry_of,
    storage_of,
    tree_rules_of,
)
from pipelex.runner._telemetry import start_telemetry

if TYPE_CHECKING:
    from pipelex.inference import Inference, ModelDeck
    from pipelex.runner._durable import Durable, RunHandle
    from pipelex.temporal.config import TemporalConfig

T = TypeVar("T")
Orchestrator = Literal["direct", "temporal"]
PathLike = str | os.PathLike[str]


class Pipelex:
    """The runtime with one configuration: loads methods, runs them, attaches to runs.

    Nothing is read or connected before it is needed. Use it as an asynchronous context manager, or call `aclose`.

    Args:
        settings: the configuration; by default that of the working directory's project.
        orchestrator: where methods run; by default what `[temporal] is_enabled` says.
    """

    def __init__(self, settings: Settings | None = None, *, orchestrator: Orchestrator | None = None) -> None:
        self._settings = settings
        self._orchestrator: Orchestrator | None = orchestrator
        self._durable: Durable | None = None
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

    @cached_property
    def temporal_config(self) -> "TemporalConfig":
        """The `[temporal]` tables.

        Raises:
            TemporalConfigError: they are wrong.
        """
        from pipelex.temporal.config import parse_temporal_config

        return parse_temporal_config(self.settings)

    @property
    def orchestrator(self) -> Orchestrator:
        """Where methods run."""
        if self._orchestrator is not None:
            return self._orchestrator
        return "temporal" if self.temporal_config.is_enabled else "direct"

    @cached_property
    def deck(self) -> "ModelDeck":
        """Which models there are, as configured.

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

    async def durable(self) -> "Durable":
        """The connection to Temporal.

        Raises:
            PipelexError: the SDK is not installed, or no server answers.
        """
        if self._durable is None:
            require_temporal()
            from pipelex.runner._durable import Durable

            self._durable = await Durable.connect(self.settings, self.temporal_config)
        return self._durable

    async def aclose(self) -> None:
        """Close connections to models. Nothing that runs on Temporal is touched."""
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
            library_dirs: where else referred concepts, pipes and packages are.
            pipe: the pipe that will run: only its own faults, and those of what it runs, count then.

        Raises:
            MethodInvalidError: there are faults; all of them are in it.
            PipelexError: a path cannot be read, or there is no such pipe.
        """
        method = self.open(*paths, library_dirs=library_dirs, pipe=pipe)
        method.verdict.require_valid()
        return method

    def open(self, *paths: PathLike, library_dirs: Sequence[PathLike] = (), pipe: str | None = None) -> "Method":
        """As `load`, whatever the verdict: `Method.verdict` has it.

        Raises:
            PipelexError: a path cannot be read, or there is no such pipe.
        """
        loaded = load_library(
            [Path(path) for path in paths],
            library_dirs=[Path(folder) for folder in library_dirs],
            check_model=self._check_model,
            rules=tree_rules_of(self.settings),
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
            *paths: as for `load`.
            library_dirs: as for `load`.
            pipe: judge this pipe and what it runs; everything when None.
            dry_run: also run each valid pipe on made-up values, without any model.

        Raises:
            PipelexError: a path cannot be read, or there is no such pipe: there is no verdict.
        """
        return await self.open(*paths, library_dirs=library_dirs, pipe=pipe).validate(dry_run=dry_run)

    def _check_model(self, use: ModelUse) -> Sequence[Fault]:
        choice = dict(use.choice) if isinstance(use.choice, Mapping) else use.choice
        wanted = ModelChoice(family=use.family, purpose=use.purpose, choice=choice)
        return self.deck.check(wanted, document=use.document, needs=use.needs)

    async def attach(self, run_id: str) -> "RunHandle":
        """The handle of a run on Temporal, started here or elsewhere.

        Raises:
            PipelexError: no server answers, or there is no such run.
        """
        return await (await self.durable()).attach(run_id)


@dataclass(frozen=True)
class Method:
    """A loaded method."""

    app: Pipelex
    loaded: LoadedLibrary

    @property
    def verdict(self) -> Verdict:
        """What reading and linking found; `validate` adds what dry runs find."""
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
        from pipelex.runner._verdicts import checked_verdict

        return await checked_verdict(replace(self, app=Pipelex(self.app.settings, orchestrator="direct")))

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

    def read_inputs(
        self, inputs: Mapping[str, Json] | PathLike | None, pipe: str | None = None, *, base_dir: Path | None = None
    ) -> dict[str, Stuff]:
        """A run's inputs, checked against what the pipe declares.

        Args:
            inputs: name → bare value or `{concept, content}`; or a JSON or TOML file of these, in which relative
                paths start at the file's own folder.
            pipe: the pipe to run.
            base_dir: where relative paths in a mapping start; the working directory when None.

        Raises:
            InputError: something does not fit; every finding is in its report.
        """
        raw: Mapping[str, Json]
        if inputs is None:
            raw = {}
        elif isinstance(inputs, Mapping):
            raw = inputs
        else:
            path = Path(inputs)
            raw, base_dir = load_inputs_file(path), path.resolve().parent
        target = self.pipe(pipe)
        return read_inputs(raw, input_slots(target), base_dir=base_dir or Path.cwd(), concepts=self.library)

    async def run(
        self,
        inputs: Mapping[str, Json] | PathLike | None = None,
        *,
        pipe: str | None = None,
        run_id: str | None = None,
        dry_run: bool = False,
        mock: bool = False,
        full_memory: bool = False,
        output_concept: str | None = None,
        on_item_failure: OnItemFailure = "fail",
        on_change: Callable[[PipeTrace], None] | None = None,
    ) -> RunResult:
        """Run a pipe to its end, where the configuration says.

        Args:
            inputs: see `read_inputs`.
            pipe: code or reference; the entry pipe when None.
            run_id: on Temporal, an id already in use attaches to that run; in-process, kept results of a run with the same
                id are used again (see `[inference.result_cache]`).
            dry_run: mock every effect.
            mock: make the inputs up, too; only in a dry run.
            full_memory: bring back everything the entry pipe's memory held at the end.
            output_concept: stands for a `Dynamic` output.
            on_item_failure: what a failing item of a batch does: fail the run, or be left out of the list and told in
                `RunResult.failures`.
            on_change: in-process, called with the run's trace whenever something begins or ends.

        Raises:
            PipelexError: the inputs do not fit, or the run failed.
        """
        call = await self._call(inputs, pipe, mock=mock, output_concept=output_concept)
        identity = self._identity(run_id)
        options = options_of(
            self.app.settings, is_dry=dry_run, full_memory=full_memory, on_item_failure=on_item_failure
        )
        if self.app.orchestrator == "temporal":
            handle = await (await self.app.durable()).start(self.library, call, identity, options)
            return await handle.result(full_memory=full_memory)
        from pipelex.direct import DirectRun

        start_telemetry(self.app.settings)
        if not dry_run and self.library.crate.files:
            self.app.inference.trees.add(*self.loaded.files.trees.values())
        run = DirectRun(
            self.library,
            lambda: self.app.inference,
            identity,
            options,
            retry=retry_of(self.app.settings),
            on_change=on_change,
        )
        execution = await run.execute(call)
        return result_of(identity.run_id, call.pipe, execution.outcome, execution.memory, run.root)

    async def start(
        self,
        inputs: Mapping[str, Json] | PathLike | None = None,
        *,
        pipe: str | None = None,
        run_id: str | None = None,
        dry_run: bool = False,
        mock: bool = False,
        full_memory: bool = False,
        output_concept: str | None = None,
        on_item_failure: OnItemFailure = "fail",
    ) -> "RunHandle":
        """Start a pipe on Temporal without waiting; the arguments are those of `run`.

        Raises:
            PipelexError: the inputs do not fit, no server answers, or it refuses.
        """
        call = await self._call(inputs, pipe, mock=mock, output_concept=output_concept)
        options = options_of(
            self.app.settings, is_dry=dry_run, full_memory=full_memory, on_item_failure=on_item_failure
        )
        durable = await self.app.durable()
        return await durable.start(self.library, call, self._identity(run_id), options)

    def run_sync(self, inputs: Mapping[str, Json] | PathLike | None = None, **options: Any) -> RunResult:
        """`run` for programs without an event loop."""

        async def once() -> RunResult:
            try:
                return await self.run(inputs, **options)
            finally:
                await self.app.aclose()

        return run_in_new_loop(once())

    async def _call(
        self, inputs: Mapping[str, Json] | PathLike | None, pipe: str | None, *, mock: bool, output_concept: str | None
    ) -> PipeCall:
        judged = self if pipe is None else self.for_pipe(pipe)
        judged.verdict.require_valid()
        target = judged.pipe(pipe)
        if mock and inputs is None:
            values = mock_inputs(self.library, target)
        else:
            settings = self.app.settings
            values = self.read_inputs(inputs, pipe)
            if settings.interpreter.pipeline_execution.is_normalize_data_urls_to_storage:
                from pipelex.runner._files import stored_inputs

                values = await stored_inputs(
                    values, self.library, lambda: storage_of(settings), fetch_policy_of(settings)
                )
        dynamic = None if output_concept is None else self.library.resolve(output_concept)
        return PipeCall.sparse(pipe=target.ref, inputs=values, dynamic_output=dynamic)

    def _identity(self, run_id: str | None) -> RunIdentity:
        return RunIdentity.sparse(run_id=run_id or new_run_id(), session_id=self.app.session_id, user_id=_user())


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
