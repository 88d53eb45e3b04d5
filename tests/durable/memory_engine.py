"""An engine that keeps histories in memory: a second host of durable runs, without any server.

Each workflow has a history of events. Its code is told of one event at a time, and goes as far as it can before the next
one; so a history can be replayed, and the code must then ask for the very same commands. Everything that crosses between
workflows and activities is JSON in between. Activities are performed in this process, and repeated as their dispatch says.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal, NoReturn, TypeVar

from pydantic_core import from_json, to_json

from pipelex.content.stuff import Stuff, WorkingMemory
from pipelex.durable import entry
from pipelex.durable.attempts import Attempt, attempted
from pipelex.durable.dispatch import Dispatch, Dispatcher
from pipelex.durable.dispatch.options import BACKOFF_COEFFICIENT, INITIAL_INTERVAL, MAXIMUM_ATTEMPTS
from pipelex.durable.failures import IncomingFailure, incoming, outgoing
from pipelex.durable.host import Activity, Child, History
from pipelex.durable.jobs import SLICE_WORKFLOW, Envelope, PipeJob, SliceJob, crate_of
from pipelex.durable.large import LargeInputs, LargeValues, whole
from pipelex.durable.limits import EngineLimits, check_payload
from pipelex.durable.options import EngineOptions
from pipelex.durable.stored import PART_BYTES, StoredList, StoredPayload, list_in_store
from pipelex.errors import ErrorReport, PipelexError
from pipelex.inference import EffectPerformer
from pipelex.inference.calls.ledger import CallLedger
from pipelex.library import Library, linked_libraries
from pipelex.pipes.batches import cut
from pipelex.pipes.calls import PipeCall, PipeOutcome, RunIdentity
from pipelex.pipes.references import ListReference, read_value
from pipelex.pipes.wire import Wire

R = TypeVar("R", bound=Wire)
Json = Any

LIMITS: Final = EngineLimits(
    engine="The engine in memory",
    store_advice="Give the engine a store.",
    same_store_advice="Give the engine the same store.",
    run_time_advice="Give runs more time.",
    lost_workers_advice="Give calls more time.",
)

_SETTLING: Final = 200
"""Turns of the event loop in which a workflow's code goes as far as it can."""


# --- what is kept -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Command:
    """Something that a workflow's code asked for."""

    kind: Literal["child", "activity", "store", "load", "timer"]
    name: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that came of a command."""

    kind: Literal["accepted", "completed", "failed"]
    command: int
    """The rank of the command."""
    told: Json = None
    """A result, or a report."""


@dataclass(frozen=True, slots=True)
class Written:
    """The arguments of a workflow or of an activity, as they travel."""

    job: bytes
    crate: bytes
    large: bytes | None
    items: StoredPayload | None

    @classmethod
    def of(cls, envelope: Envelope[Any]) -> "Written":
        large = None
        if envelope.large is not None:
            members = b",".join(to_json(name) + b":" + value for name, value in envelope.large.values.items())
            large = b'{"values":{' + members + b"}}"
        return cls(write(envelope.job), envelope.crate.json_bytes, large, envelope.items)

    @property
    def large_inputs(self) -> LargeInputs | None:
        return None if self.large is None else LargeInputs.model_validate_json(self.large)

    @property
    def size(self) -> int:
        return len(self.job) + len(self.crate) + len(self.large or b"")


@dataclass
class Run:
    """One run of a workflow: one that goes on in a new run has several."""

    workflow: str
    id: str
    written: Written
    identity: RunIdentity | None
    commands: list[Command] = field(default_factory=list[Command])
    events: list[Event] = field(default_factory=list[Event])
    result: Json = None
    is_cut_off: bool = False
    """Whether it was cancelled from outside, with its code on the way."""


def write(value: Wire) -> bytes:
    """The wire form of a value: only members that were set."""
    return value.model_dump_json(exclude_unset=True).encode()


class WorkflowFailed(Exception):
    """The exception by which a workflow, or an activity, fails."""

    def __init__(self, detail: Json) -> None:
        super().__init__(detail["detail"])
        self.detail = detail


class GoingOn(Exception):
    """The exception by which a slice's workflow goes on in a new run."""

    def __init__(self, written: Written) -> None:
        super().__init__("goes on")
        self.written = written


# --- the engine -------------------------------------------------------------------------------------------------------


