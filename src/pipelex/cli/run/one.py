"""One run from its start to its end, on any orchestrator, and the messages after an interruption."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.cli._shared.attributes import attributes_of
from pipelex.cli._shared.console import out, say
from pipelex.cli._shared.loops import Interrupted, interruptible
from pipelex.cli._shared.progress import Progress, notice, progress
from pipelex.cli._shared.results import print_json
from pipelex.cli.completing import remember
from pipelex.cli.run.ending import Ended, files_wanted
from pipelex.cli.run.flags import RunFlags
from pipelex.cli.run.inputs import RawInputs
from pipelex.cli.runs.endings import AFTER_INTERRUPT, detached_text, ending_text
from pipelex.errors import PipelexError
from pipelex.orchestration import EngineUnavailable, RunState

if TYPE_CHECKING:
    from pipelex.cli.runs.attached import Patience
    from pipelex.pipes.trace import PipeTrace
    from pipelex.runner import Method, Pipelex, RunHandle, RunKeywords, RunResult


class OneRun:
    """One run, with the facts to report if it is interrupted."""

    def __init__(
        self, app: "Pipelex", method: "Method", pipe: str, raw: RawInputs, flags: RunFlags, allow_files: bool | Path
    ) -> None:
        self._app = app
        self._method = method
        self._pipe = pipe
        self._raw = raw
        self._flags = flags
        self._allow_files = allow_files
        self._submission: _Submission | None = None
        self._run_id: str | None = None
        """The id of the run once it has started."""
        self._has_result = False
        self._state: RunState | None = None
        """The state of the run after an interruption cancelled it; None if it was not cancelled."""

    async def to_the_end(self) -> Ended | None:
        """Perform the run to its end; None if it is still running and this command does not wait for it."""
        async with self._app:  # ends whatever is still running in this process
            if self._app.orchestrator.is_durable:
                return await self._elsewhere()
            with progress(self._pipe, is_silent=self._flags.json) as shown:
                return await interruptible(self._in_process(shown))

    async def _in_process(self, shown: Progress) -> Ended:
        from pipelex.cli.runs.attached import told

        handle = _noted(await self._method.start(self._raw, **self._keywords(on_change=shown.trace)), shown)
        self._run_id = handle.run_id
        return await self._ended(handle, told(handle, shown, handle.result()))

    async def _ended(self, handle: "RunHandle", ending: "Awaitable[RunResult]") -> Ended:
        try:
            result = await ending
            self._has_result = True
            return await Ended.of(handle, result=result, wants_page=self._wants_page)
        except PipelexError as failed:
            return await Ended.of(handle, failed=failed)

    @property
    def _wants_page(self) -> bool:
        wanted = files_wanted(self._app, self._flags)
        return wanted.graph and (wanted.main_stuff or wanted.working_memory)

    @property
    def _wants_memory(self) -> bool:
        flags = self._flags
        return flags.save_working_memory or flags.with_memory or flags.working_memory_path is not None

    # --- on a durable engine ------------------------------------------------------------------------------------------

    async def _elsewhere(self) -> Ended | None:
        from pipelex.cli.runs.attached import Patience, check_for_workers, follow

        flags, orchestrator = self._flags, self._app.orchestrator
        patience = Patience(orchestrator, waits=flags.wait is True, is_silent=flags.json)
        await interruptible(patience.until_it_can(orchestrator.connect))
        if flags.wait is False:
            await interruptible(check_for_workers(orchestrator))
        handle = await self._submitted(patience)
        if flags.detach:
            self._print_id(handle)
            return None
        with progress(f"{self._pipe} ({handle.run_id})", is_silent=flags.json) as shown:
            following = follow(
                _noted(handle, shown), shown, full_memory=self._wants_memory, waits=flags.wait is not False
            )
            try:
                return await interruptible(self._ended(handle, following))
            except Interrupted:
                await self._cancel(handle)
                raise

    async def _submitted(self, patience: "Patience") -> "RunHandle":
        """Start the run; after an interruption, find out whether the engine took it."""
        self._submission = submission = _Submission(self._method, self._raw, self._keywords())
        try:
            handle = await interruptible(patience.until_it_can(submission.attempt))
        except Interrupted:
            started = await interruptible(submission.outcome())
            if started is not None:
                self._started(started)
                await self._cancel(started)
            raise
        self._started(handle)
        return handle

    def _started(self, handle: "RunHandle") -> None:
        self._run_id = handle.run_id
        remember(handle.run_id)

    async def _cancel(self, handle: "RunHandle") -> None:
        """Cancel the run after an interruption if the options say so."""
        if self._flags.cancel_on_interrupt and not self._has_result:
            self._state = await interruptible(handle.cancel(within=AFTER_INTERRUPT))

    def _keywords(self, on_change: "Callable[[PipeTrace], None] | None" = None) -> "RunKeywords":
        flags = self._flags
        return {
            "pipe": self._pipe,
            "run_id": flags.run_id,
            "dry_run": flags.dry_run,
            "mock": flags.mock_inputs,
            "full_memory": self._wants_memory and not flags.detach,
            "output_concept": flags.dynamic_output_concept,
            "on_item_failure": flags.on_item_failure,
            "allow_files": self._allow_files,
            "attributes": attributes_of(flags.attribute or (), flags.tag or ()),
            "on_change": on_change,
        }

    def _print_id(self, handle: "RunHandle") -> None:
        found = handle.found
        if self._flags.json:
            attached = {} if found is None else {"attached": True, "run_status": found.value}
            print_json({"pipeline_run_id": handle.run_id, "workflow_id": handle.workflow_id} | attached)
        else:
            out(handle.run_id)
            say(detached_text(handle.run_id, found, handle.note))

    # --- an interruption ----------------------------------------------------------------------------------------------

    def tell_how_to_go_on(self) -> None:
        """Tell the user, after an interruption, what became of the run and how to continue."""
        notice("\n".join(self._after_interruption()), is_json=self._flags.json)

    def _after_interruption(self) -> list[str]:
        run_id = self._run_id
        if run_id is None:
            return [self._nothing_known()]
        if self._has_result:
            kept = "." if self._flags.dry_run else f", and its result is kept:  pipelex runs result {run_id}"
            return [f"Interrupted; run {run_id} has completed{kept}"]
        if self._state is not None:
            return [f"Interrupted. {ending_text(run_id, self._state)}"]
        if not self._app.orchestrator.is_durable:
            return ["Interrupted; the run was cancelled.", *self._going_on_here(run_id)]
        return [
            f"Interrupted; run {run_id} continues.",
            f"  Get its result:  pipelex runs result {run_id}",
            f"  Cancel it:       pipelex runs cancel {run_id}",
        ]

    def _nothing_known(self) -> str:
        submission = self._submission
        if submission is None or submission.unsure_of is None:
            return "Interrupted; nothing was started."
        run_id = submission.unsure_of
        return f"Interrupted; run {run_id} may have been started. See whether it was:  pipelex runs show {run_id}"

    def _going_on_here(self, run_id: str) -> list[str]:
        if self._flags.dry_run or not self._app.settings.runtime.run_records.is_enabled:
            return []
        return [f"  Continue without paying twice:  pipelex runs retry {run_id}"]


class _Submission:
    """The start of a run on an engine; once the request is sent, an interruption does not stop it."""

    def __init__(self, method: "Method", raw: RawInputs, keywords: "RunKeywords") -> None:
        self._method = method
        self._raw = raw
        self._keywords = keywords
        self._sent: asyncio.Task[RunHandle] | None = None
        self.unsure_of: str | None = None
        """The id of the run while it is not known whether the engine has it; else None."""

    async def attempt(self) -> "RunHandle":
        """Start the run.

        Raises:
            PipelexError: the run cannot be started.
        """
        request = await self._method.request(self._raw, **self._keywords)
        self._sent = asyncio.create_task(self._method.start_request(request))
        self.unsure_of = request.identity.run_id
        return await asyncio.shield(self._sent)

    async def outcome(self) -> "RunHandle | None":
        """The run after an interruption, if the engine took it within a few seconds; else None."""
        if self._sent is None:
            return None
        done, _ = await asyncio.wait({self._sent}, timeout=AFTER_INTERRUPT.total_seconds())
        if not done:
            self._sent.cancel()
            return None
        failed = self._sent.exception()
        if not isinstance(failed, EngineUnavailable):
            self.unsure_of = None
        return None if failed is not None else self._sent.result()


def _noted(handle: "RunHandle", shown: Progress) -> "RunHandle":
    """The handle, after telling the user about an earlier run that was found under the run's id."""
    if handle.note is not None:
        shown.note(handle.note)
    return handle
