"""A replay, which is prepared with a forecast first and then started."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pipelex.config.trust import require_trust
from pipelex.content.inputs import read_inputs
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.library import Library, MethodTree
from pipelex.orchestration import OrchestratedRun, RunDescription, RunFilter, RunRequest, RunSource
from pipelex.orchestration.jobs import OnChange
from pipelex.orchestration.refusals import RUN_ID_BYTES
from pipelex.orchestration.wiring import fetch_policy_of, storage_of
from pipelex.pipes.calls import PipeCall, RunIdentity, RunOptions
from pipelex.runner._app import Pipelex
from pipelex.runner._files import stored_inputs
from pipelex.runner._handle import RunHandle
from pipelex.runner._inputs import input_slots
from pipelex.runner._method import new_run_id
from pipelex.runner.finding import find_run
from pipelex.runner.replays._edits import ReplayEdit, edited
from pipelex.runner.replays._forecast import Forecast, forecast_of

_MARK: Final = "-replay-"
_REPLAY: Final = re.compile(rf"{_MARK}[0-9a-f]+$")
_MOST_LISTED: Final = 100


@dataclass(frozen=True)
class Replay:
    """A run that is to be run again with an edit."""

    app: Pipelex
    of: RunDescription
    """The run that is replayed."""
    request: RunRequest = field(repr=False)
    forecast: Forecast

    @property
    def run_id(self) -> str:
        """The id of the new run."""
        return self.request.identity.run_id

    async def start(self, on_change: OnChange | None = None) -> RunHandle:
        """Start the new run.

        Args:
            on_change: in-process, called with the run's trace whenever something begins or ends.

        Raises:
            PipelexError: the engine does not answer, or refuses.
        """
        require_trust(self.app.settings.demands)
        request = replace(self.request, on_change=on_change)
        started = await self.app.orchestrator.start(request)
        return RunHandle(self.app.orchestrator, started.run, request.call.pipe, request.call.inputs, started)


async def prepare_replay(app: Pipelex, run_id: str, edit: ReplayEdit | None = None) -> Replay:
    """Prepare to run a run again with an edit, and predict what that reuses and pays for. Nothing is started.

    Args:
        app: the runtime whose orchestrator has the run, and will run the new one.
        run_id: the run's id, or a beginning of it that no other run's id shares.
        edit: the changes; none if None.

    Raises:
        PipelexError: there is no such run, its orchestrator does not keep results, or the edit does not fit.
    """
    edit = edit or ReplayEdit()
    run = await find_run(app.orchestrator, run_id)
    source = await run.source()
    library, call, trees = await _edited(app, source, edit)
    start_over = None if edit.start_over is None else library.find_pipe(edit.start_over)
    request = RunRequest(
        library,
        call,
        RunIdentity.sparse(run_id=_new_id(run.run_id), session_id=app.session_id, user_id=source.identity.user_id),
        await _options(source.options, run, start_over),
        trees,
        attributes=source.attributes,
        folders=source.folders if edit.bundle is None else (),
    )
    kept, earlier = await run.kept(start_over), await run.trace()
    return Replay(app, await run.describe(), request, await forecast_of(request, kept, earlier, lambda: app.inference))


async def replays_of(app: Pipelex, run_id: str) -> list[RunDescription]:
    """The runs that reused results of a run, the newest first.

    Args:
        app: the runtime whose orchestrator has the runs.
        run_id: the run.

    Raises:
        PipelexError: the orchestrator does not answer.
    """
    wanted = RunFilter(prefix=_origin(run_id) + _MARK, replay_of=run_id, limit=_MOST_LISTED)
    return await app.orchestrator.list(wanted)


def _origin(run_id: str) -> str:
    """The id with which the ids of a run's replays begin: that of the first run, even for replays of replays."""
    return _REPLAY.sub("", run_id)


def _new_id(run_id: str) -> str:
    found = f"{_origin(run_id)}{_MARK}{secrets.token_hex(3)}"
    return found if len(found.encode()) <= RUN_ID_BYTES else new_run_id()


async def _options(options: RunOptions, run: OrchestratedRun, start_over: str | None) -> RunOptions:
    """The options of the earlier run, with a reference to its results."""
    said = {name: getattr(options, name) for name in options.model_fields_set - {"reuse"}}
    return type(options)(**said, reuse=await run.reuse(start_over))


async def _edited(
    app: Pipelex, source: RunSource, edit: ReplayEdit
) -> tuple[Library, PipeCall, tuple[MethodTree, ...]]:
    """The edited library, the call to run, and the method trees of the edit's bundle."""
    library, pipe, trees = source.library, source.call.pipe, tuple[MethodTree, ...]()
    if edit.bundle is not None:
        method = app.load(edit.bundle)
        library, trees = method.library, tuple(method.loaded.files.trees.values())
        pipe = pipe if pipe in library.pipes else method.pipe().ref
    library = edited(library, edit)
    inputs = await _inputs(app, library, pipe, source.call.inputs, edit.inputs)
    call = PipeCall.sparse(pipe=pipe, inputs=inputs, dynamic_output=source.call.dynamic_output)
    return library, call, trees


async def _inputs(
    app: Pipelex, library: Library, pipe: str, before: Mapping[str, Stuff], given: Mapping[str, Json]
) -> dict[str, Stuff]:
    declared = library.pipe(pipe).inputs
    slots = input_slots(library.pipe(pipe))
    new = read_inputs(given, slots, base_dir=Path.cwd(), concepts=library, has=slots)
    settings = app.settings
    new = await stored_inputs(
        new,
        library,
        lambda: storage_of(settings),
        fetch_policy_of(settings, allow_files=True),
        with_data_urls=settings.interpreter.pipeline_execution.is_normalize_data_urls_to_storage,
    )
    found = {name: stuff for name, stuff in {**before, **new}.items() if name in declared}
    missing = [name for name, slot in declared.items() if name not in found and slot.presence != "optional"]
    if missing:
        raise PipelexError(
            "input.missing",
            f"pipe '{pipe}' needs an input that the earlier run does not have: {', '.join(missing)}",
            category=ErrorCategory.CONTENT,
            params={"input": missing[0]},
            advice="Give it with --input name=value.",
        )
    return found
