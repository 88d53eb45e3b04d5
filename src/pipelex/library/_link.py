"""Links bundles into a library: resolves every reference, and reports each one that leads nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from pipelex.errors import Fault, Location
from pipelex.language.blueprints import CalledPipe, ConceptBlueprint, InputBlueprint, Keys, PipeBlueprint
from pipelex.language.references import Slot
from pipelex.library._crate import LibraryCrate
from pipelex.library._cycles import pipe_cycles, refinement_cycles, structure_cycles
from pipelex.library._library import Library
from pipelex.library._names import NameFault, Names, PackageBundles
from pipelex.library._signatures import differences
from pipelex.library._structures import parts_of

if TYPE_CHECKING:
    from pipelex.language import ParsedBundle

_T = TypeVar("_T")


@dataclass(frozen=True)
class Declaration:
    """The declaration of a concept or a pipe: its file and its keys."""

    bundle: "ParsedBundle"
    keys: Keys
    """The key path of its table in the bundle: `("pipe", "plan_day")`."""
    package: str | None = None
    label: str = ""
    """Its name in messages: the code, or the reference if several declarations share the code."""

    def locate(self, *keys: str | int, offset: int | None = None, on_key: bool = False) -> Location:
        """The place of a key inside the table; `offset` is a character inside that string."""
        found = self.bundle.locate((*self.keys, *keys), offset=offset, on_key=on_key)
        kind = {self.keys[0]: self.label}
        return replace(found, pipe=kind.get("pipe"), concept=kind.get("concept"), field=dotted(keys) or None)


def dotted(keys: Sequence[str | int]) -> str:
    """`("steps", 2, "pipe")` as `steps[2].pipe`."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.removeprefix(".")


@dataclass(frozen=True)
class LinkedBundles:
    """Bundles whose references are resolved, and the facts and faults that were found on the way."""

    crate: LibraryCrate
    """The crate of everything whose own references are valid; a controller may still name a pipe that is not in it."""
    library: Library
    faults: tuple[Fault, ...]
    """The faults of the bundles themselves, then those of linking."""
    sources: Mapping[str, Declaration]
    """Qualified reference → declaration, separately for concepts and pipes (codes never collide: their case differs)."""
    pending_signatures: tuple[str, ...]
    main_pipes: tuple[str, ...]
    """Entry pipes that the bundles of the current package name, in order."""
    hanging: frozenset[str]
    """Controllers that name a missing or broken pipe, so their flow cannot be checked."""
    packages: tuple[PackageBundles, ...] = ()
    """The current package, then the dependencies."""


def link(bundles: Sequence["ParsedBundle"], *, packages: Sequence[PackageBundles] = ()) -> LinkedBundles:
    """Resolve every reference of some bundles and put them together into a library.

    Never raises because of an author's mistakes: they are in `faults`, each with its place. A reference to something
    that is declared but broken is not reported again.

    Args:
        bundles: the parsed bundles of the current package. Ignored if the first of `packages` has no address.
        packages: the current package (its address is None), then the dependencies within reach.
    """
    if not packages or packages[0].address is not None:
        packages = (PackageBundles(None, tuple(bundles)), *packages)
    return _Linker(packages).link()


