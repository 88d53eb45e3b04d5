"""The base of every pipe type's semantics: the pipe run, its inputs, and calls of child pipes."""

from dataclasses import dataclass, replace

from pipelex.content.stuff import Absence, Stuff, WorkingMemory
from pipelex.errors import ErrorCategory, Location, PipelexError
from pipelex.language.blueprints import ModelName, choice_of
from pipelex.language.references import Slot
from pipelex.library import Library, Pipe
from pipelex.pipes.calls import BatchCall, PipeCall, PipeOutcome, SlotOverride
from pipelex.pipes.effects.kind import EffectKind, Q, R
from pipelex.pipes.effects.requests import TreeFile
from pipelex.pipes.models import ModelChoice
from pipelex.pipes.references import ListReference
from pipelex.pipes.rendering import TemplateUse
from pipelex.pipes.runtime import Runtime
from pipelex.pipes.tally import RunTally


@dataclass(frozen=True)
class PipeRun:
    """A run of one pipe, with the declared inputs."""

    library: Library
    pipe: Pipe
    call: PipeCall
    runtime: Runtime
    memory: WorkingMemory
    """The declared inputs; absent ones are recorded as absences."""
    tally: RunTally
    """The number of pipe runs of this pipe and everything below it."""
    templates: TemplateUse
    """The work of the pipe's templates so far."""

    @property
    def output(self) -> Slot:
        """The output slot, with the caller's multiplicity and with the concept that stands for `Dynamic`."""
        slot = self.pipe.output
        if self.call.override is not None:
            slot = replace(slot, is_list=self.call.override.is_list, count=self.call.override.count, presence="plain")
        if slot.concept == "native.Dynamic" and self.call.dynamic_output is not None:
            slot = replace(slot, concept=self.call.dynamic_output)
        return slot

    @property
    def file(self) -> TreeFile | None:
        """The file of the method tree that the pipe names; None if it names none."""
        named = self.library.crate.files.get(self.pipe.ref)
        return None if named is None else TreeFile(tree=named.tree, path=named.path, sha256=named.sha256)

    def failure(
        self, code: str, detail: str, category: ErrorCategory = ErrorCategory.CONTENT, **params: object
    ) -> PipelexError:
        """An error of this pipe, with its name among the params."""
        return PipelexError(
            code,
            detail,
            category=category,
            params={"pipe": self.pipe.ref, **params},
            location=Location(pipe=self.pipe.ref, path=self.call.path),
        )

    async def ask(
        self, kind: EffectKind[Q, R], request: Q, model: ModelName = None, *, document: str | None = None
    ) -> R:
        """Have an effect performed.

        Args:
            kind: the kind of effect.
            request: the request.
            model: the reference or the inline settings table by which the pipe names a model; None for the default.
            document: see `ModelChoice.document`.
        """
        choice: ModelChoice | None = None
        if kind.family is not None:
            choice = ModelChoice(family=kind.family, purpose=kind.purpose, choice=choice_of(model), document=document)
        return await self.runtime.ask(kind, request, choice)

    async def loaded(self) -> "PipeRun":
        """The run with the content of every input loaded."""
        if not any(isinstance(value, ListReference) for value in self.memory.root.values()):
            return self
        root = {name: await self.runtime.load(value) for name, value in self.memory.root.items()}
        return replace(self, memory=replace(self.memory, root=root))

    def single_input(self) -> Stuff:
        """The value of the only declared input."""
        (name,) = self.pipe.inputs
        value = self.memory.get(name)
        if value is None:
            raise self.failure(
                "pipe.input_unresolved", f"input '{name}' of pipe '{self.pipe.code}' has no value", variable=name
            )
        return value


@dataclass(frozen=True)
class ChildStep:
    """The step, branch or outcome of a controller's table that runs one of its pipes."""

    pipe: str
    segment: str
    """The step's own part of the path, for example `3-summarize`."""
    override: SlotOverride | None = None
    exports: tuple[str, ...] = ()


def prepare_call(
    run: PipeRun, step: ChildStep, memory: WorkingMemory, *, item_name: str | None = None
) -> PipeCall | Absence:
    """The call of a child pipe on a memory, or its absence if it is skipped because a plain input is absent.

    Args:
        run: the controller.
        step: the step of the controller's table.
        memory: the memory in which the child's inputs are looked up by name.
        item_name: an input that a batch fills in later.

    Raises:
        PipelexError: a forced input is absent, or an input has neither a value nor a recorded absence.
    """
    child = run.library.pipe(step.pipe)
    inputs: dict[str, Stuff] = {}
    for name, slot in child.inputs.items():
        if name == item_name:
            continue
        value = memory.get(name)
        if value is not None:
            inputs[name] = value
            continue
        absence = memory.absence_of(name)
        if slot.presence == "optional":
            continue
        if slot.is_list and absence is not None:
            inputs[name] = Stuff.of_list(slot.concept, ())
        elif slot.presence == "forced":
            raise run.failure(
                "pipe.forced_input_absent",
                f"pipe '{child.code}' must have '{name}' ('{slot}'), and it is absent",
                variable=name,
            )
        elif absence is not None:
            return Absence("skipped", pipe=child.ref, cause=name)
        else:
            raise run.failure(
                "pipe.input_unresolved",
                f"pipe '{child.code}' needs '{name}' ({slot.concept}), which nothing before it gives",
                variable=name,
            )
    return PipeCall.sparse(
        pipe=child.ref,
        inputs=inputs,
        path=(*run.call.path, step.segment),
        override=step.override,
        exports=step.exports,
    )


async def run_child(run: PipeRun, step: ChildStep, memory: WorkingMemory) -> PipeOutcome:
    """Run a child pipe once. A child that is skipped returns an absence without running."""
    call = prepare_call(run, step, memory)
    if isinstance(call, Absence):
        return PipeOutcome.of(call)
    run.tally.expect(run.library, call.pipe)
    outcome = await run.runtime.run_pipe(call)
    run.tally.add(outcome.runs)
    return outcome


async def run_over(
    run: PipeRun, step: ChildStep, memory: WorkingMemory, *, items: Stuff, item_name: str
) -> Stuff | Absence:
    """Run a child pipe on every item of a list, and return the list of its values without absent ones."""
    if not items.is_list:
        raise run.failure(
            "method.wiring_invalid",
            f"pipe '{run.pipe.code}' batches over a value that is not a list ({items.concept})",
            variable_path=item_name,
            finding="not a list",
        )
    if not items.count:
        return Stuff.of_list(run.library.pipe(step.pipe).output.concept, ())
    call = prepare_call(run, step, memory, item_name=item_name)
    if isinstance(call, Absence):
        return call
    run.tally.expect(run.library, call.pipe, items.count)
    outcome = await run.runtime.run_batch(BatchCall(call=call, item_name=item_name, items=items))
    run.tally.add(outcome.runs)
    return outcome.values
