"""The linked library: concepts with their shapes, pipes with their slots, closures of pipes."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pipelex.content.inputs import UnresolvedConcept
from pipelex.content.natives import NATIVE_CONCEPTS
from pipelex.content.structure import Shape
from pipelex.errors import ErrorCategory, PipelexError, listed, near_names
from pipelex.language.blueprints import ConceptBlueprint, PipeBlueprint
from pipelex.language.references import NATIVE_DOMAIN, Reference, Slot
from pipelex.library._crate import LibraryCrate
from pipelex.library._runs import least_runs
from pipelex.library._structures import parts_of, shape_of

ANYTHING = "native.Anything"
TEXT = "native.Text"
DYNAMIC = "native.Dynamic"
_FEW = 5
"""The most pipes that the message about an unknown one names."""


def _instead(near: Sequence[str], own: Sequence[str]) -> str:
    """What the message about an unknown pipe adds: the pipes with similar names, else the first of all pipes."""
    if near:
        return f"; did you mean {' or '.join(near)}?"
    if len(own) == 1:
        return f"; its only pipe is {own[0]}"
    return f"; its pipes are {listed(own, _FEW)}" if own else ""


@dataclass(frozen=True)
class Concept:
    """A concept of a library, native or declared."""

    ref: str
    description: str
    refines: str | None = None
    """Qualified reference of the parent."""
    blueprint: ConceptBlueprint | None = None
    """The blueprint of the concept; None for a native one."""

    @property
    def code(self) -> str:
        return Reference.parse(self.ref).code


@dataclass(frozen=True)
class Pipe:
    """A pipe of a library, its slots parsed."""

    ref: str
    blueprint: PipeBlueprint

    @cached_property
    def code(self) -> str:
        return Reference.parse(self.ref).code

    @cached_property
    def domain(self) -> str:
        return Reference.parse(self.ref).domain or ""

    @property
    def description(self) -> str:
        return self.blueprint.description

    @cached_property
    def type(self) -> str:
        """The pipe type's name; `PipeSignature` for a pipe that is only declared."""
        return self.blueprint.type_name()

    @cached_property
    def inputs(self) -> dict[str, Slot]:
        return self.blueprint.input_slots

    @cached_property
    def output(self) -> Slot:
        return self.blueprint.output_slot


