"""Temporal Schedules of methods. The method and inputs are fixed when a schedule is made, until it is updated."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, cast

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import RawValue, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from pipelex.content.stuff import Stuff
from pipelex.durable.jobs import PipeJob, owner_of
from pipelex.errors import ConfigurationError, ErrorCategory, Json, PipelexError
from pipelex.library import Library, linked_libraries
from pipelex.orchestration import EngineUnavailable, RunRequest, StartedRun
from pipelex.orchestration.jobs import Attributes
from pipelex.pipes.calls import PipeCall, RunIdentity
from pipelex.temporal.client.attributes import own_attributes, own_pairs
from pipelex.temporal.client.cluster import Cluster
from pipelex.temporal.client.starting import Start, options_of
from pipelex.temporal.client.submit import submit
from pipelex.temporal.client.timing.times import FIELDS, OVERLAPS, Overlap, Timing, invalid
from pipelex.temporal.codec import stored_above
from pipelex.temporal.workflow import observability
from pipelex.temporal.workflow.refusals import malformed

SCHEDULE: Final = "pipelex_schedule"
"""The memo field of an entry workflow that holds the id of its schedule."""


@dataclass(frozen=True)
class ScheduleView:
    """The description of a schedule that commands show."""

    id: str
    pipe: str
    pipe_type: str
    crate: str
    """The beginning of the fingerprint of the schedule's library; empty if it cannot be read."""
    inputs: Mapping[str, Json]
    is_paused: bool
    note: str
    overlap: str
    time_zone: str
    times: Sequence[str]
    next: Sequence[datetime]
    recent: Sequence[tuple[datetime, str]]
    """The times of recent starts, with the ids of their runs."""
    running: Sequence[str]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])

    def to_json(self) -> dict[str, Json]:
        """The description as JSON, for programs."""
        return {
            "schedule_id": self.id,
            "pipe": self.pipe,
            "pipe_type": self.pipe_type,
            "library": self.crate,
            "inputs": dict(self.inputs),
            "paused": self.is_paused,
            "note": self.note,
            "overlap": self.overlap,
            "time_zone": self.time_zone,
            "times": list(self.times),
            "next": [each.isoformat() for each in self.next],
            "recent": [{"at": at.isoformat(), "pipeline_run_id": id_} for at, id_ in self.recent],
            "running": list(self.running),
            **self.counts,
        }


@dataclass(frozen=True)
class ScheduledCall:
    """The call that a schedule makes each time."""

    library: Library
    """The library as it was when the schedule was made, or last updated."""
    job: PipeJob
    owner: RunIdentity
    """The user and the session of the schedule's runs, with the schedule's id as the run's."""
    attributes: Attributes = field(default_factory=dict[str, str])
    """The user's own search attributes that were set with the schedule."""

    def request(self, inputs: Mapping[str, Stuff], run_id: str, *, is_named: bool = False) -> RunRequest:
        """The request of a run that replaces some of the schedule's inputs, and is the same user's.

        Args:
            inputs: the inputs that differ from the schedule's.
            run_id: the id of the run; the schedule's id if the request is for all its runs.
            is_named: see `RunRequest`.
        """
        call = self.job.call.model_copy(update={"inputs": {**self.job.call.inputs, **inputs}})
        identity = self.owner.model_copy(update={"run_id": run_id})
        options = self.job.options
        return RunRequest(self.library, call, identity, options, is_named=is_named, attributes=self.attributes)


