"""The state that rules see: the current documents, their faults, and the linked library."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

from pipelex.errors import Fault, Json, SuggestedFix
from pipelex.language import NATIVE_CODES, ParsedBundle
from pipelex.language.blueprints import PIPE_TYPES, PipeBlueprint
from pipelex.language.references import NATIVE_DOMAIN, Reference, Slot
from pipelex.library import Library, LinkedBundles, ModelUse, Pipe, Verdict
from pipelex.tooling.fix._document import Document, Op

Keys: TypeAlias = tuple[str | int, ...]
Table: TypeAlias = dict[str, Any]
DefaultModel: TypeAlias = Callable[[ModelUse], str | None]
"""Returns the reference that a deck uses if a pipe names no model; None if that is a table, or there is none."""

Safety = Literal["safe", "unsafe"]


@dataclass(frozen=True)
class Edit:
    """One rewrite that a rule proposes."""

    file: str
    keys: Keys
    """The place it is about."""
    fix: SuggestedFix


@dataclass(frozen=True)
class Declared:
    """A pipe's or a concept's table in a document, valid or not."""

    file: str
    domain: str | None
    code: str
    table: Table
    kind: Literal["pipe", "concept"] = "pipe"

    @property
    def base(self) -> Keys:
        return (self.kind, self.code)

    @property
    def model(self) -> type[PipeBlueprint] | None:
        """The blueprint class of the pipe's type; None if there is no such type."""
        return PIPE_TYPES.get(self.type)

    @property
    def ref(self) -> str:
        return f"{self.domain}.{self.code}"

    @property
    def type(self) -> str:
        return str(self.table.get("type"))

    def edit(self, code: str, description: str, *ops: Op, at: Keys = (), safety: Safety = "safe") -> Edit:
        """A rewrite of this table; `at` is the place inside it."""
        return Edit(self.file, (*self.base, *at), SuggestedFix(code, description, ops, safety, self.file))

    # Operations on this table or one inside it.

    def set(self, key: str, value: Json, *inner: str | int) -> Table:
        return {"op": "set_key", "table": [*self.base, *inner], "key": key, "value": value}

    def delete(self, key: str, *inner: str | int) -> Table:
        return {"op": "delete_key", "table": [*self.base, *inner], "key": key}

    def rename(self, key: str, new_key: str, *inner: str | int) -> Table:
        return {"op": "rename_table_key", "table": [*self.base, *inner], "key": key, "new_key": new_key}

    def remap(self, key: str, mapping: Mapping[str, str], *inner: str | int) -> Table:
        return {"op": "remap_value", "table": [*self.base, *inner], "key": key, "mapping": dict(mapping)}


