"""Follows the values that controllers pass on, before any run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelex.errors import near_names
from pipelex.language.blueprints import Keys, PipeStep
from pipelex.language.references import NATIVE_DOMAIN, Slot
from pipelex.library._library import Pipe
from pipelex.library._link import dotted
from pipelex.library._paths import PathFault, Reached, walk_path
from pipelex.library._validate._context import Checks, shown
from pipelex.library._validate._outcomes import ToldTexts, texts_given_by
from pipelex.library._validate._outputs import check_given_output


@dataclass(frozen=True)
class Known:
    """What is known about a name in a controller's memory before any run."""

    slot: Slot | None
    """The slot of the value; None if it is unknown, because its source is broken. The presence `optional` means that it
    may be absent."""
    is_input: bool = False
    texts: ToldTexts = field(default_factory=dict[tuple[str, ...], frozenset[str]])
    """The possible texts in it, if its source chooses among a few."""


@dataclass
class Flows:
    """What the checks of controllers share; callees are checked before their callers."""

    checks: Checks
    inner: dict[str, dict[str, Known]] = field(default_factory=dict[str, dict[str, Known]])
    """Names that a pipe leaves in its caller's memory (see `Library.inner_names`)."""
    murky: set[str] = field(default_factory=set[str])
    """Pipes that may leave unknown names in their caller's memory."""
    feeds: dict[tuple[str, str], list[bool]] = field(default_factory=dict[tuple[str, str], list[bool]])
    """Pipe and input → for each call of the pipe, whether the input may be absent."""

    texts: dict[tuple[str, str], list[ToldTexts]] = field(default_factory=dict[tuple[str, str], list[ToldTexts]])
    """Pipe and input → for each call of the pipe, the known texts in the input."""


