"""Mistral Workflows as the host of a run: `pipelex.durable.host.Host` for the current workflow.

Mistral's SDK is built on Temporal's, and its wrappers leave out some options, such as the time-outs and retries of a
call, or the name of a child. Such commands therefore go to Temporal's SDK. Their results are unwrapped only here.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, NoReturn, TypeVar, cast

from mistralai.workflows.core.utils.contextvars import unwrap_contextual_result
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ChildWorkflowError, is_cancelled_exception

from pipelex.durable.dispatch import OPTIONS, Dispatcher
from pipelex.durable.host import Activity, Child, History
from pipelex.durable.jobs import SLICE_WORKFLOW, Envelope, SliceJob
from pipelex.durable.large import LargeInputs, WrittenInputs
from pipelex.durable.limits import EngineLimits
from pipelex.durable.options import EngineOptions
from pipelex.durable.stored import StoredList, StoredPayload
from pipelex.errors import ErrorReport
from pipelex.errors.json import Json, as_array, as_object
from pipelex.mistral_workflows import names
from pipelex.mistral_workflows.carried import (
    JOB,
    Carried,
    CarriedValue,
    malformed,
    plain,
    reference_to,
    stored_in,
    write,
    written,
)
from pipelex.pipes.calls import RunIdentity
from pipelex.pipes.effects.kind import Effect
from pipelex.pipes.references import parts_of
from pipelex.pipes.window import is_cancelled
from pipelex.pipes.wire import Wire
from pipelex.temporal.workflow.failures import from_failure, to_application_error
from pipelex.temporal.workflow.host import retry_policy
from pipelex_mistral_workflows.activities import GET_VALUE, LANES, PUT_VALUE
from pipelex_mistral_workflows.deployment import Deployment
from pipelex_mistral_workflows.hands import HANDS

R = TypeVar("R", bound=Wire)

_STORE_TIMEOUT: Final = timedelta(minutes=2)
_STORE_RETRIES: Final = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=10)
_PAUSE: Final = timedelta(milliseconds=1)
"""The time of a timer that ends a workflow task which has nothing else to wait for."""
_TIME_LIMITS: Final = tuple(option for option in OPTIONS if option.key.endswith("_timeout"))


class MistralHost:
    """The current workflow as a host; see `pipelex.durable.host.Host` for its members.

    Args:
        deployment: the deployment that this worker serves.
        lanes: the backends whose calls go through their own task queues, fixed when the run began.
        run_id: the run's id.
        earlier: the same run before a reset, whose results calls reuse, as the input of the workflow names it.
    """

    def __init__(
        self,
        deployment: Deployment,
        lanes: tuple[str, ...] = (),
        run_id: str | None = None,
        earlier: Mapping[str, Json] | None = None,
    ) -> None:
        info = workflow.info()
        self.dispatcher: Dispatcher = deployment.dispatcher
        self.limits: EngineLimits = deployment.limits
        self.root_id = info.root.workflow_id if info.root is not None else info.workflow_id
        self.told_root: str | None = None
        self.identity: RunIdentity | None = None
        self._timeout = deployment.config.execution_timeout
        self._stored_above = deployment.values.stored_above
        self._lanes = lanes
        self._run_id = run_id
        self._earlier = _before_a_reset(info, self.root_id, run_id) or earlier
        self._kept: dict[str, StoredPayload] = {}
        """The SHA-256 of each value that this workflow put into the storage → its reference."""
        self._being_kept: set[str] = set()
        self._brought: set[str] = set()
        self._last: tuple[WrittenInputs, Mapping[str, CarriedValue]] | None = None
        """The large inputs that were written last, as all children of a batch receive the same ones."""

    def follow(self, options: EngineOptions) -> None:
        """Use the options that were fixed when the run began, as the worker's settings may have changed since.

        Args:
            options: the options in the job of the workflow.
        """
        if options.stored_above is not None:
            self._stored_above = options.stored_above

    @property
    def is_replaying(self) -> bool:
        return workflow.unsafe.is_replaying()

    def history(self) -> History:
        info = workflow.info()
        return History(info.get_current_history_length(), info.get_current_history_size())

    def child_id(self, path: tuple[str, ...], ranks: str = "") -> str:
        return names.child_id(self.root_id, path, ranks)

    async def start_child(self, child: Child[R]) -> Awaitable[R]:
        _check_it_goes_on()
        about = {"pipe": child.pipe.ref, "type": child.workflow, "run": self._run_id}
        carried = await self.carried(child.envelope, about)
        is_slice = child.workflow == SLICE_WORKFLOW
        started = await workflow.start_child_workflow(
            names.RUN_SLICE if is_slice else names.RUN_PIPE,
            {JOB: carried.to_json()},
            id=child.id,
            result_type=dict,
            execution_timeout=self._timeout,
            static_summary=f"{child.pipe.ref} — {child.workflow}",
        )
        return self._result(started, child)

    async def _result(self, started: "workflow.ChildWorkflowHandle[Any, Any]", child: Child[R]) -> R:
        try:
            told = await started
        except ChildWorkflowError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=child.what, limits=self.limits) from None
        return child.result.model_validate(as_object(await self.value(_unwrapped(told)))["outcome"])

    async def perform(self, activity: Activity[R]) -> R:
        _check_it_goes_on()
        effect, dispatch = activity.effect, activity.dispatch
        name, queue = self._addressee(effect)
        arguments = await self._arguments(activity)
        try:
            told = await workflow.execute_activity(
                name,
                arguments.to_json(),
                result_type=dict,
                task_queue=queue,
                retry_policy=retry_policy(dispatch),
                summary=effect.summary,
                **{option.key: dispatch[option] for option in _TIME_LIMITS},
            )
        except ActivityError as failed:
            if is_cancelled_exception(failed):
                raise
            raise from_failure(failed, what=f"activity '{effect.activity}'", limits=self.limits) from None
        return effect.result.model_validate(await self.value(_unwrapped(told)))

    def _addressee(self, effect: Effect[Any]) -> tuple[str, str | None]:
        """The name of the activity that performs an effect, and its task queue; None for the deployment's."""
        backend = None if effect.model is None else effect.model.backend
        if backend is None or backend not in self._lanes:
            return effect.activity, None
        return names.limited(effect.activity, backend), LANES.queues.get(backend)

    async def _arguments(self, activity: Activity[Any]) -> Carried:
        effect, model = activity.effect, activity.effect.model
        about: dict[str, Json] = {"summary": effect.summary, "pipe": activity.pipe}
        if model is not None:
            about |= {"model": model.handle, "backend": model.backend}
        if self._earlier is not None or getattr(effect.job, "reuse", None) is not None:
            about["place"] = "/".join(names.path_of(self.root_id, workflow.info().workflow_id) or ())
        if activity.arguments is not None:
            return await self.carried(activity.arguments, about)
        return Carried(job=await self._carried_value(write(effect.job)), earlier=self._earlier, about=about)

    # --- values -------------------------------------------------------------------------------------------------------

    async def carried(self, envelope: Envelope[Any], about: Mapping[str, Json]) -> Carried:
        """An envelope as it travels. Its large values are put into the storage.

        Args:
            envelope: the job, and the values that travel beside it.
            about: the facts about the job that its events report.
        """
        crate = envelope.crate.json_bytes
        return Carried(
            job=await self._carried_value(write(envelope.job)),
            crate=crate.decode() if len(crate) <= self._stored_above else reference_to(await self._put(crate)),
            large=None if envelope.large is None else await self._carried_inputs(envelope.large),
            items=None if envelope.items is None else reference_to(envelope.items),
            lanes=self._lanes,
            earlier=self._earlier,
            about=about,
        )

    async def given(self, value: Json) -> CarriedValue:
        """The result of the workflow, as it travels."""
        return await self._carried_value(written(value))

    async def value(self, carried: Json) -> Json:
        """The inverse of `given`."""
        stored = stored_in(carried)
        return carried if stored is None else plain(await self._get(stored))

    async def data(self, carried: CarriedValue | str | None) -> bytes:
        """The JSON of a value that travelled whole or by reference.

        Raises:
            PipelexError: there is no value, or it cannot be loaded.
        """
        if carried is None:
            raise malformed("the execution was started without a crate")
        if isinstance(carried, str):
            return carried.encode()
        stored = stored_in(carried)
        return written(carried) if stored is None else await self._get(stored)

    async def large_inputs(self, carried: Carried) -> LargeInputs | None:
        """The large inputs that a job leaves out; None if it leaves out none."""
        if carried.large is None:
            return None
        values = {name: await self.value(each) for name, each in carried.large.items()}
        return LargeInputs.model_validate({"values": values})

    async def items_of(self, carried: Carried, job: SliceJob) -> list[Any] | None:
        """The items of a slice, if they are in the storage as one value; else None."""
        if carried.items is not None:
            return [*as_array(await self.value(carried.items))]
        parts = parts_of(job.batch.items)
        return await self.load_list(StoredList.of(job.batch.items)) if len(parts) == 1 else None  # pyright: ignore[reportArgumentType] it has parts

    async def _carried_value(self, data: bytes) -> CarriedValue:
        if len(data) > self._stored_above:
            return reference_to(await self._put(data))
        return cast("CarriedValue", plain(data))

    async def _carried_inputs(self, large: WrittenInputs) -> Mapping[str, CarriedValue]:
        if self._last is None or self._last[0] is not large:
            found = {name: await self._carried_value(data) for name, data in large.values.items()}
            self._last = (large, found)
        return self._last[1]

    async def store_list(self, items: list[Any]) -> StoredPayload:
        _check_it_goes_on()
        return await self._put(written(items))

    async def load_list(self, stored: StoredList) -> list[Any]:
        _check_it_goes_on()
        return [item for part in stored.parts for item in as_array(plain(await self._get(part)))]

    async def _put(self, data: bytes) -> StoredPayload:
        """Put the JSON of a value into the storage, unless this workflow has already done so."""
        digest = hashlib.sha256(data).hexdigest()
        if digest in self._being_kept:
            await workflow.wait_condition(lambda: digest not in self._being_kept)
        if digest not in self._kept:
            self._being_kept.add(digest)
            try:
                with HANDS.holding_out(digest, data):
                    told = await self._locally(PUT_VALUE, digest, result_type=dict)
            finally:
                self._being_kept.discard(digest)
            stored = stored_in(told)
            assert stored is not None  # the activity always returns a reference
            self._kept[digest] = stored
        return self._kept[digest]

    async def _get(self, stored: StoredPayload) -> bytes:
        """The JSON of a value in the storage."""
        if stored.key not in self._brought:
            await self._locally(GET_VALUE, reference_to(stored), result_type=bool)
            self._brought.add(stored.key)
        return HANDS.read(stored)

    async def _locally(self, activity: str, argument: Any, *, result_type: type) -> Any:
        """The result of a local activity.

        Raises:
            PipelexError: the activity failed for good.
        """
        return await locally(activity, [argument], result_type=result_type, limits=self.limits)

    # --- the workflow itself ------------------------------------------------------------------------------------------

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        await workflow.wait_condition(condition)

    async def end_task(self) -> None:
        await workflow.sleep(_PAUSE)

    async def go_on(self, envelope: Envelope[SliceJob]) -> NoReturn:
        _check_it_goes_on()
        batch = envelope.job.batch
        about = {"pipe": batch.call.pipe, "type": SLICE_WORKFLOW, "run": self._run_id}
        carried = await self.carried(envelope, about)
        workflow.continue_as_new({JOB: carried.to_json()})

    def failure(self, report: ErrorReport) -> BaseException:
        return to_application_error(report, may_retry=False)

    def is_cancellation(self, error: BaseException) -> bool:
        return is_cancelled_exception(error)

    def log_bug(self, message: str) -> None:
        workflow.logger.exception("%s", message)

    def log(self, message: str) -> None:
        workflow.logger.info("%s", message)