@dataclass
class Round:
    """The state between two rewrites."""

    documents: Mapping[str, Document]
    """The documents that may be changed."""
    bundles: Mapping[str, ParsedBundle]
    linked: LinkedBundles
    verdict: Verdict
    default_model: DefaultModel | None = None
    provider_models: Collection[str] = ()
    """Names of models that some provider has."""
    classes: Mapping[str, Mapping[str, Table]] = field(default_factory=dict[str, Mapping[str, Table]])
    """Class name → structure table, for structures that older files take from Python."""
    functions: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    """Name → import paths, for functions that older files name without one."""

    @property
    def library(self) -> Library:
        return self.linked.library

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.verdict.errors

    @cached_property
    def pipes(self) -> list[Declared]:
        """Every pipe table of the documents."""
        return list(self._declared("pipe"))

    @cached_property
    def concepts(self) -> list[Declared]:
        """Every concept of the documents; one written as a string has an empty table."""
        return list(self._declared("concept"))

    def _declared(self, kind: Literal["pipe", "concept"]) -> Iterator[Declared]:
        for file, document in self.documents.items():
            domain = document.plain.get("domain")
            entries = document.plain.get(kind)
            for code, table in cast("Table", entries).items() if isinstance(entries, dict) else ():
                if isinstance(table, dict) or kind == "concept":
                    own = cast("Table", table) if isinstance(table, dict) else {}
                    yield Declared(file, domain if isinstance(domain, str) else None, code, own, kind)

    def pipe_at(self, fault: Fault) -> Declared | None:
        """The pipe that a fault is about, if its file may be changed."""
        code = (fault.location.pipe or "").rpartition(".")[2]
        return next((pipe for pipe in self.pipes if (pipe.file, pipe.code) == (fault.location.file, code)), None)

    def concept_at(self, fault: Fault) -> Declared | None:
        """The concept that a fault is about, if its file may be changed."""
        code = (fault.location.concept or "").rpartition(".")[2]
        found = (one for one in self.concepts if (one.file, one.code) == (fault.location.file, code))
        return next(found, None)

    @cached_property
    def _entries(self) -> frozenset[str]:
        """References of the main pipes, and of the pipes that the manifest exports."""
        manifest = self.linked.packages[0].manifest
        exports: Mapping[str, tuple[str, ...]] = {} if manifest is None else manifest.exports
        named = {f"{domain}.{code}" for domain, codes in exports.items() for code in codes}
        for bundle in (*self.bundles.values(), *self.linked.packages[0].bundles):
            blueprint = bundle.blueprint
            if blueprint is None:
                continue
            main = {blueprint.main_pipe} if manifest is None else {blueprint.main_pipe, manifest.main_pipe}
            named |= {f"{blueprint.domain}.{code}" for code in main if code is not None}
        return frozenset(named)

    def is_entry(self, pipe: Declared) -> bool:
        """Whether callers of the method may start a pipe."""
        return pipe.ref in self._entries

    def owner(self, edit: Edit) -> Declared | None:
        """The pipe that a rewrite is about."""
        return next((one for one in self.pipes if one.file == edit.file and one.base == edit.keys[:2]), None)

    def linked_pipe(self, declared: Declared) -> Pipe | None:
        """The library's pipe that a table declares; None if the table is not valid."""
        return self.library.pipes.get(declared.ref)

    def table_of(self, ref: str) -> Declared | None:
        """The table of a pipe, by qualified reference, if its file may be changed."""
        return next((pipe for pipe in self.pipes if pipe.ref == ref), None)

    def is_concept_declared(self, code: str, domain: str | None) -> bool:
        """Whether a domain declares a concept of that name."""
        for bundle in (*self.bundles.values(), *self.linked.packages[0].bundles):
            blueprint = bundle.blueprint
            if blueprint is None or blueprint.domain != domain:
                continue
            if code in blueprint.concepts or code in bundle.broken_concepts:
                return True
        return any(concept.code == code and concept.domain == domain for concept in self.concepts)

    def native_of(self, text: Any, domain: str | None) -> str | None:
        """The native concept that a written slot's concept is or refines; None for a structured or unknown one."""
        try:
            ref = Slot.parse(text).concept if isinstance(text, str) else ""
        except ValueError:
            return None
        reference = Reference.parse(ref)
        if reference.code in NATIVE_CODES and reference.domain in (None, NATIVE_DOMAIN):
            return reference.code
        qualified = ref if reference.domain is not None else f"{domain}.{ref}"
        return self.library.native_base(qualified) if qualified in self.library.concepts else None

    def written(self, ref: str, domain: str | None) -> str:
        """A qualified concept reference as a file of that domain writes it."""
        reference = Reference.parse(ref)
        return reference.code if reference.domain in (NATIVE_DOMAIN, domain) and reference.package is None else ref

    def slot_text(self, slot: Slot, domain: str | None) -> str:
        """A linked slot as a file of that domain writes it."""
        return str(Slot(self.written(slot.concept, domain), slot.is_list, slot.count, slot.presence))


Rule: TypeAlias = Callable[[Round], Iterable[Edit]]


def slot_of(entry: Any) -> str | None:
    """The slot's text in an entry of `inputs`."""
    if isinstance(entry, dict):
        entry = cast("Table", entry).get("concept")
    return entry if isinstance(entry, str) else None


def parsed_slot(entry: Any) -> Slot | None:
    """The slot of an entry of `inputs`, or of an output; None if it is not a valid slot."""
    text = slot_of(entry)
    try:
        return None if text is None else Slot.parse(text)
    except ValueError:
        return None


def snake_case(code: str) -> str:
    """`InvoiceLine` as `invoice_line`."""
    text = ""
    for index, character in enumerate(code):
        if character.isupper() and index and not code[index - 1].isupper():
            text += "_"
        text += character.lower()
    return text


def words_of(code: str) -> str:
    """A code as a short sentence: `make_report` and `MakeReport` as `Make report`."""
    text = snake_case(code).replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def tables_in(value: Any) -> Sequence[tuple[int, Table]]:
    """The tables of an array, with their indexes."""
    if not isinstance(value, list):
        return []
    items = enumerate(cast("list[Any]", value))
    return [(index, cast("Table", item)) for index, item in items if isinstance(item, dict)]


def inputs_of(table: Table) -> Table:
    """The inputs of a pipe's table; empty when there are none."""
    inputs = table.get("inputs")
    return cast("Table", inputs) if isinstance(inputs, dict) else {}