class Library:
    """A crate made usable: concepts with their shapes, pipes with their slots, closures.

    A library is immutable and holds no state of runs; its caches only save time.
    """

    def __init__(self, crate: LibraryCrate) -> None:
        self.crate = crate
        self.concepts: dict[str, Concept] = {
            f"{NATIVE_DOMAIN}.{code}": Concept(f"{NATIVE_DOMAIN}.{code}", native.description, _native(native.refines))
            for code, native in NATIVE_CONCEPTS.items()
        }
        for ref, blueprint in crate.concepts.items():
            self.concepts[ref] = Concept(ref, blueprint.description, blueprint.refines, blueprint)
        self.pipes: dict[str, Pipe] = {ref: Pipe(ref, blueprint) for ref, blueprint in crate.pipes.items()}
        self._shapes: dict[str, Shape] = {}
        self._closures: dict[tuple[str, tuple[str, ...]], LibraryCrate] = {}
        self._inner_names: dict[str, frozenset[str]] = {}

    # --- looking up ---------------------------------------------------------------------------------------------------

    @cached_property
    def own_pipes(self) -> tuple[str, ...]:
        """The references of the package's own pipes, in the order of their files; those of its dependencies have a `->`."""
        return tuple(ref for ref in self.pipes if "->" not in ref)

    def pipe(self, ref: str) -> Pipe:
        """The pipe of a qualified reference.

        Raises:
            PipelexError: there is none (`request.pipe_not_found`).
        """
        if ref in self.pipes:
            return self.pipes[ref]
        near, own = self._near(ref), self.own_pipes
        raise PipelexError(
            "request.pipe_not_found",
            f"no pipe '{ref}' in this library{_instead(near, own)}",
            category=ErrorCategory.CONTENT,
            params={"pipe": ref, "suggestions": [*near] or ([*own] if len(own) <= _FEW else [])},
        )

    def _near(self, name: str) -> tuple[str, ...]:
        """Pipes that may have been meant: with a similar name, a similar code, or a similar code in another domain."""
        codes = {known.rpartition(".")[2] for known in self.pipes}
        domain, _, code = name.rpartition(".")
        alike = near_names(code, codes)
        if not domain:
            return near_names(name, self.pipes) or alike
        # In a qualified name the code says more than the domain, which many pipes share.
        in_full = near_names(name, (known for known in self.pipes if known.rpartition(".")[2] in alike), cutoff=0)
        return in_full or near_names(name, self.pipes)

    def concept(self, ref: str) -> Concept:
        """The concept of a qualified reference.

        Raises:
            PipelexError: there is none (`method.concept_unresolved`).
        """
        if ref in self.concepts:
            return self.concepts[ref]
        raise PipelexError(
            "method.concept_unresolved",
            f"no concept '{ref}' in this library",
            category=ErrorCategory.CONTENT,
            params={"concept": ref, "suggestions": list(near_names(ref, self.concepts))},
        )

    def find_pipe(self, name: str) -> str:
        """The qualified reference of a pipe that a person names, by reference or by code alone.

        Raises:
            PipelexError: there is no such pipe (`request.pipe_not_found`), or there are several
                (`request.pipe_ambiguous`).
        """
        if name in self.pipes:
            return name
        own = [ref for ref in self.pipes if ref.rpartition(".")[2] == name]
        found = [ref for ref in own if "->" not in ref] or own
        if len(found) == 1:
            return found[0]
        if found:
            raise PipelexError(
                "request.pipe_ambiguous",
                f"several pipes are called '{name}': {', '.join(found)}; name one in full",
                category=ErrorCategory.CONTENT,
                params={"pipe": name, "candidates": found},
            )
        return self.pipe(name).ref

    def resolve(self, text: str) -> str:
        """The qualified reference of a concept, from its full reference, its wire form, or its code alone.

        Raises:
            UnresolvedConcept: no concept has that name, or several have.
        """
        ref = text.replace("::", "->", 1)
        if ref in self.concepts:
            return ref
        if f"{NATIVE_DOMAIN}.{ref}" in self.concepts:
            return f"{NATIVE_DOMAIN}.{ref}"
        found = [known for known in self.concepts if known.rpartition(".")[2] == ref]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnresolvedConcept(
                f"several concepts are called '{text}': {', '.join(found)}; name one in full", found
            )
        near = [
            *near_names(ref, self.concepts),
            *near_names(ref, [known.rpartition(".")[2] for known in self.concepts]),
        ]
        raise UnresolvedConcept(f"no concept '{text}' in this library", near[:3])

    def lineage(self, ref: str) -> Iterator[str]:
        """The concept itself and everything it refines, nearest first.

        A concept without a structure and without a parent holds a text, so its lineage ends with `native.Text`.
        """
        seen: set[str] = set()
        current: str | None = ref
        while current is not None and current not in seen and current in self.concepts:
            seen.add(current)
            yield current
            concept = self.concepts[current]
            is_text = concept.blueprint is not None and concept.blueprint.structure is None
            current = concept.refines or (TEXT if is_text else None)

    def is_compatible(self, given: str, expected: str) -> bool:
        """Whether a value of one concept may be used where another is expected (section 2.2 of the reference)."""
        return expected in (ANYTHING, DYNAMIC) or given == DYNAMIC or expected in self.lineage(given)

    def native_base(self, ref: str) -> str | None:
        """The code of the native concept that a concept is or refines; `Text` for one without a structure.

        None for a concept with a structure of its own.
        """
        for ancestor in self.lineage(ref):
            if ancestor.startswith(f"{NATIVE_DOMAIN}."):
                return ancestor.removeprefix(f"{NATIVE_DOMAIN}.")
            blueprint = self.concepts[ancestor].blueprint
            if blueprint is not None and blueprint.refines is None:
                return "Text" if blueprint.structure is None else None
        return None

    def is_text(self, ref: str) -> bool:
        """Whether values of the concept are stored like a Text."""
        return self.native_base(ref) in ("Text", "Markdown")

    def is_written(self, ref: str) -> bool:
        """Whether a language model writes a value of the concept as plain text, without being asked for a structure."""
        return self.native_base(ref) in ("Text", "Markdown", "TextAndImages")

    def shape(self, ref: str) -> Shape:
        """The shape of one content of the concept."""
        if ref not in self._shapes:
            shape_of(ref, lambda name: self.concept(name).blueprint, self._shapes)
        return self._shapes[ref]

    def least_runs(self, ref: str) -> int:
        """The minimum number of pipes that one run of the pipe runs, the pipe itself included."""
        return self._least_runs.get(ref, 1)

    @cached_property
    def _least_runs(self) -> dict[str, int]:
        return least_runs(self.crate.pipes, {ref: self.callees(ref) for ref in self.pipes})

    # --- closures -----------------------------------------------------------------------------------------------------

    def callees(self, ref: str) -> list[str]:
        """The pipes that a controller may run, in the order of its table, each once; empty for an operator."""
        return list(dict.fromkeys(called.ref for called in self.pipe(ref).blueprint.called_pipes()))

    def closure(self, ref: str, concepts: Iterable[str] = ()) -> LibraryCrate:
        """The smallest crate that can run a pipe: the pipes it may reach, and the concepts those need.

        Args:
            ref: the pipe.
            concepts: the concepts of the given values, which may refine the declared ones.
        """
        key = (ref, ())
        if key not in self._closures:
            self._closures[key] = self._build_closure(ref)
        declared = self._closures[key]
        key = (ref, tuple(sorted({name for name in concepts if self._is_lacking(declared, name)})))
        if key not in self._closures:
            more = dict(declared.concepts)
            for name in key[1]:
                self._collect_concepts(name, more)
            self._closures[key] = LibraryCrate(more, declared.pipes, declared.files)
        return self._closures[key]

    def _is_lacking(self, crate: LibraryCrate, concept: str) -> bool:
        return concept not in crate.concepts and self.concept(concept).blueprint is not None

    def _build_closure(self, ref: str) -> LibraryCrate:
        pipes: dict[str, PipeBlueprint] = {}
        concepts: dict[str, ConceptBlueprint] = {}
        waiting = [ref]
        while waiting:
            current = waiting.pop()
            if current in pipes:
                continue
            pipe = self.pipe(current)
            pipes[current] = _without_hints(pipe.blueprint)
            for slot in (*pipe.inputs.values(), pipe.output):
                self._collect_concepts(slot.concept, concepts)
            waiting.extend(self.callees(current))
        # Only starting a pipe needs its description; running the crate does not.
        pipes[ref] = pipes[ref].model_copy(update={"description": ""})
        return LibraryCrate(concepts, pipes, {name: file for name, file in self.crate.files.items() if name in pipes})

    def _collect_concepts(self, ref: str, found: dict[str, ConceptBlueprint]) -> None:
        waiting = [ref]
        while waiting:
            current = waiting.pop()
            blueprint = self.concept(current).blueprint
            if blueprint is None or current in found:
                continue
            found[current] = _concept_without_hints(blueprint)
            waiting.extend(parts_of(blueprint))

    def inner_names(self, ref: str) -> frozenset[str]:
        """The names that a pipe leaves in its caller's memory besides its own result.

        Published methods read the results of a nested sequence's steps, and of a parallel's branches, by those names.
        """
        path = [ref]
        while path:  # callees first, on an explicit stack, because nesting may be deep
            current = path[-1]
            waiting = [] if current in self._inner_names else [*self._run_in_place(current)]
            missing = next((name for name in waiting if name not in self._inner_names and name not in path), None)
            if missing is not None:
                path.append(missing)
                continue
            if current not in self._inner_names:
                self._inner_names[current] = self._own_inner_names(current, waiting)
            path.pop()
        return self._inner_names[ref]

    def _own_inner_names(self, ref: str, nested: list[str]) -> frozenset[str]:
        own = self.pipes[ref].blueprint.own_names() if ref in self.pipes else frozenset[str]()
        return own.union(*(self._inner_names.get(name, frozenset()) for name in nested))

    def _run_in_place(self, ref: str) -> Iterator[str]:
        """The pipes that a pipe runs in its own memory, whose inner names become its own."""
        if ref in self.pipes:
            yield from self.pipes[ref].blueprint.run_in_place()


