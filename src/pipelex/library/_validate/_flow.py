from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelex.errors import near_names
from pipelex.language.blueprints import (
    SPECIAL_OUTCOMES,
    BindingStep,
    PipeBatchBlueprint,
    PipeConditionBlueprint,
    PipeParallelBlueprint,
    PipeSequenceBlueprint,
    PipeStep,
)
from pipelex.language.references import Slot
from pipelex.language.templates import analyse_template, template_sites
from pipelex.library._cycles import called_pipes
from pipelex.library._library import Pipe
from pipelex.library._paths import PathFault, Reached, walk_path
from pipelex.library._validate._context import Checks, shown
from pipelex.library._validate._outputs import check_given_output, check_parallel_output
from pipelex.library._validate._presence import warn_of_idle_markers

_FIXED_OUTPUT = frozenset(
    {"PipeCompose", "PipeDocGen", "PipeExtract", "PipeSearch", "PipeJudge", "PipeSequence", "PipeParallel", "PipeBatch"}
)
"""Types whose number of values a step cannot change."""


@dataclass(frozen=True)
class Value:
    """What is known of a name in a controller's memory before any run."""

    slot: Slot | None
    """None when nothing is known, because whatever gives it is broken. `optional` presence: it may be absent."""
    is_input: bool = False


@dataclass
class Flows:
    """What the checks of controllers learn, callees before callers."""

    checks: Checks
    inner: dict[str, dict[str, Value]] = field(default_factory=dict[str, dict[str, Value]])
    """Names that a pipe leaves in its caller's memory (see `Library.inner_names`)."""
    murky: set[str] = field(default_factory=set[str])
    """Pipes of which it is not known which names they leave."""
    feeds: dict[tuple[str, str], list[bool]] = field(default_factory=dict[tuple[str, str], list[bool]])
    """Pipe and input → for every place that calls the pipe, whether the input may be absent there."""


def check_flows(checks: Checks) -> None:
    """Follow the values through every controller (sections 7 and 8.1 of the language reference)."""
    flows = Flows(checks)
    for ref in _callees_first(checks.library.pipes):
        pipe = checks.library.pipes[ref]
        if ref in checks.linked.hanging:
            flows.murky.add(ref)
            continue
        match pipe.blueprint:
            case PipeSequenceBlueprint():
                _Walk(flows, pipe).sequence(pipe.blueprint)
            case PipeParallelBlueprint():
                _Walk(flows, pipe).parallel(pipe.blueprint)
            case PipeConditionBlueprint():
                _Walk(flows, pipe).condition(pipe.blueprint)
            case PipeBatchBlueprint():
                _Walk(flows, pipe).batch(pipe.blueprint)
            case _:
                pass
    if not checks.linked.hanging:  # with parts missing, nobody can say how a pipe is always called
        warn_of_idle_markers(checks, flows.feeds)


def _callees_first(pipes: Mapping[str, Pipe]) -> list[str]:
    order: dict[str, None] = {}
    entered: set[str] = set()
    for root in pipes:
        path = [root]
        while path:
            current = path[-1]
            if current not in entered:
                entered.add(current)
                callees = [ref for ref, _ in called_pipes(pipes[current].blueprint)]
                path.extend(ref for ref in reversed(callees) if ref in pipes and ref not in entered)
            else:
                order.setdefault(path.pop())
    return list(order)