class MemoryEngine:
    """Runs workflows in this process.

    Args:
        dispatcher: sends activities; all of them are performed here.
        performer: performs them.
        limits: what the engine bears.
        child_workflows: which child pipes are workflows of their own.
        is_identity_known: whether the engine tells workflows whose run they belong to.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        performer: EffectPerformer,
        *,
        limits: EngineLimits = LIMITS,
        child_workflows: Literal["every_pipe", "controllers"] = "every_pipe",
        is_identity_known: bool = True,
    ) -> None:
        self.dispatcher = dispatcher
        self.performer = performer
        self.limits = limits
        self.runs: list[Run] = []
        self._child_workflows: Literal["every_pipe", "controllers"] = child_workflows
        self._is_identity_known = is_identity_known
        self._store: dict[str, bytes] = {}

    async def execute(
        self, library: Library, call: PipeCall, run: RunIdentity, options: EngineOptions
    ) -> tuple[PipeOutcome, WorkingMemory]:
        """Run an entry pipe to its end, with its values at hand.

        Raises:
            PipelexError: it failed.
        """
        stored_above = options.stored_above if self.dispatcher.has_store else None
        options = EngineOptions.of(options, child_workflows=self._child_workflows, stored_above=stored_above)
        pipe = library.pipe(call.pipe)
        if stored_above is not None:
            call = call.model_copy(
                update={"inputs": {name: self._by_reference(stuff, options) for name, stuff in call.inputs.items()}}
            )
        known = run if self._is_identity_known else None
        job = PipeJob.sparse(call=call, run=None if known == run else run, options=options)
        check_payload(
            job, self.limits, what=f"the inputs of pipe '{pipe.code}'", named=call.inputs, stored_above=stored_above
        )
        kept, large = LargeValues(stored_above).split(call)
        envelope = Envelope(job=job.model_copy(update={"call": kept}), crate=crate_of(library, call), large=large)
        try:
            told = await self.run_workflow(pipe.type, run.run_id, Written.of(envelope), known)
        except WorkflowFailed as failed:
            raise incoming(IncomingFailure(detail=failed.detail), self.limits, what=f"run '{run.run_id}'") from None
        outcome = PipeOutcome.model_validate(told["outcome"])
        if isinstance(outcome.stuff, ListReference):
            outcome = outcome.model_copy(update={"stuff": self._loaded(outcome.stuff)})
        memory = WorkingMemory.from_json(told["memory"], read_value)
        root = {name: self._loaded(stuff) for name, stuff in memory.root.items()}
        return outcome, replace(memory, root=root)

    async def run_workflow(self, workflow: str, id_: str, written: Written, identity: RunIdentity | None) -> Json:
        """Run a workflow to its end, over all its runs."""
        while True:
            run = Run(workflow, id_, written, identity)
            self.runs.append(run)
            try:
                run.result = await Execution(self, run).to_end()
                return run.result
            except GoingOn as going:
                written = going.written

    async def replay(self, run: Run) -> None:
        """Run a workflow's code again over its history, which must ask for the same commands and give the same."""
        again = Run(run.workflow, run.id, run.written, run.identity)
        try:
            result = await Execution(self, again, past=run.events).to_end()
        except (WorkflowFailed, GoingOn):
            result = None
        assert again.is_cut_off == run.is_cut_off, "the code asks for other commands than those of its history"
        assert again.commands == run.commands
        assert result == run.result

    # --- activities and the store -------------------------------------------------------------------------------------

    async def perform(self, activity: Activity[Any], call: str) -> Json:
        """Perform an activity, and again as its dispatch says."""
        attempts, number, ledger = activity.dispatch[MAXIMUM_ATTEMPTS], 0, CallLedger()
        while True:
            number += 1
            try:
                return from_json(write(await self._attempt(activity, call, number, ledger)))
            except PipelexError as failed:
                told = outgoing(failed.report, may_retry=True)
                if not told.is_retryable or number == attempts:
                    raise WorkflowFailed(told.detail) from None
            await asyncio.sleep(_interval(activity.dispatch, number).total_seconds())

    async def _attempt(self, activity: Activity[Any], call: str, number: int, ledger: CallLedger) -> Wire:
        effect, arguments = activity.effect, activity.arguments
        written = None if arguments is None else Written.of(arguments)
        job: Any = type(effect.job).model_validate_json(write(effect.job) if written is None else written.job)
        if written is not None:
            job = whole(job, written.large_inputs)
        attempt = Attempt(
            activity=effect.activity,
            call=call,
            number=number,
            beat=lambda: None,
            heartbeat_timeout=None,
            limits=self.limits,
            stored_above=EngineOptions().stored_above if self.dispatcher.has_store else None,
        )
        crate = written.crate if written else b""
        work = self.performer.attempt(
            effect.kind, job, call=call, library=lambda: linked_libraries().get(crate), ledger=ledger
        )
        return await attempted(work, attempt)

    def put(self, items: list[Any]) -> StoredPayload:
        """Keep items of a list."""
        data = to_json(items)
        key = hashlib.sha256(data).hexdigest()
        self._store[key] = data
        return StoredPayload(key=key, size=len(data))

    def get(self, stored: StoredPayload) -> list[Any]:
        """The items of a list."""
        return from_json(self._store[stored.key])

    def _loaded(self, stuff: Stuff) -> Stuff:
        if not isinstance(stuff, ListReference):
            return stuff
        items = [item for part in StoredList.of(stuff).parts for item in self.get(part)]
        return Stuff.of_list(stuff.concept, items)

    def _by_reference(self, stuff: Stuff, options: EngineOptions) -> Stuff:
        if not stuff.is_list:
            return stuff
        pieces = cut(stuff.items, most_items=options.slice_size, most_bytes=PART_BYTES)
        if len(pieces) < 2:
            return stuff
        return list_in_store(stuff.concept, [(self.put(piece), len(piece)) for piece in pieces])


