"""Waiting for a durable run, with its progress and a notice on anything that holds it up."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from pipelex.cli._shared.console import clock
from pipelex.cli._shared.progress import Progress, notice
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.orchestration import PATIENCE, EngineUnavailable, Orchestrator, Wait, WaitKind

if TYPE_CHECKING:
    from pipelex.runner import RunHandle, RunResult

T = TypeVar("T")

_COUNTS_EVERY: Final = 1.0
_MOST_IN_A_TREE: Final = 30
"""The most pipes of a watched run whose whole tree is read each time, because each pipe is a history to read."""
_REST: Final = 1.0
"""The pause between two looks at a run, as a multiple of the time a look takes, to keep the load low."""
_WAITS_EVERY: Final = 4.0
_CONNECTS_EVERY: Final = 1.0
_TOLD_AGAIN_AFTER: Final = 60.0
_WITHOUT_WORKER: Final = (WaitKind.NO_WORKER, WaitKind.NO_VERSION, WaitKind.NOT_TAKEN)


class Patience:
    """Repeats an attempt, if the user wants to wait, while the engine cannot be reached or is not set up."""

    def __init__(self, orchestrator: Orchestrator, *, waits: bool, is_silent: bool) -> None:
        self._orchestrator = orchestrator
        self._waits = waits
        self._is_silent = is_silent
        self._is_told = False

    async def until_it_can(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of an attempt that succeeds at last. Each wait is announced once.

        Raises:
            PipelexError: the attempt fails, and waiting is not wanted or would not help.
        """
        while True:
            try:
                done = await attempt()
            except EngineUnavailable as failed:
                worker = f"Workers that take runs: {self._orchestrator.worker_command}"
                advice = "\n".join(filter(None, (failed.report.advice, worker)))
                if not self._waits:
                    raise failed.with_report(advice=advice) from None
                self._tell(f"{failed.report.detail}\n{advice}")
                await asyncio.sleep(_CONNECTS_EVERY)
            else:
                self._is_told = False
                return done

    def _tell(self, text: str) -> None:
        if not self._is_told:
            notice(f"{text}\nWaiting; Ctrl-C ends.", is_json=self._is_silent)
        self._is_told = True


async def check_for_workers(orchestrator: Orchestrator) -> None:
    """Make sure that a worker will take up a run before one is started.

    Raises:
        PipelexError: no worker is there, or the engine does not answer.
    """
    try:
        await orchestrator.check_workers(PATIENCE)
    except EngineUnavailable:
        raise
    except PipelexError as failed:
        raise failed.with_report(detail=f"{failed.report.detail}; nothing was started") from None


async def follow(handle: "RunHandle", shown: Progress, *, full_memory: bool = False, waits: bool = True) -> "RunResult":
    """Wait for the run's result, and show its progress meanwhile.

    Args:
        handle: the run.
        shown: the progress display.
        full_memory: see `RunHandle.result`.
        waits: whether to keep waiting if no worker takes up the run or the engine is away; the user is told either way.

    Raises:
        PipelexError: the run failed, was cancelled or timed out; or `waits` is false, and no worker takes up the run or
            the engine does not answer.
    """
    looking = asyncio.create_task(_look_for_obstacles(handle, shown, waits=waits))
    watchers = [asyncio.create_task(_count(handle, shown)), looking]
    result = asyncio.create_task(_result(handle, shown, full_memory=full_memory, waits=waits))
    try:
        await asyncio.wait((result, looking), return_when=asyncio.FIRST_COMPLETED)
        if not result.done() and looking.done() and not looking.cancelled():
            error = looking.exception()
            if isinstance(error, PipelexError):
                raise error
        return await result
    finally:
        for task in (result, *watchers):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def told(handle: "RunHandle", shown: Progress, ending: Awaitable[T]) -> T:
    """Await the end of a run of this process, and tell the user meanwhile what it waits for.

    Args:
        handle: the run.
        shown: the progress display.
        ending: returns when the run has ended; its result is returned.
    """
    looking = asyncio.create_task(_look_for_obstacles(handle, shown, waits=True))
    try:
        return await ending
    finally:
        looking.cancel()


async def _result(handle: "RunHandle", shown: Progress, *, full_memory: bool, waits: bool) -> "RunResult":
    while True:
        try:
            return await handle.result(full_memory=full_memory)
        except EngineUnavailable as failed:
            if not waits:
                raise
            shown.note(f"{failed.report.detail}. Waiting for it; Ctrl-C leaves the run where it is.")
            await _until_it_answers(handle)
            shown.note(f"The server answers again; still waiting for run '{handle.run_id}'.")