def _native(code: str | None) -> str | None:
    return None if code is None else f"{NATIVE_DOMAIN}.{code}"


def _without_hints(blueprint: PipeBlueprint) -> PipeBlueprint:
    """The blueprint without hints: they are about presentation, and runs do not need them."""
    if not any(entry.hints for entry in blueprint.inputs.values()):
        return blueprint
    inputs = {name: entry.model_copy(update={"hints": None}) for name, entry in blueprint.inputs.items()}
    return blueprint.model_copy(update={"inputs": inputs})


def _concept_without_hints(blueprint: ConceptBlueprint) -> ConceptBlueprint:
    structure = blueprint.structure
    if isinstance(structure, dict):
        structure = {name: entry.model_copy(update={"hints": None}) for name, entry in structure.items()}
    return blueprint.model_copy(update={"hints": None, "structure": structure})


class LinkedLibraries:
    """A process's cache of libraries by the exact bytes of their crates, so that each is linked only once.

    It only changes speed: the same bytes always lead to an equal library. The least recently used libraries are dropped
    first.

    Args:
        most: the maximum number of libraries.
        most_bytes: the maximum size of their crates together, in bytes. A linked library takes about twenty times as
            much memory as its crate. The most recently used library always stays.
    """

    def __init__(self, most: int = 512, most_bytes: int = 8_000_000) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._libraries: OrderedDict[bytes, tuple[Library, int]] = OrderedDict()
        self._bytes = 0

    def get(self, crate_bytes: bytes) -> Library:
        """The library of a crate's JSON bytes."""
        key = hashlib.sha256(crate_bytes).digest()
        if key in self._libraries:
            self._libraries.move_to_end(key)
            return self._libraries[key][0]
        library = Library(LibraryCrate.from_json_bytes(crate_bytes))
        self._libraries[key] = (library, len(crate_bytes))
        self._bytes += len(crate_bytes)
        while len(self._libraries) > 1 and (len(self._libraries) > self._most or self._bytes > self._most_bytes):
            self._bytes -= self._libraries.popitem(last=False)[1][1]
        return library


@lru_cache(maxsize=1)
def linked_libraries() -> LinkedLibraries:
    """The process's own cache of linked libraries."""
    return LinkedLibraries()