def _interval(dispatch: Dispatch, attempt: int) -> timedelta:
    return dispatch[INITIAL_INTERVAL] * dispatch[BACKOFF_COEFFICIENT] ** (attempt - 1)


# --- one run of a workflow --------------------------------------------------------------------------------------------


class Execution:
    """The code of one run of a workflow, on its way.

    Args:
        engine: carries out its commands.
        run: keeps the history.
        past: events of a history that it is run again over; None: it runs for the first time.
    """

    def __init__(self, engine: MemoryEngine, run: Run, past: list[Event] | None = None) -> None:
        self.engine = engine
        self.run = run
        self.is_replaying = past is not None
        self.history = History(1, run.written.size)
        """How long it was when the current task began."""
        self._past = past
        self._arrived: asyncio.Queue[Event] = asyncio.Queue()
        self._waiting: dict[tuple[int, str], asyncio.Future[Json]] = {}
        self._conditions: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._work: set[asyncio.Task[None]] = set()

    async def to_end(self) -> Json:
        """Run the code to its end, one event at a time."""
        code = asyncio.ensure_future(self._code())
        try:
            await self._settle(code)
            for event in self._past or ():
                await self._told(event, code)
            while not code.done() and not self.is_replaying:
                await self._told(await self._arrived.get(), code)
            return code.result() if code.done() else None
        finally:
            self.run.is_cut_off = not code.done()
            for task in [code, *self._work]:
                task.cancel()
            await asyncio.gather(code, *self._work, return_exceptions=True)

    async def _code(self) -> Json:
        run, host = self.run, MemoryHost(self)
        large = run.written.large_inputs
        if run.workflow == SLICE_WORKFLOW:
            items = None if run.written.items is None else self.engine.get(run.written.items)
            job = SliceJob.model_validate_json(run.written.job)
            return from_json(write(await entry.run_slice(host, job, run.written.crate, items, large)))
        job = PipeJob.model_validate_json(run.written.job)
        execution = await entry.run_pipe(host, job, run.written.crate, large)
        return {"outcome": from_json(write(execution.outcome)), "memory": execution.memory.to_json()}

    async def _settle(self, code: "asyncio.Future[Json]") -> None:
        for _ in range(_SETTLING):
            if code.done():
                return
            for condition, future in self._conditions:
                if not future.done() and condition():
                    future.set_result(None)
            await asyncio.sleep(0)

    async def _told(self, event: Event, code: "asyncio.Future[Json]") -> None:
        self.run.events.append(event)
        told = self.history.size + len(to_json(event.told))
        self.history = History(1 + len(self.run.commands) + len(self.run.events), told)
        self._tell(event)
        await self._settle(code)

    def _tell(self, event: Event) -> None:
        kind = "accepted" if event.kind == "accepted" else "ended"
        future = self._waiting.get((event.command, kind))
        if future is None or future.done():  # nobody waits for what was cancelled
            return
        if event.kind == "failed":
            future.set_exception(WorkflowFailed(event.told))
        else:
            future.set_result(event.told)

    # --- commands -----------------------------------------------------------------------------------------------------

    def ask(self, command: Command, work: Callable[[], Awaitable[Json]], *, is_child: bool = False) -> int:
        """Note a command, and have it carried out; a replay only notes it."""
        rank = len(self.run.commands)
        self.run.commands.append(command)
        loop = asyncio.get_running_loop()
        self._waiting[rank, "ended"] = loop.create_future()
        if is_child:
            self._waiting[rank, "accepted"] = loop.create_future()
        if not self.is_replaying:
            task = asyncio.create_task(self._carry_out(rank, work, is_child=is_child))
            self._work.add(task)
            self._waiting[rank, "ended"].add_done_callback(lambda ended: task.cancel() if ended.cancelled() else None)
        return rank

    async def _carry_out(self, rank: int, work: Callable[[], Awaitable[Json]], *, is_child: bool) -> None:
        if is_child:
            self._arrived.put_nowait(Event("accepted", rank))
        try:
            self._arrived.put_nowait(Event("completed", rank, await work()))
        except WorkflowFailed as failed:
            self._arrived.put_nowait(Event("failed", rank, failed.detail))

    async def accepted(self, rank: int) -> None:
        """Wait until a child has been accepted."""
        await self._waiting[rank, "accepted"]

    async def ended(self, rank: int, what: str) -> Json:
        """What came of a command."""
        try:
            return await self._waiting[rank, "ended"]
        except WorkflowFailed as failed:
            raise incoming(IncomingFailure(str(failed), failed.detail), self.engine.limits, what=what) from None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something has become so."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._conditions.append((condition, future))
        await future