@dataclass
class _Walk:
    """The check of one controller."""

    flows: Flows
    pipe: Pipe
    memory: dict[str, Value] = field(default_factory=dict[str, Value])
    used: set[str] = field(default_factory=set[str])
    """Inputs that something reads."""
    missed: set[str] = field(default_factory=set[str])
    is_murky: bool = False

    def __post_init__(self) -> None:
        for name, slot in self.pipe.inputs.items():
            presence = "optional" if slot.presence == "optional" else "plain"
            self.memory[name] = Value(replace(slot, presence=presence), is_input=True)

    @property
    def checks(self) -> Checks:
        return self.flows.checks

    @property
    def label(self) -> str:
        return self.checks.label(self.pipe)

    # --- the four controllers -----------------------------------------------------------------------------------------

    def sequence(self, blueprint: PipeSequenceBlueprint) -> None:
        left: dict[str, Value] = {}
        last = Value(None)
        for index, step in enumerate(blueprint.steps):
            keys = ("steps", index)
            if isinstance(step, BindingStep):
                last = Value(self.bind(step.from_path, (*keys, "from")))
            else:
                last, inner = self.step(step, keys)
                left |= inner
                self.leave(inner)
            if step.result is not None:
                self.memory[step.result] = left[step.result] = last
        key = "from" if isinstance(blueprint.steps[-1], BindingStep) else "pipe"
        self.output(last, ("steps", len(blueprint.steps) - 1, key), "sequence_step")
        self.flows.inner[self.pipe.ref] = left
        if self.is_murky:
            self.flows.murky.add(self.pipe.ref)
        self.unused("step")

    def leave(self, inner: Mapping[str, Value]) -> None:
        """Put names that a nested pipe leaves into memory; the standard hides them, so an input stays one that is read."""
        for name, value in inner.items():
            shadowed = self.memory.get(name)
            self.memory[name] = replace(value, is_input=shadowed is not None and shadowed.is_input)

    def parallel(self, blueprint: PipeParallelBlueprint) -> None:
        results: dict[str, tuple[int, Slot | None]] = {}
        for index, branch in enumerate(blueprint.branches):
            value, _ = self.step(branch, ("branches", index))
            results[branch.result or ""] = (index, value.slot)
        check_parallel_output(self.checks, self.pipe, results)
        if blueprint.add_each_output:
            self.flows.inner[self.pipe.ref] = {name: Value(slot) for name, (_, slot) in results.items()}
        self.unused("branch")

    def condition(self, blueprint: PipeConditionBlueprint) -> None:
        is_readable = True
        for site in template_sites(blueprint.model_dump(by_alias=True, exclude_none=True)):
            analysis = analyse_template(
                site.template, category=site.category, sigils=site.has_sigils, declared=tuple(self.memory)
            )
            is_readable = is_readable and analysis.is_parsed
            self.used.update(read.root for read in analysis.reads)
        if blueprint.add_alias_from_expression_to is not None:
            self.memory[blueprint.add_alias_from_expression_to] = Value(None)
        outcomes = [(outcome, ("outcomes", key)) for key, outcome in blueprint.outcomes.items()]
        for outcome, keys in (*outcomes, (blueprint.default_outcome, ("default_outcome",))):
            if outcome not in SPECIAL_OUTCOMES:
                self.output(self.call(outcome, keys), keys, "condition")
        if blueprint.can_continue and self.pipe.output.presence != "optional":
            remedy = (
                f"declare the output as '{shown(self.pipe.output)}?'"
                if not self.pipe.output.is_list
                else "a list is never absent: run a pipe that gives an empty list instead"
            )
            self.checks.report(
                self.pipe,
                "method.optional_unhandled",
                f"the condition '{self.label}' may continue without running anything, so its output may be absent: {remedy}",
                "output",
                category="optional_output_required",
                input=None,
                site="condition_output",
            )
        # An alias may stand for any input, and an expression that cannot be read for any read.
        if is_readable and blueprint.add_alias_from_expression_to is None:
            self.unused("outcome, nor the expression,")

    def batch(self, blueprint: PipeBatchBlueprint) -> None:
        slot = self.pipe.inputs[blueprint.input_list_name]
        self.used.add(blueprint.input_list_name)
        given = self.call(
            blueprint.branch_pipe_code, ("branch_pipe_code",), {blueprint.input_item_name: Slot(slot.concept)}
        )
        if given.slot is not None:
            listed = Slot(given.slot.concept, is_list=True, count=self.pipe.output.count)
            check_given_output(self.checks, self.pipe, listed, ("branch_pipe_code",), "sequence_step")
        self.unused("branch")

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, step: PipeStep, keys: tuple[str | int, ...]) -> tuple[Value, dict[str, Value]]:
        """What a pipe step gives, and the names that its pipe leaves in this memory."""
        items: Slot | None = None
        added: dict[str, Slot | None] = {}
        if step.batch_over is not None and step.batch_as is not None:
            items = self.list_to_batch(step.batch_over, (*keys, "batch_over"))
            added[step.batch_as] = None if items is None else Slot(items.concept)
        given = self.call(step.pipe, (*keys, "pipe"), added)
        slot = given.slot
        if slot is not None:
            slot = self.with_override(step, slot, keys)
        if step.batch_over is not None:
            count = items.count if items is not None and slot is not None and slot.presence != "optional" else None
            return Value(None if slot is None else Slot(slot.concept, is_list=True, count=count)), {}
        if step.pipe in self.flows.murky:
            self.is_murky = True
        return Value(slot), self.flows.inner.get(step.pipe, {})

    def with_override(self, step: PipeStep, slot: Slot, keys: tuple[str | int, ...]) -> Slot:
        """The slot after the step's say on how many values its pipe gives."""
        if step.nb_output is None and step.multiple_output is None:
            return slot
        key = "nb_output" if step.nb_output is not None else "multiple_output"
        is_list = step.nb_output > 1 if step.nb_output is not None else bool(step.multiple_output)
        count = step.nb_output if is_list else None
        callee = self.checks.library.pipe(step.pipe)
        if callee.type in _FIXED_OUTPUT and is_list != callee.output.is_list:
            self.checks.report(
                self.pipe,
                "method.wiring_invalid",
                f"'{key}' cannot change how many values '{callee.code}' gives: a {callee.type} always gives"
                f" '{shown(callee.output)}'; remove the key",
                *keys,
                key,
                category="inadequate_output_multiplicity",
                variable_path=step.pipe,
                finding="output multiplicity is fixed",
            )
        presence = slot.presence if not is_list else "plain"
        return Slot(slot.concept, is_list, count, presence)

    def list_to_batch(self, path: str, keys: tuple[str | int, ...]) -> Slot | None:
        slot = self.bind(path, keys)
        if slot is None or slot.is_list:
            return slot
        finding = "the path crosses no list" if "." in path else "it is not a list"
        self.checks.report(
            self.pipe,
            "method.wiring_invalid",
            f"'batch_over' needs a list, and '{path}' is a single value ('{shown(slot)}'): {finding}",
            *keys,
            category="input_stuff_spec_mismatch",
            variable_path=path,
            finding=finding,
        )
        return None

    def bind(self, path: str, keys: tuple[str | int, ...]) -> Slot | None:
        """The slot at a dotted path of the memory; None, said once, when the path leads nowhere."""
        root, *fields = path.split(".")
        value = self.read(root)
        if value is None:
            if not self.is_murky:
                self.rootless(path, root, keys)
            return None
        if value.slot is None:
            return None
        found = walk_path(self.checks.library, value.slot, fields)
        if isinstance(found, Reached):
            return found.slot
        before = path.split(".").index(found.segment, 1)
        offset = sum(len(segment) + 1 for segment in path.split(".")[:before])
        self.unreached(path, found, keys, near_names(found.segment, found.available), offset)
        return None

    def rootless(self, path: str, root: str, keys: tuple[str | int, ...]) -> None:
        if root in self.missed:
            return
        self.missed.add(root)
        near = near_names(root, self.memory)
        hint = f"; did you mean '{near[0]}'?" if near else f": add '{root}' to its inputs"
        self.checks.report(
            self.pipe,
            "method.input_undeclared",
            f"'{path}' starts at '{root}', which '{self.label}' neither declares nor gets from an earlier step{hint}",
            *keys,
            category="missing_input_variable",
            suggestions=near,
            offset=0,
            variables=[root],
        )

    def unreached(
        self, path: str, fault: PathFault, keys: tuple[str | int, ...], near: tuple[str, ...], offset: int
    ) -> None:
        hint = f"; did you mean '{near[0]}'?" if near else ""
        self.checks.report(
            self.pipe,
            "method.field_path_unresolved",
            f"'{path}' leads nowhere: {fault.detail}{hint}",
            *keys,
            category="binding_path_unresolved",
            suggestions=near,
            offset=offset,
            path=path,
            segment=fault.segment,
            available_fields=list(fault.available),
        )

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, ref: str, keys: tuple[str | int, ...], added: Mapping[str, Slot | None] | None = None) -> Value:
        """What a pipe gives when it runs on this memory; its inputs are checked."""
        callee = self.checks.library.pipes.get(ref)
        if callee is None:
            return Value(None)
        may_be_skipped = False
        for name, slot in callee.inputs.items():
            value = Value(added[name]) if added is not None and name in added else self.read(name)
            self.feed(callee, name, slot, value)
            if value is None:
                if slot.presence != "optional":
                    self.miss(callee, name, slot, keys)
            elif value.slot is not None:
                self.fit(callee, name, value.slot, slot, keys)
                if value.slot.presence == "optional" and slot.presence == "plain" and not slot.is_list:
                    may_be_skipped = True
        output = callee.output
        if may_be_skipped and not output.is_list:
            output = replace(output, presence="optional")
        return Value(output)

    def read(self, name: str) -> Value | None:
        value = self.memory.get(name)
        if value is not None and value.is_input:
            self.used.add(name)
        return value

    def feed(self, callee: Pipe, name: str, slot: Slot, value: Value | None) -> None:
        if slot.presence != "plain":
            may_be_absent = value is None or value.slot is None or value.slot.presence == "optional"
            self.flows.feeds.setdefault((callee.ref, name), []).append(may_be_absent)

    def miss(self, callee: Pipe, name: str, slot: Slot, keys: tuple[str | int, ...]) -> None:
        if self.is_murky or name in self.missed:
            return
        self.missed.add(name)
        near = near_names(name, self.memory) or tuple(self.alike(slot))[:2]
        hint = f", or did you mean '{near[0]}'?" if near else ""
        self.checks.report(
            self.pipe,
            "method.input_undeclared",
            f"'{callee.code}' needs '{name}' ('{shown(slot)}'), which '{self.label}' neither declares nor gets from an"
            f" earlier step: add '{name}' to its inputs{hint}",
            *keys,
            category="missing_input_variable",
            suggestions=near,
            variables=[name],
        )

    def alike(self, slot: Slot) -> Sequence[str]:
        """Names in memory that would fit a slot."""
        library = self.checks.library
        return [
            name
            for name, value in self.memory.items()
            if value.slot is not None
            and value.slot.is_list == slot.is_list
            and library.is_compatible(value.slot.concept, slot.concept)
        ]

    def fit(self, callee: Pipe, name: str, given: Slot, wanted: Slot, keys: tuple[str | int, ...]) -> None:
        if not self.checks.library.is_compatible(given.concept, wanted.concept):
            self.checks.report(
                self.pipe,
                "method.input_concept_mismatch",
                f"'{callee.code}' takes '{name}' as '{shown(wanted)}', and here it is '{shown(given)}':"
                f" give it another value, or let {_short(given)} refine {_short(wanted)}",
                *keys,
                category="input_stuff_spec_mismatch",
                input=name,
                declared=given.concept,
                expected=wanted.concept,
            )
        elif given.is_list != wanted.is_list:
            remedy = (
                "run it over the list with 'batch_over' and 'batch_as', or let it take a list"
                if given.is_list
                else "give it a list"
            )
            self.wrong_number(callee, name, given, wanted, keys, remedy)
        elif None not in (given.count, wanted.count) and given.count != wanted.count:
            self.wrong_number(callee, name, given, wanted, keys, "make the two numbers agree")

    def wrong_number(
        self, callee: Pipe, name: str, given: Slot, wanted: Slot, keys: tuple[str | int, ...], remedy: str
    ) -> None:
        self.checks.report(
            self.pipe,
            "method.wiring_invalid",
            f"'{callee.code}' takes '{name}' as '{shown(wanted)}', and here it is '{shown(given)}': {remedy}",
            *keys,
            category="input_stuff_spec_mismatch",
            variable_path=name,
            finding=f"'{shown(given)}' where '{shown(wanted)}' is taken",
        )

    # --- the controller's own contract --------------------------------------------------------------------------------

    def output(self, given: Value, keys: tuple[str | int, ...], site: str) -> None:
        if given.slot is not None:
            check_given_output(self.checks, self.pipe, given.slot, keys, site)

    def unused(self, reader: str) -> None:
        if self.is_murky:
            return
        for name in self.pipe.inputs:
            if name not in self.used:
                self.checks.report(
                    self.pipe,
                    "method.input_unused",
                    f"input '{name}' of '{self.label}' is never read: no {reader} takes it; remove it, or use it",
                    "inputs",
                    name,
                    category="extraneous_input_variable",
                    on_key=True,
                    variables=[name],
                )


def _short(slot: Slot) -> str:
    return slot.concept.rpartition(".")[2]
