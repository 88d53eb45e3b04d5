"""Implements the runtime port inside a workflow: child pipes run as child workflows, and effects as activities."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from pipelex.content.stuff import Stuff
from pipelex.durable.batches import Batches
from pipelex.durable.budgets import RenderingBudget, RequestBudget
from pipelex.durable.dispatch import trace_line
from pipelex.durable.host import Activity, Child, Host
from pipelex.durable.jobs import SLICE_WORKFLOW, Envelope, PipeJob, SliceJob, crate_of, owner_of
from pipelex.durable.large import LargeValues
from pipelex.durable.limits import check_history, check_payload
from pipelex.durable.options import EngineOptions
from pipelex.durable.stored import StoredList, StoredPayload
from pipelex.errors import PipelexError
from pipelex.language.blueprints import PipeBatchBlueprint
from pipelex.library import Library, LibraryCrate
from pipelex.pipes.calls import BatchCall, BatchOutcome, PipeCall, PipeOutcome, RunIdentity
from pipelex.pipes.effects.kind import Effect
from pipelex.pipes.effects.requests import ComputedRequest
from pipelex.pipes.models import ModelChoice, ResolvedModel
from pipelex.pipes.orchestrated import OrchestratedRuntime
from pipelex.pipes.references import ListReference, parts_of
from pipelex.pipes.window import together
from pipelex.pipes.wire import Wire
from pipelex.templating import Budget

T = TypeVar("T")
R = TypeVar("R", bound=Wire)


class WorkflowRun:
    """The state of one workflow, shared by the pipe of its job and the other pipes that run inside the workflow.

    Args:
        host: the workflow.
        library: the part of the library that its pipes need.
        options: the options of the run.
        run: the owner of the run, if the job contains it.
    """

    def __init__(self, host: Host, library: Library, options: EngineOptions, run: RunIdentity | None) -> None:
        self.host = host
        self.library = library
        self.options = options
        self.identity = owner_of(run or host.identity, host.root_id)
        self.told = None if host.identity == self.identity else self.identity
        """The identity that the jobs of children contain; None if the engine itself passes it to them."""
        self.request = RequestBudget(host)
        self.rendering = RenderingBudget(host)
        self.large = LargeValues(options.stored_above)

    def check(self, payload: Wire, *, what: str, named: Mapping[str, Stuff] | None = None) -> int:
        """See `check_payload`."""
        host = self.host
        return check_payload(
            payload,
            host.limits,
            what=what,
            named=named,
            stored_above=self.options.stored_above,
            has_store=host.dispatcher.has_store,
        )

    def check_history(self, size: int, pipe: str) -> None:
        """Refuse to send something that would make the history too long.

        Args:
            size: the number of bytes that are about to be sent.
            pipe: the reference of the pipe that sends them.

        Raises:
            PipelexError: see `check_history`.
        """
        history = self.host.history()
        check_history(history.events, history.size + size, self.host.limits, what=f"pipe '{pipe}'")


class DurableRuntime(OrchestratedRuntime):
    """The runtime port for one pipe run inside a workflow.

    Args:
        workflow: the state that it shares with the workflow's other pipes.
        call: the pipe run.
    """

    def __init__(self, workflow: WorkflowRun, call: PipeCall) -> None:
        super().__init__(workflow.library, call, workflow.identity, workflow.options, is_replayed=True)
        self._workflow = workflow
        self._host = workflow.host
        self.batches = Batches(workflow.host, workflow.library, workflow.told, workflow.options, self)

    @property
    def in_place_chars(self) -> int:
        return self._workflow.options.large_template_chars

    def is_cancellation(self, error: Exception) -> bool:
        return self._host.is_cancellation(error)

    def unexpected(self, bug: Exception) -> PipelexError:
        self._host.log_bug(f"pipe '{self.call.pipe}' failed unexpectedly")
        return super().unexpected(bug)

    # --- children -----------------------------------------------------------------------------------------------------

    async def run_child(self, call: PipeCall) -> PipeOutcome:
        workflow = self._workflow
        pipe = self.library.pipe(call.pipe)
        if workflow.options.child_workflows == "controllers" and not pipe.blueprint.is_controller:
            return (await DurableRuntime(workflow, call).execute()).outcome
        crate = crate_of(self.library, call)
        job = PipeJob.sparse(call=call, run=workflow.told, options=workflow.options, root=self._host.told_root)
        size = self._start_size(job, crate, what=f"the inputs of pipe '{pipe.code}'", named=call.inputs)
        kept, large = workflow.large.split(call)
        child = Child(
            workflow=pipe.type,
            envelope=Envelope(job=job.model_copy(update={"call": kept}), crate=crate, large=large),
            pipe=pipe,
            id=self._host.child_id(call.path),
            result=PipeOutcome,
            what=f"pipe '{pipe.code}'",
        )
        try:
            return await self._run_to_end(child, size)
        except PipelexError as failed:
            raise failed.with_location(pipe=call.pipe, path=call.path) from None

    async def run_items(self, batch: BatchCall) -> BatchOutcome:
        blueprint = self.library.pipe(self.call.pipe).blueprint
        return await self.batches.run(batch, travels=isinstance(blueprint, PipeBatchBlueprint))

    async def run_slice(self, job: SliceJob, crate: LibraryCrate) -> BatchOutcome:
        """See `BatchRunner.run_slice`."""
        batch = job.batch
        pipe = self.library.pipe(batch.call.pipe)
        ranks = f"{batch.offset}-{batch.last}"
        size = self._start_size(job, crate, what=f"items {ranks} of the batch of pipe '{pipe.code}'")
        child = Child(
            workflow=SLICE_WORKFLOW,
            envelope=slice_envelope(job, crate, self._workflow.large),
            pipe=pipe,
            id=self._host.child_id(batch.call.path, ranks),
            result=BatchOutcome,
            what=f"a slice of pipe '{pipe.code}'",
        )
        return await self._run_to_end(child, size)

    async def _run_to_end(self, child: Child[R], size: int) -> R:
        """Run a child workflow to its end. A start that does not fit into the next request waits for a later one."""
        async with self._workflow.request.taking(size):
            self._workflow.check_history(size, self.call.pipe)
            result = await self._host.start_child(child)
        return await result

    def _start_size(
        self, job: Wire, crate: LibraryCrate, *, what: str, named: Mapping[str, Stuff] | None = None
    ) -> int:
        """The most bytes that the start of a child takes in a request."""
        stored_above, in_crate = self._workflow.options.stored_above, len(crate.json_bytes)
        size = self._workflow.check(job, what=what, named=named)
        return size + (in_crate if stored_above is None else min(in_crate, stored_above))

    async def rendering(self) -> Budget:
        return await self._workflow.rendering.share()

    async def load(self, value: Stuff) -> Stuff:
        if not isinstance(value, ListReference):
            return value
        return Stuff.of_list(value.concept, await self._host.load_list(StoredList.of(value)))

    async def together(self, efforts: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
        return await together(efforts, limit=self._host.limits.commands_at_once)

    # --- effects ------------------------------------------------------------------------------------------------------

    def resolve(self, model: ModelChoice) -> ResolvedModel:
        return self._host.dispatcher.resolve(model)

    async def perform(self, effect: Effect[R]) -> R:
        effect = effect.reusing(self.options.reuse)
        dispatcher, workflow = self._host.dispatcher, self._workflow
        options = dispatcher.options(effect)
        what = f"the prompt or document of pipe '{self.call.pipe}' for {effect.activity}"
        size = workflow.check(effect.job, what=what)
        activity = Activity(
            effect=effect,
            pipe=self.library.pipe(self.call.pipe).code,
            path=self.call.path,
            run_id=self.identity.run_id,
            arguments=self._arguments(effect),
            dispatch=options,
            fairness_key=self.identity.user_id if dispatcher.is_fair_by_user else None,
        )
        if dispatcher.is_traced and not self._host.is_replaying:
            self._host.log(trace_line(options))
        try:
            # Engines do not report when an activity is accepted, so its part of the request is reserved until it ends.
            async with workflow.request.taking(size):
                workflow.check_history(size, self.call.pipe)
                return await self._host.perform(activity)
        except PipelexError as failed:
            raise _of_its_model(failed, effect) from None

    def _arguments(self, effect: Effect[Any]) -> Envelope[Any] | None:
        """The arguments of an activity that reads the run's values; None for other activities."""
        if not isinstance(effect.job, ComputedRequest):
            return None
        request, large = self._workflow.large.split(effect.job)
        return Envelope(job=request, crate=crate_of(self.library, self.call), large=large)


def slice_envelope(job: SliceJob, crate: LibraryCrate, values: LargeValues) -> Envelope[SliceJob]:
    """The job of a slice, with everything that travels beside it.

    Args:
        job: the slice, with all its inputs.
        crate: the crate of the batch's pipe.
        values: takes large inputs out of the job.
    """
    batch = job.batch
    kept, large = values.split(batch.call)
    sent = job.model_copy(update={"batch": batch.model_copy(update={"call": kept})})
    parts = parts_of(batch.items)
    stored = StoredPayload.of_part(parts[0]) if len(parts) == 1 else None
    return Envelope(job=sent, crate=crate, large=large, items=stored)


def _of_its_model(error: PipelexError, effect: Effect[Any]) -> PipelexError:
    """The error, with the effect's model added if it names none, as after a time-out or the loss of a worker."""
    model = effect.model
    if model is None or error.report.model is not None:
        return error
    return error.with_report(model=model.handle, provider=model.backend)