def _before_a_reset(info: workflow.Info, root_id: str, run_id: str | None) -> Mapping[str, Json] | None:
    """The run as it was before its workflow was reset; None if it was not reset.

    After a reset, the Temporal run is no longer the workflow's first one. The same is true of a slice that continued as
    new, but that has the id of the run that it continues.
    """
    if info.run_id == info.first_execution_run_id or info.continued_run_id is not None:
        return None
    return {"run_id": run_id or names.run_id_of(root_id), "workflow_id": root_id, "execution": info.run_id}


async def locally(activity: str, arguments: list[Any], *, result_type: type, limits: EngineLimits) -> Any:
    """The result of a local activity.

    Raises:
        PipelexError: the activity failed for good.
    """
    try:
        told = await workflow.execute_local_activity(
            activity,
            args=arguments,
            result_type=result_type,
            schedule_to_close_timeout=_STORE_TIMEOUT,
            retry_policy=_STORE_RETRIES,
        )
    except ActivityError as failed:
        if is_cancelled_exception(failed):
            raise
        raise from_failure(failed, what=f"activity '{activity}'", limits=limits) from None
    return _unwrapped(told)


def _check_it_goes_on() -> None:
    """Check that the workflow has not been cancelled, before anything more is started.

    Raises:
        CancelledError: the workflow has been cancelled.
    """
    if is_cancelled():
        raise asyncio.CancelledError


def _unwrapped(told: Any) -> Any:
    """The result of an activity or a child, without the context that the SDK wraps around it."""
    return unwrap_contextual_result(told)[1]