@dataclass
class _Linker:
    packages: Sequence[PackageBundles]
    faults: list[Fault] = field(default_factory=list[Fault])
    concepts: dict[str, ConceptBlueprint] = field(default_factory=dict[str, ConceptBlueprint])
    pipes: dict[str, PipeBlueprint] = field(default_factory=dict[str, PipeBlueprint])
    sources: dict[str, Declaration] = field(default_factory=dict[str, Declaration])
    broken: set[str] = field(default_factory=set[str])
    """Names that are declared but not usable."""
    hanging: set[str] = field(default_factory=set[str])
    promises: list[tuple[str, PipeBlueprint, Declaration]] = field(
        default_factory=list[tuple[str, PipeBlueprint, Declaration]]
    )
    """Signatures of pipes that another bundle defines or declared earlier, with the pipe's reference."""

    def link(self) -> LinkedBundles:
        self.names = Names(self.packages)
        self.broken |= self.names.broken
        own = [fault for package in self.packages for bundle in package.bundles for fault in bundle.faults]
        for package in self.packages:
            self.faults += package.faults
            for bundle in package.bundles:
                self._declare(package, bundle)
        for package in self.packages:
            self.faults += self.names.broken_promises(package)
        self._link_concepts()
        self._link_pipes()
        for cycle, keys in pipe_cycles(self.pipes):
            self._report_cycle("pipe", cycle, keys)
        crate = LibraryCrate(self.concepts, self.pipes)
        signatures = [ref for ref, pipe in self.pipes.items() if pipe.is_signature]
        return LinkedBundles(
            crate=crate,
            library=Library(crate),
            faults=(*own, *self.faults),
            sources=self.sources,
            pending_signatures=tuple(signatures),
            main_pipes=tuple(self._main_pipes()),
            hanging=frozenset(self.hanging),
            packages=tuple(self.packages),
        )

    def _main_pipes(self) -> list[str]:
        found: dict[str, None] = {}
        for bundle in self.packages[0].bundles:
            blueprint = bundle.blueprint
            if blueprint is not None and blueprint.main_pipe is not None:
                ref = f"{blueprint.domain}.{blueprint.main_pipe}"
                if ref in self.pipes:
                    found[ref] = None
        return list(found)

    # --- declarations -------------------------------------------------------------------------------------------------

    def _declare(self, package: PackageBundles, bundle: "ParsedBundle") -> None:
        blueprint = bundle.blueprint
        if blueprint is None:
            return
        for code, concept in blueprint.concepts.items():
            self._declare_one(package, bundle, "concept", code, self.concepts, concept)
        for code, pipe in blueprint.pipes.items():
            self._declare_one(package, bundle, "pipe", code, self.pipes, pipe)

    def _declare_one(
        self, package: PackageBundles, bundle: "ParsedBundle", kind: str, code: str, into: dict[str, _T], blueprint: _T
    ) -> None:
        assert bundle.blueprint is not None
        ref = self.names.ref(package.address, bundle.blueprint.domain, code)
        label = code if self.names.is_sole(kind, code) else ref
        source = Declaration(bundle, (kind, code), package.address, label)
        if self.names.owner(kind, ref) is bundle:
            into[ref] = blueprint
            self.sources[ref] = source
            return
        if isinstance(blueprint, PipeBlueprint) and blueprint.is_signature:
            self.promises.append((ref, blueprint, source))
            return
        other = self.names.owner(kind, ref)
        self.faults.append(
            Fault(
                "method.name_conflict",
                f"the {kind} '{code}' of domain '{bundle.blueprint.domain}' is declared twice:"
                f" also in {other.path if other else 'another bundle'}; rename or remove one of the two",
                source.locate(on_key=True),
                category="duplicate_declaration",
                params={"name": code, "conflict": "duplicate_declaration"},
            )
        )

    # --- concepts -----------------------------------------------------------------------------------------------------

    def _link_concepts(self) -> None:
        for ref, blueprint in list(self.concepts.items()):
            linked = self._linked_concept(self.sources[ref], blueprint)
            if linked is None:
                self.broken.add(ref)
            else:
                self.concepts[ref] = linked
        sound = {ref: blueprint for ref, blueprint in self.concepts.items() if ref not in self.broken}
        for kind, cycles in (("refines", refinement_cycles(sound)), ("structure", structure_cycles(sound))):
            for cycle, keys in cycles:
                self._report_cycle(kind, cycle, keys)
                self.broken.update(cycle)
        self._spread_brokenness()
        for ref in self.broken & self.concepts.keys():
            del self.concepts[ref]

    def _linked_concept(self, source: Declaration, blueprint: ConceptBlueprint) -> ConceptBlueprint | None:
        sound = True
        changes: dict[str, object] = {}
        if blueprint.refines is not None:
            parent = self._concept(blueprint.refines, source, "refines")
            sound = parent is not None
            changes["refines"] = parent
        if isinstance(blueprint.structure, str):
            self.faults.append(
                Fault(
                    "method.concept_invalid",
                    f"the concept '{source.label}' takes its structure from the class '{blueprint.structure}' of a host"
                    " program, which is not known here: declare its fields in a structure table",
                    source.locate("structure"),
                    category="blueprint_validation",
                    params={"concept": source.label, "finding": f"class '{blueprint.structure}' is not registered"},
                )
            )
            sound = False
        elif blueprint.structure is not None:
            fields = dict(blueprint.structure)
            for name, entry in blueprint.structure.items():
                for key in ("concept_ref", "item_concept_ref"):
                    text = getattr(entry, key)
                    if text is None:
                        continue
                    found = self._concept(text, source, "structure", name, key)
                    sound = sound and found is not None
                    fields[name] = fields[name].model_copy(update={key: found})
            changes["structure"] = fields
        return blueprint.model_copy(update=changes) if sound else None

    def _spread_brokenness(self) -> None:
        """A concept that needs a broken one is broken too."""
        needed_by: dict[str, list[str]] = {}
        for ref, blueprint in self.concepts.items():
            for part in parts_of(blueprint):
                needed_by.setdefault(part, []).append(ref)
        waiting = list(self.broken)
        while waiting:
            for dependent in needed_by.get(waiting.pop(), ()):
                if dependent not in self.broken:
                    self.broken.add(dependent)
                    waiting.append(dependent)

    # --- pipes --------------------------------------------------------------------------------------------------------

    def _link_pipes(self) -> None:
        for ref, blueprint in list(self.pipes.items()):
            contract = self._linked_contract(self.sources[ref], blueprint)
            if contract is None:
                self.broken.add(ref)
                del self.pipes[ref]
                # Still report the wrong references in its body.
                self._linked_body(ref, blueprint)
            else:
                self.pipes[ref] = contract
        for promise in self.promises:
            self._check_promise(*promise)
        for ref, blueprint in list(self.pipes.items()):
            self.pipes[ref] = self._linked_body(ref, blueprint)

    def _check_promise(self, ref: str, signature: PipeBlueprint, source: Declaration) -> None:
        """Compare a signature with the pipe that another bundle defines. If they differ, callers are not checked."""
        linked = self._linked_contract(source, signature)
        if linked is None or ref not in self.pipes:
            return
        for keys, finding in differences(linked, self.pipes[ref]):
            there = self.sources[ref].bundle.path
            self.broken.add(ref)
            self.faults.append(
                Fault(
                    "method.signature_mismatch",
                    f"the signature of '{source.label}' does not match its definition in {there or 'another bundle'}: {finding};"
                    " make the two agree",
                    source.locate(*keys, on_key=keys[-1] == "inputs"),
                    category="signature_mismatch",
                    params={"pipe": source.label, "finding": finding},
                )
            )

    def _linked_contract(self, source: Declaration, blueprint: PipeBlueprint) -> PipeBlueprint | None:
        sound = True
        inputs: dict[str, InputBlueprint] = {}
        for name, entry in blueprint.inputs.items():
            text = self._slot(entry.concept, source, "inputs", name)
            sound = sound and text is not None
            inputs[name] = entry if text is None else entry.model_copy(update={"concept": text})
        output = self._slot(blueprint.output, source, "output")
        if not sound or output is None:
            return None
        assert source.bundle.blueprint is not None
        linked = blueprint.with_system_prompt(source.bundle.blueprint.system_prompt)
        return linked.model_copy(update={"inputs": inputs, "output": output})

    def _slot(self, text: str, source: Declaration, *keys: str | int) -> str | None:
        slot = Slot.parse(text)
        concept = self._concept(slot.concept, source, *keys)
        return None if concept is None else str(replace(slot, concept=concept))

    def _linked_body(self, ref: str, blueprint: PipeBlueprint) -> PipeBlueprint:
        source = self.sources[ref]

        def linked(called: CalledPipe) -> str:
            found = self._pipe(called.ref, source, *called.keys)
            if found is None or found in self.broken:
                self.hanging.add(ref)
            return found or called.ref

        return blueprint.with_callees(linked)

    # --- references ---------------------------------------------------------------------------------------------------

    def _concept(self, text: str, source: Declaration, *keys: str | int) -> str | None:
        """The qualified reference; None if it is broken, or if there is none, which is then reported."""
        found = self.names.concept(text, source.package, _domain(source))
        if isinstance(found, str):
            return None if found in self.broken else found
        self._report_fault(found, source, *keys)
        return None

    def _pipe(self, text: str, source: Declaration, *keys: str | int) -> str | None:
        found = self.names.pipe(text, source.package, _domain(source))
        if isinstance(found, str):
            if (hidden := self.names.hidden(found, source.package, _domain(source))) is not None:
                self._report_fault(hidden, source, *keys)
            return found
        self._report_fault(found, source, *keys)
        return None

    def _report_fault(self, fault: NameFault, source: Declaration, *keys: str | int) -> None:
        if fault.is_silent:
            return
        params = {"pipe": source.label, **fault.params} if "pipe" in fault.takes else fault.params
        self.faults.append(
            Fault(
                fault.code,
                fault.detail,
                source.locate(*keys),
                category=fault.category,
                params=params,
                suggestions=fault.suggestions,
            )
        )

    def _report_cycle(self, kind: str, cycle: Sequence[str], keys: Keys) -> None:
        names = [self.sources[ref].label for ref in cycle]
        shown = " → ".join(names if len(names) <= 8 else [*names[:4], f"… {len(names) - 6} more …", *names[-2:]])
        what = {
            "refines": "a concept refines itself",
            "structure": "a concept's structure contains itself",
            "pipe": "a pipe runs itself",
        }[kind]
        self.faults.append(
            Fault(
                "method.cycle",
                f"{what}: {shown}; break the loop at one of them",
                self.sources[cycle[0]].locate(*keys),
                category="cycle",
                params={"kind": kind, "cycle": list(cycle)},
            )
        )


def _domain(source: Declaration) -> str:
    assert source.bundle.blueprint is not None
    return source.bundle.blueprint.domain