async def _until_it_answers(handle: "RunHandle") -> None:
    """Wait until the engine answers about the run, so that the next time it goes away is another outage."""
    while True:
        await asyncio.sleep(_CONNECTS_EVERY)
        try:
            await handle.describe()
        except EngineUnavailable:
            continue
        except PipelexError:  # the result has the same problem, and reports it
            return
        return


async def _count(handle: "RunHandle", shown: Progress) -> None:
    """Keep showing the progress of the run as a tree, with times counted from the run's own start.

    In a large run, only the running pipes are read, and the figures are the engine's.
    """
    with suppress(PipelexError):
        shown.began((await handle.describe()).started)
    clock = asyncio.get_running_loop().time
    is_large = True  # until the first look shows otherwise
    while True:
        looked = clock()
        with suppress(PipelexError):  # waiting for the result reports the problem
            is_large = await _look(handle, shown, is_large=is_large)
        await asyncio.sleep(max(_COUNTS_EVERY, _REST * (clock() - looked)))


async def _look(handle: "RunHandle", shown: Progress, *, is_large: bool) -> bool:
    """Show the progress of the run now, and return whether the run is large.

    Figures and tree are requested at the same time, so that they describe the same moment.
    """
    counts, root = await asyncio.gather(handle.run.counts(), handle.trace(ended=not is_large))
    is_large = counts is not None and counts.running + counts.completed + counts.failed > _MOST_IN_A_TREE
    if counts is not None and is_large:
        shown.counts(counts)
    shown.trace(root)
    return is_large


async def _look_for_obstacles(handle: "RunHandle", shown: Progress, *, waits: bool) -> None:
    """Tell the user about every wait of the run that needs somebody to act: once, and again each minute while it lasts.

    Raises:
        PipelexError: no worker has taken up the run at first, and `waits` is false.
    """
    told: dict[str, float] = {}
    await asyncio.sleep(PATIENCE.total_seconds())
    is_first = True
    while True:
        found: list[Wait] = []
        with suppress(Exception):  # waiting for the result reports the problem
            found = await handle.waits()
        for wait in found:
            if is_first and not waits and wait.kind in _WITHOUT_WORKER and wait.workflow_id == handle.workflow_id:
                raise _nobody(wait, handle.run_id)
            key = wait.report.detail if wait.report is not None else wait.detail
            now = asyncio.get_running_loop().time()
            if key not in told or now - told[key] > _TOLD_AGAIN_AFTER:
                told[key] = now
                shown.note(notice_of(wait))
        is_first = False
        await asyncio.sleep(_WAITS_EVERY)


def notice_of(wait: Wait) -> str:
    """The lines that tell a waiting user what the run itself waits for."""
    lines = [
        wait.detail,
        *([wait.advice] if wait.advice else []),
        *([prospects] if (prospects := outlook(wait)) else []),
    ]
    if wait.kind in _WITHOUT_WORKER:
        until = "" if wait.deadline is None else f" until {clock(wait.deadline)} at the latest"
        return f"{' '.join(lines)}\nWaiting{until}; Ctrl-C leaves the run where it is."
    return "\n".join(lines)


def outlook(wait: Wait) -> str:
    """The outlook of a failing call: the time of the next attempt, and how long until the run gives up."""
    parts: list[str] = []
    if wait.until is not None:
        parts.append(f"It is tried again at {clock(wait.until)}")
    if wait.report is not None and wait.report.is_free:
        parts.append("nothing was sent, so it costs no attempt for now")
    elif wait.failures == 0:
        pass  # the run waits, but nothing has failed
    elif wait.failures is not None and wait.most_failures is not None:
        parts.append(f"it was failure {wait.failures} of at most {wait.most_failures}")
    elif wait.most_failures is not None:
        parts.append(f"it may fail {wait.most_failures} times")
    elif wait.kind is WaitKind.CALL_FAILS:
        parts.append("it may fail any number of times")
    if wait.deadline is not None:
        parts.append(f"the run waits until {clock(wait.deadline)} at the latest")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _nobody(wait: Wait, run_id: str) -> PipelexError:
    detail = wait.detail.rstrip(".").removesuffix(" yet")
    return PipelexError(
        "runtime.unavailable",
        f"{detail[0].lower()}{detail[1:]}; run '{run_id}' waits for one; cancel it: pipelex runs cancel {run_id}",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "worker"},
        advice=wait.advice,
    )