class Schedules:
    """The schedules of a cluster's namespace.

    Args:
        cluster: the cluster that they are on.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._client = cluster.client

    async def create(
        self, id_: str, request: RunRequest, timing: Timing, *, is_paused: bool = False, note: str = ""
    ) -> None:
        """Make a schedule.

        Args:
            id_: the schedule's id, with which the ids of its runs begin.
            request: the request of each of its runs.
            timing: the times at which it starts runs.
            is_paused: whether the schedule is paused at first.
            note: a note for people.

        Raises:
            PipelexError: a schedule has that id already, the times are not valid, or the server refuses.
        """
        schedule = Schedule(
            action=await self._action(id_, request),
            spec=timing.spec(),
            policy=timing.policy(),
            state=ScheduleState(note=note or None, paused=is_paused),
        )
        try:
            await self._client.create_schedule(id_, schedule)
        except ScheduleAlreadyRunningError:
            raise PipelexError(
                "request.idempotency_conflict",
                f"the schedule '{id_}' already exists",
                category=ErrorCategory.CONTENT,
                advice=f"Change it with `pipelex schedule update {id_} …`, or give another id.",
            ) from None
        except RPCError as refused:
            raise _refused(refused, id_) from None

    async def update(self, id_: str, request: RunRequest | None, timing: Timing | None) -> None:
        """Change a schedule's method and inputs, its times, or both. Search attributes that are not set again stay.

        Args:
            id_: the schedule's id.
            request: the request of its runs from now on; None keeps the present one.
            timing: the times from now on; None keeps the present ones.
        """
        action = None if request is None else await self._action(id_, request)
        spec = None if timing is None else (timing.spec(), timing.policy())

        def changed(given: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule = given.description.schedule
            if action is not None:
                _keep_attributes(action, _action_of(given.description))
                schedule = replace(schedule, action=action)
            if spec is not None:
                schedule = replace(schedule, spec=spec[0], policy=spec[1])
            return ScheduleUpdate(schedule=schedule)

        await self._told(id_, self._handle(id_).update(changed))

    async def show(self, id_: str) -> ScheduleView:
        """The description of a schedule: its call, its past starts and its next ones."""
        described: ScheduleDescription = await self._told(id_, self._handle(id_).describe())
        return await self._view(described)

    async def list(self) -> "list[ScheduleView]":
        """Every schedule of a method in the namespace."""
        try:
            ids = [each.id async for each in await self._client.list_schedules()]
        except RPCError as refused:
            raise _refused(refused, "") from None
        found: list[ScheduleView] = []
        for id_ in ids:
            described = await self._found(id_)
            if described is not None and _is_ours(described):
                found.append(await self._view(described))
        return found

    async def _found(self, id_: str) -> ScheduleDescription | None:
        """A schedule's description; None if it was deleted meanwhile."""
        try:
            return await self._handle(id_).describe()
        except RPCError as refused:
            if refused.status == RPCStatusCode.NOT_FOUND:
                return None
            raise _refused(refused, id_) from None

    async def pause(self, id_: str, note: str) -> None:
        """Pause a schedule, so that it starts no runs."""
        await self._told(id_, self._handle(id_).pause(note=note or "Paused by `pipelex schedule pause`"))

    async def resume(self, id_: str, note: str) -> None:
        """Resume a paused schedule."""
        await self._told(id_, self._handle(id_).unpause(note=note or "Resumed by `pipelex schedule resume`"))

    async def trigger(self, id_: str, overlap: Overlap | None = None) -> None:
        """Start a run of a schedule now; None uses the schedule's own policy for overlaps."""
        policy = None if overlap is None else OVERLAPS[overlap]
        await self._told(id_, self._handle(id_).trigger(overlap=policy))

    async def call(self, id_: str) -> "ScheduledCall":
        """The call that each run of a schedule makes."""
        described: ScheduleDescription = await self._told(id_, self._handle(id_).describe())
        action = _action_of(described)
        job, library = await self._arguments(id_, action)
        pairs = [*_pairs(action), SearchAttributePair(observability.PIPELINE_RUN_ID, id_)]
        owner = owner_of(job.run or observability.identity(pairs), id_)
        return ScheduledCall(library, job, owner, self._set_with(action, job.call))

    def _set_with(self, action: ScheduleActionStartWorkflow, call: PipeCall) -> Attributes:
        """The user's own attributes of a schedule, without those that follow from its inputs or the configuration."""
        config = self._cluster.config
        carried = own_attributes(config, action.typed_search_attributes)
        following = own_attributes(config, TypedSearchAttributes(own_pairs(config, call, {})))
        return {name: value for name, value in carried.items() if value != following.get(name)}

    async def start(
        self, id_: str, scheduled: "ScheduledCall", inputs: Mapping[str, Stuff], run_id: str | None = None
    ) -> StartedRun:
        """Start a schedule's method with other inputs, as an ordinary run whose memo names the schedule.

        Args:
            id_: the schedule's id.
            scheduled: the schedule's call; see `call`.
            inputs: the inputs that differ from the schedule's.
            run_id: the run's id; when None, an id that begins with the schedule's.
        """
        new_id = run_id or f"{id_}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"[:-3]
        request = scheduled.request(inputs, new_id, is_named=run_id is not None)
        return await submit(self._cluster, request, memo={SCHEDULE: id_})

    async def backfill(self, id_: str, start: datetime, end: datetime, overlap: Overlap) -> None:
        """Start the runs that a schedule would have started between two times."""
        period = ScheduleBackfill(start_at=start, end_at=end, overlap=OVERLAPS[overlap])
        await self._told(id_, self._handle(id_).backfill(period))

    async def delete(self, id_: str) -> None:
        """Delete a schedule; its runs remain."""
        await self._told(id_, self._handle(id_).delete())

    def _handle(self, id_: str) -> ScheduleHandle:
        return self._client.get_schedule_handle(id_)

    async def _told(self, id_: str, work: Any) -> Any:
        try:
            return await work
        except RPCError as refused:
            raise _refused(refused, id_) from None

    async def _action(self, id_: str, request: RunRequest) -> ScheduleActionStartWorkflow:
        converter, config = self._client.data_converter, self._cluster.config
        options = options_of(config, request.options, stored_above=stored_above(converter))
        start = Start(config, request, request.call, options, is_scheduled=True)
        attributes = start.pairs
        own = [pair for pair in attributes if pair.key.name != observability.PIPELINE_RUN_ID.name]
        # These payloads are not bound to a run, because each run of the schedule has another id.
        arguments = await converter.encode(start.plain_arguments())
        memo, summary, details = await converter.encode([id_, observability.summary(start.pipe), start.details])
        action = ScheduleActionStartWorkflow(
            start.pipe.type,
            args=arguments,
            id=self._cluster.id_prefix + id_,
            task_queue=config.worker_config.default_task_queue,
            memo={SCHEDULE: memo},
            typed_search_attributes=TypedSearchAttributes(own),
            priority=start.priority,
            **start.limits,
        )
        action.static_summary, action.static_details = summary, details
        return action

    async def _arguments(self, id_: str, action: ScheduleActionStartWorkflow) -> tuple[PipeJob, Library]:
        """The job and the library of a schedule's runs.

        Raises:
            PipelexError: this client does not have the key, or something else made the schedule.
        """
        payloads = [each for each in action.args if isinstance(each, Payload)]
        try:
            if len(payloads) < 2:
                raise ValueError("a job and a crate are expected")
            job, crate = await self._client.data_converter.decode(payloads[:2], [PipeJob, RawValue])
            library = linked_libraries().get(cast("RawValue", crate).payload.data)
        except (ValueError, TypeError, RuntimeError, RecursionError) as unreadable:
            raise malformed(
                f"the arguments of the schedule '{id_}' cannot be read: {str(unreadable).partition(chr(10))[0]}",
                "invalid_argument",
                f"`pipelex schedule update {id_} …` writes them anew.",
            ) from None
        return cast("PipeJob", job), library

    async def _view(self, described: ScheduleDescription) -> ScheduleView:
        schedule, info = described.schedule, described.info
        action = _action_of(described)
        call: PipeCall | None = None
        fingerprint = ""
        with suppress(PipelexError):
            job, library = await self._arguments(described.id, action)
            call, fingerprint = job.call, library.crate.fingerprint[:12]
        prefix = self._cluster.id_prefix
        starts = [
            (each.started_at, each.action.workflow_id.removeprefix(prefix))
            for each in info.recent_actions
            if isinstance(each.action, ScheduleActionExecutionStartWorkflow)
        ]
        running = [
            each.workflow_id.removeprefix(prefix)
            for each in info.running_actions
            if isinstance(each, ScheduleActionExecutionStartWorkflow)
        ]
        return ScheduleView(
            described.id,
            "" if call is None else call.pipe,
            action.workflow,
            fingerprint,
            {} if call is None else {name: stuff.content for name, stuff in call.inputs.items()},
            schedule.state.paused,
            schedule.state.note or "",
            next((name for name, policy in OVERLAPS.items() if policy == schedule.policy.overlap), ""),
            schedule.spec.time_zone_name or "UTC",
            _times(schedule.spec),
            info.next_action_times[:5],
            starts,
            running,
            {"started": info.num_actions, "skipped": info.num_actions_skipped_overlap},
        )