class MemoryHost:
    """One run of a workflow as a host; see `pipelex.durable.host.Host`."""

    def __init__(self, execution: Execution) -> None:
        engine, run = execution.engine, execution.run
        self.limits = engine.limits
        self.dispatcher = engine.dispatcher
        self.root_id = run.id.partition("/")[0]
        self.told_root: str | None = None
        self.identity = run.identity
        self.is_replaying = execution.is_replaying
        self._execution = execution

    def history(self) -> History:
        return self._execution.history

    def child_id(self, path: tuple[str, ...], ranks: str = "") -> str:
        id_ = "/".join((self.root_id, *path))
        return f"{id_}[{ranks}]" if ranks else id_

    async def start_child(self, child: Child[R]) -> Awaitable[R]:
        execution, written = self._execution, Written.of(child.envelope)
        work = partial(execution.engine.run_workflow, child.workflow, child.id, written, self.identity)
        rank = execution.ask(Command("child", child.workflow, child.id), work, is_child=True)
        await execution.accepted(rank)
        return self._result(rank, child)

    async def _result(self, rank: int, child: Child[R]) -> R:
        told = await self._execution.ended(rank, child.what)
        return child.result.model_validate(told["outcome"] if child.workflow != SLICE_WORKFLOW else told)

    async def perform(self, activity: Activity[R]) -> R:
        execution, effect = self._execution, activity.effect
        call = f"{execution.run.id}:{len(execution.run.commands)}"
        work = partial(execution.engine.perform, activity, call)
        rank = execution.ask(Command("activity", effect.activity, effect.summary), work)
        return effect.result.model_validate(await execution.ended(rank, f"activity '{effect.activity}'"))

    async def store_list(self, items: list[Any]) -> StoredPayload:
        async def put() -> Json:
            return self._execution.engine.put(items).model_dump()

        rank = self._execution.ask(Command("store", str(len(items))), put)
        return StoredPayload.model_validate(await self._execution.ended(rank, "the store"))

    async def load_list(self, stored: StoredList) -> list[Any]:
        async def get() -> Json:
            return [item for part in stored.parts for item in self._execution.engine.get(part)]

        rank = self._execution.ask(Command("load", str(len(stored.parts))), get)
        return await self._execution.ended(rank, "the store")

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        if not condition():
            await self._execution.until(condition)

    async def end_task(self) -> None:
        async def fire() -> Json:
            return None

        await self._execution.ended(self._execution.ask(Command("timer", ""), fire), "a timer")

    async def go_on(self, envelope: Envelope[SliceJob]) -> NoReturn:
        raise GoingOn(Written.of(envelope))

    def failure(self, report: ErrorReport) -> BaseException:
        return WorkflowFailed(outgoing(report, may_retry=False).detail)

    def is_cancellation(self, error: BaseException) -> bool:
        return isinstance(error, asyncio.CancelledError)

    def log_bug(self, message: str) -> None:
        logging.getLogger(__name__).exception(message)

    def log(self, message: str) -> None:
        logging.getLogger(__name__).info(message)
