"""Finds the places where concepts, pipes, names and fields are declared and read, in all files of a method.

A name is an input of a pipe, or the result of one of its steps. Pipes pass values on by name, so a controller's name
and the input of the pipe that it runs are the same name, and are renamed together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from pipelex.content.structure import ObjectShape
from pipelex.language.references import NATIVE_DOMAIN, Reference
from pipelex.tooling.editor._chains import Chain, TemplateText, chains
from pipelex.tooling.editor._group import OpenFile, OpenMethod, PathEnd, PipeView, inner, rows
from pipelex.tooling.editor._sites import site_at
from pipelex.tooling.editor._sketch import Path, WrittenName, WrittenValue

SPECIAL_OUTCOMES: Final = frozenset({"fail", "continue"})


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something that has a name."""

    kind: Literal["concept", "pipe", "name", "field"]
    owner: str
    """The domain of a concept or a pipe, the pipe of a name, the concept of a field."""
    name: str

    @property
    def ref(self) -> str:
        return f"{self.owner}.{self.name}"

    @property
    def is_native(self) -> bool:
        """Whether the language itself declares it."""
        return self.owner == NATIVE_DOMAIN or self.owner.startswith(f"{NATIVE_DOMAIN}.")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A place where a symbol is written."""

    file: str
    start: int
    end: int
    symbol: Symbol
    is_declaration: bool = False


def occurrences(group: OpenMethod) -> list[Occurrence]:
    """Every occurrence of every symbol."""
    return [found for file in group.files.values() for found in _Finder(group, file).all()]


def template_of(file: OpenFile, value: WrittenValue) -> TemplateText | None:
    """The template that a string holds."""
    site = site_at(value.path)
    if site not in ("template", "expression"):
        return None
    is_bare = site == "expression" or value.path[-1] == "expression_template"
    has_escapes = file.text[value.start : value.start + 1] == '"'
    return TemplateText(file.sketch.inner(value), not is_bare, site == "expression", has_escapes)


class _Finder:
    def __init__(self, group: OpenMethod, file: OpenFile) -> None:
        self._group = group
        self._file = file
        self._names: dict[str, dict[str, PathEnd | None]] = {}

    def all(self) -> Iterator[Occurrence]:
        for name in self._file.sketch.names:
            yield from self._of_name(name)
        for value in self._file.sketch.values:
            if value.kind == "string":
                yield from self._of_value(value)

    def _at(self, start: int, end: int, symbol: Symbol, *, is_declaration: bool = False) -> Occurrence:
        return Occurrence(self._file.path, start, end, symbol, is_declaration)

    # --- keys

    def _of_name(self, name: WrittenName) -> Iterator[Occurrence]:
        domain = self._file.domain
        quoted = self._file.text[name.start] in "\"'"
        start, end = name.start + quoted, name.end - quoted
        match name.path:
            case ("pipe" | "concept" as kind, str(code)):
                symbol = Symbol("pipe" if kind == "pipe" else "concept", domain, code)
                yield self._at(start, end, symbol, is_declaration=True)
            case ("pipe", str(code), "inputs", str(given)):
                yield self._at(start, end, Symbol("name", f"{domain}.{code}", given), is_declaration=True)
            case ("concept", str(code), "structure", str(given)):
                yield self._at(start, end, Symbol("field", f"{domain}.{code}", given), is_declaration=True)
            case ("pipe", str(code), "construct", *inside) if inside and inside[-1] not in ("from", "template"):
                yield from self._field_of_output(code, tuple(map(str, inside)), start, end)
            case ("pipe", str(code), "questions", str(given)):
                yield from self._field_of_output(code, (given,), start, end)
            case _:
                pass

    def _field_of_output(self, code: str, names: tuple[str, ...], start: int, end: int) -> Iterator[Occurrence]:
        view = self._group.pipes.get(f"{self._file.domain}.{code}")
        given = None if view is None else self._group.slot(view.output, view.file.domain)
        reached = None if given is None else self._group.walk(given, names)
        if reached is not None and reached.owner is not None:
            yield self._at(start, end, Symbol("field", reached.owner, names[-1]))

    # --- values

    def _of_value(self, value: WrittenValue) -> Iterator[Occurrence]:
        text = self._file.sketch.inner(value)
        match site_at(value.path):
            case "concept" | "slot":
                yield from self._reference(value, text, "concept")
            case "pipe" | "outcome" if text not in SPECIAL_OUTCOMES:
                yield from self._reference(value, text, "pipe")
            case "name":
                yield from self._name_in(value, text)
            case "new_name":
                yield from self._name_in(value, text, is_declaration=True)
                if value.path[2] == "branches" and value.path[-1] == "result":
                    yield from self._field_of_output(str(value.path[1]), (text,), value.inner_start, value.inner_end)
            case "path":
                yield from self._chain(value, Chain(0, tuple(text.split("."))))
            case "template" | "expression":
                template = template_of(self._file, value)
                for chain in chains(template) if template is not None else ():
                    yield from self._chain(value, chain)
            case _:
                pass

    def _reference(self, value: WrittenValue, text: str, kind: Literal["concept", "pipe"]) -> Iterator[Occurrence]:
        bare = text.split("[")[0].rstrip("?! ")
        reference = Reference.parse(bare)
        if not reference.code or reference.package is not None:
            return
        group, domain = self._group, self._file.domain
        ref = group.concept_ref(bare, domain) if kind == "concept" else group.pipe_ref(bare, domain)
        start = value.inner_start + len(bare) - len(reference.code)
        owner, _, code = ref.rpartition(".")
        yield self._at(start, start + len(code), Symbol(kind, owner, code))

    def _pipe(self, path: Path) -> PipeView | None:
        return self._group.pipes.get(f"{self._file.domain}.{path[1]}") if path[:1] == ("pipe",) else None

    def _name_in(self, value: WrittenValue, text: str, *, is_declaration: bool = False) -> Iterator[Occurrence]:
        view = self._pipe(value.path)
        if view is not None and text:
            symbol = Symbol("name", view.ref, text)
            yield self._at(value.inner_start, value.inner_end, symbol, is_declaration=is_declaration)

    def _chain(self, value: WrittenValue, chain: Chain) -> Iterator[Occurrence]:
        view = self._pipe(value.path)
        if view is None:
            return
        known = self._known(view)
        for start, end, path in chain.spans():
            place = (value.inner_start + start, value.inner_start + end)
            if len(path) == 1:
                if path[0] in known:
                    yield self._at(*place, Symbol("name", view.ref, path[0]))
                continue
            root = known.get(path[0])
            reached = None if root is None else self._group.walk(root, path[1:])
            if reached is not None and reached.owner is not None:
                yield self._at(*place, Symbol("field", reached.owner, path[-1]))

    def _known(self, view: PipeView) -> dict[str, PathEnd | None]:
        if view.ref not in self._names:
            self._names[view.ref] = self._group.names(view)
        return self._names[view.ref]


def is_structured(reached: PathEnd | None) -> bool:
    """Whether a value has fields that a path can continue with."""
    return reached is not None and isinstance(inner(reached.shape), ObjectShape)


# --- names that are the same
# -----------------------------------------------------------------------------------------------


class SameNames:
    """Groups of names of different pipes that are the same, because one pipe passes a value to another by that name."""

    def __init__(self, group: OpenMethod) -> None:
        self._parents: dict[Symbol, Symbol] = {}
        for view in group.pipes.values():
            for callee in _called(group, view):
                for name in callee.inputs:
                    self._join(Symbol("name", view.ref, name), Symbol("name", callee.ref, name))

    def one(self, symbol: Symbol) -> Symbol:
        """The symbol that represents the group of a symbol."""
        while symbol in self._parents:
            symbol = self._parents[symbol]
        return symbol

    def _join(self, first: Symbol, second: Symbol) -> None:
        first, second = self.one(first), self.one(second)
        if first != second:
            self._parents[second] = first


def _called(group: OpenMethod, view: PipeView) -> Iterator[PipeView]:
    """The pipes that a pipe runs."""
    found, domain, table = view.file.sketch, view.file.domain, ("pipe", view.code)

    def callee(text: str | None) -> PipeView | None:
        return None if text is None or text in SPECIAL_OUTCOMES else group.pipes.get(group.pipe_ref(text, domain))

    for _, row in rows(found, table):
        called = callee(found.inner(row["pipe"])) if "pipe" in row else None
        if called is not None:
            yield called
    texts = [found.string((*table, "branch_pipe_code")), found.string((*table, "default_outcome"))]
    texts += [found.string(name.path) for name in found.keys_below((*table, "outcomes"))]
    for text in texts:
        called = callee(text)
        if called is not None:
            yield called