def _is_ours(described: ScheduleDescription) -> bool:
    from pipelex.temporal.config.catalog import WORKFLOWS

    action = described.schedule.action
    return isinstance(action, ScheduleActionStartWorkflow) and action.workflow in WORKFLOWS


def _keep_attributes(action: ScheduleActionStartWorkflow, former: ScheduleActionStartWorkflow) -> None:
    """Give an action those search attributes of the former one that it does not have itself."""
    pairs = {pair.key.name: pair for each in (former, action) for pair in _pairs(each)}
    action.typed_search_attributes = TypedSearchAttributes([*pairs.values()])


def _pairs(action: ScheduleActionStartWorkflow) -> Sequence[SearchAttributePair[Any]]:
    return action.typed_search_attributes.search_attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _action_of(described: ScheduleDescription) -> ScheduleActionStartWorkflow:
    action = described.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow) or not _is_ours(described):
        raise invalid(f"the schedule '{described.id}' runs no method", "`pipelex schedule list` lists those that do.")
    return action


def _times(spec: ScheduleSpec) -> "list[str]":
    """The times in words. The server has turned crons into calendars."""
    return [f"every {each.every}" for each in spec.intervals] + [_shown(each) for each in spec.calendars]


def _shown(of: ScheduleCalendarSpec) -> str:
    if of.comment:
        return of.comment
    told: list[str] = []
    for name in reversed(FIELDS):
        ranges: Sequence[ScheduleRange] = getattr(of, name)
        default: Sequence[ScheduleRange] = getattr(ScheduleCalendarSpec(), name)
        if ranges and list(ranges) != list(default):
            told.append(f"{name}={','.join(map(_one, ranges))}")
    return " ".join(told) or "every midnight"


def _one(of: ScheduleRange) -> str:
    span = str(of.start) if of.end <= of.start else f"{of.start}-{of.end}"
    return span if of.step <= 1 else f"{span}/{of.step}"


def _refused(refused: RPCError, id_: str) -> PipelexError:
    if refused.status == RPCStatusCode.NOT_FOUND:
        return PipelexError(
            "run.not_found",
            f"there is no schedule '{id_}'",
            category=ErrorCategory.CONTENT,
            params={"pipeline_run_id": id_},
            advice="`pipelex schedule list` lists the existing ones.",
        )
    if refused.status == RPCStatusCode.INVALID_ARGUMENT:
        return invalid(f"Temporal refuses the schedule: {refused.message}", "Check its times.")
    if refused.status == RPCStatusCode.PERMISSION_DENIED:
        return ConfigurationError(f"schedules may not be changed from here: {refused.message}")
    return EngineUnavailable(
        "runtime.unavailable",
        f"Temporal refused: {refused.message}",
        category=ErrorCategory.TRANSIENT,
        params={"dependency": "temporal"},
    )