@dataclass
class Walk:
    """The check of one controller."""

    flows: Flows
    pipe: Pipe
    memory: dict[str, Known] = field(default_factory=dict[str, Known])
    used: set[str] = field(default_factory=set[str])
    """Inputs that something reads."""
    missed: set[str] = field(default_factory=set[str])
    is_murky: bool = False

    def __post_init__(self) -> None:
        for name, slot in self.pipe.inputs.items():
            presence = "optional" if slot.presence == "optional" else "plain"
            self.memory[name] = Known(replace(slot, presence=presence), is_input=True)

    @property
    def checks(self) -> Checks:
        return self.flows.checks

    @property
    def label(self) -> str:
        return self.checks.label(self.pipe)

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self, step: PipeStep, keys: Keys) -> tuple[Known, dict[str, Known]]:
        """The output of a pipe step, and the names that its pipe leaves in this memory."""
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
            return Known(None if slot is None else Slot(slot.concept, is_list=True, count=count)), {}
        if step.pipe in self.flows.murky:
            self.is_murky = True
        return Known(slot, texts=given.texts), self.flows.inner.get(step.pipe, {})

    def with_override(self, step: PipeStep, slot: Slot, keys: Keys) -> Slot:
        """The slot with the number of values that the step asks for; reports a number that the pipe cannot return."""
        overridden = step.overridden(slot)
        callee = self.checks.library.pipe(step.pipe)
        if (
            step.number is not None
            and callee.blueprint.has_fixed_output
            and overridden.is_list != callee.output.is_list
        ):
            key = "nb_output" if step.nb_output is not None else "multiple_output"
            self.checks.report(
                self.pipe,
                "method.wiring_invalid",
                f"'{key}' cannot change how many values '{callee.code}' returns: a {callee.type} always returns"
                f" '{shown(callee.output)}'; remove the key",
                *keys,
                key,
                category="inadequate_output_multiplicity",
                variable_path=step.pipe,
                finding="output multiplicity is fixed",
            )
        return overridden

    def list_to_batch(self, path: str, keys: Keys) -> Slot | None:
        slot = self.bind(path, keys)
        if slot is None or slot.is_list:
            return slot
        if "." in path:
            detail = (
                f"'batch_over' needs a list, but '{path}' is a single value ('{shown(slot)}'): no part of it is a list"
            )
            self.unbatched(detail, keys)
            return None
        finding = "it is not a list"
        self.checks.report(
            self.pipe,
            "method.wiring_invalid",
            f"'batch_over' needs a list, but '{path}' is a single value ('{shown(slot)}'): {finding}",
            *keys,
            category="input_stuff_spec_mismatch",
            variable_path=path,
            finding=finding,
        )
        return None

    def bind(self, path: str, keys: Keys) -> Slot | None:
        """The slot at a dotted path of the memory; None if the path leads nowhere, which is reported."""
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

    def rootless(self, path: str, root: str, keys: Keys) -> None:
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

    def unreached(self, path: str, fault: PathFault, keys: Keys, near: tuple[str, ...], offset: int) -> None:
        hint = f"; did you mean '{near[0]}'?" if near else ""
        if keys[-1] == "batch_over":
            self.unbatched(f"'{path}' leads nowhere: {fault.detail}{hint}", keys, near, offset)
            return
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

    def unbatched(self, detail: str, keys: Keys, near: tuple[str, ...] = (), offset: int | None = None) -> None:
        """Report a path that cannot be batched over."""
        self.checks.report(
            self.pipe,
            "method.binding_step_invalid",
            detail,
            *keys,
            category="binding_step_invalid",
            suggestions=near,
            offset=offset,
            field_path=dotted(keys),
        )

    # --- calls --------------------------------------------------------------------------------------------------------

    def call(self, ref: str, keys: Keys, added: Mapping[str, Slot | None] | None = None) -> Known:
        """Check the inputs of a pipe that runs on this memory, and return its output."""
        callee = self.checks.library.pipes.get(ref)
        if callee is None:
            return Known(None)
        may_be_skipped = False
        for name, slot in callee.inputs.items():
            value = Known(added[name]) if added is not None and name in added else self.read(name)
            self.feed(callee, name, slot, value)
            self.flows.texts.setdefault((callee.ref, name), []).append({} if value is None else value.texts)
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
        return Known(output, texts=texts_given_by(callee))

    def texts_at(self, path: str) -> ToldTexts:
        """The known texts in the value at a dotted path of the memory."""
        root, *names = path.split(".")
        value = self.memory.get(root)
        start = tuple(names)
        told: Mapping[tuple[str, ...], frozenset[str]] = {} if value is None else value.texts
        return {inner[len(start) :]: texts for inner, texts in told.items() if inner[: len(start)] == start}

    def read(self, name: str) -> Known | None:
        value = self.memory.get(name)
        if value is not None and value.is_input:
            self.used.add(name)
        return value

    def feed(self, callee: Pipe, name: str, slot: Slot, value: Known | None) -> None:
        if slot.presence != "plain":
            may_be_absent = value is None or value.slot is None or value.slot.presence == "optional"
            self.flows.feeds.setdefault((callee.ref, name), []).append(may_be_absent)

    def miss(self, callee: Pipe, name: str, slot: Slot, keys: Keys) -> None:
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

    def fit(self, callee: Pipe, name: str, given: Slot, wanted: Slot, keys: Keys) -> None:
        if not self.checks.library.is_compatible(given.concept, wanted.concept):
            self.checks.report(
                self.pipe,
                "method.input_concept_mismatch",
                f"'{callee.code}' takes '{name}' as '{shown(wanted)}', but here it is '{shown(given)}':"
                f" {_remedy(given, wanted)}",
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

    def wrong_number(self, callee: Pipe, name: str, given: Slot, wanted: Slot, keys: Keys, remedy: str) -> None:
        self.checks.report(
            self.pipe,
            "method.wiring_invalid",
            f"'{callee.code}' takes '{name}' as '{shown(wanted)}', but here it is '{shown(given)}': {remedy}",
            *keys,
            category="input_stuff_spec_mismatch",
            variable_path=name,
            finding=f"'{shown(given)}' where '{shown(wanted)}' is taken",
        )

    # --- the controller's own contract --------------------------------------------------------------------------------

    def output(self, given: Known, keys: Keys, site: str) -> None:
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
                    f"input '{name}' of '{self.label}' is never read: no {reader} uses it; remove it or use it",
                    "inputs",
                    name,
                    category="extraneous_input_variable",
                    on_key=True,
                    variables=[name],
                )


def _remedy(given: Slot, wanted: Slot) -> str:
    if given.concept == f"{NATIVE_DOMAIN}.Composite":
        return "keep its parts with 'add_each_output = true', and give the whole a name that no part has"
    if given.concept.startswith(f"{NATIVE_DOMAIN}."):
        return "give it another value"
    return f"give it another value, or let {_short(given)} refine {_short(wanted)}"


def _short(slot: Slot) -> str:
    return slot.concept.rpartition(".")[2]
