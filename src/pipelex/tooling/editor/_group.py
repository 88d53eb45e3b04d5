"""The files of one method with their current texts in an editor, and their declarations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pipelex.content.structure import DictShape, ListShape, ObjectShape, Shape
from pipelex.errors import PipelexError
from pipelex.language import NATIVE_CODES, Reference
from pipelex.library import Library
from pipelex.tooling.editor._sketch import Path, Sketch, WrittenValue, sketch


@dataclass(frozen=True)
class OpenFile:
    """One bundle."""

    path: str
    text: str

    @cached_property
    def sketch(self) -> Sketch:
        return sketch(self.text)

    @cached_property
    def domain(self) -> str:
        return self.sketch.string(("domain",)) or ""


@dataclass
class PipeView:
    """A pipe as it is written in its table."""

    file: OpenFile
    code: str
    type: str
    description: str
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    """The inputs: name → slot."""
    output: str = ""

    @property
    def ref(self) -> str:
        return f"{self.file.domain}.{self.code}"

    @property
    def contract(self) -> str:
        """The pipe's inputs and output on one line."""
        taken = ", ".join(f"{name}: {slot}" for name, slot in self.inputs.items())
        return f"({taken}) → {self.output or '?'}"


@dataclass(frozen=True)
class PathEnd:
    """What a path leads to."""

    shape: Shape
    is_list: bool = False
    owner: str | None = None
    """The concept that declares the field at its end."""
    description: str = ""


class OpenMethod:
    """The bundles of one method, with the library that was made from their last valid texts.

    Args:
        files: path → bundle.
        library: the library that has the concepts and their shapes; None if there is none yet.
    """

    def __init__(self, files: Mapping[str, OpenFile], library: Library | None = None) -> None:
        self.files = dict(files)
        self.library = library

    @cached_property
    def pipes(self) -> dict[str, PipeView]:
        """Reference → pipe."""
        return {view.ref: view for file in self.files.values() for view in _pipes_of(file)}

    @cached_property
    def concepts(self) -> dict[str, tuple[OpenFile, str]]:
        """Reference → the file that declares it, and its description."""
        found: dict[str, tuple[OpenFile, str]] = {}
        for file in self.files.values():
            for name in file.sketch.names:
                match name.path:
                    case ("concept", str(code)):
                        short = file.sketch.string(("concept", code))
                        said = short or file.sketch.string(("concept", code, "description")) or ""
                        found.setdefault(f"{file.domain}.{code}", (file, said))
                    case _:
                        pass
        return found

    def concept_ref(self, text: str, domain: str) -> str:
        """The reference of the concept that a slot or a reference names."""
        reference = Reference.parse(text.strip().rstrip("[]?!0123456789").strip())
        if reference.package is not None:
            return str(reference)
        if reference.domain is None and reference.code in NATIVE_CODES:
            return f"native.{reference.code}"
        return f"{reference.domain or domain}.{reference.code}"

    def pipe_ref(self, text: str, domain: str) -> str:
        reference = Reference.parse(text.strip())
        return str(reference) if reference.package is not None else f"{reference.domain or domain}.{reference.code}"

    def shape(self, concept: str) -> Shape | None:
        """The shape of a concept's contents; None if it is not known."""
        if self.library is None:
            return None
        try:
            return self.library.shape(concept)
        except PipelexError:
            return None

    def slot(self, text: str, domain: str) -> PathEnd | None:
        """The value in a slot; None if its concept is not known."""
        shape = self.shape(self.concept_ref(text, domain))
        if shape is None:
            return None
        is_list = "[" in text and "[1]" not in text
        return PathEnd(ListShape(shape) if is_list else shape, is_list)

    def walk(self, start: PathEnd, names: tuple[str, ...]) -> PathEnd | None:
        """What a path from a value leads to; a step into a list leads into its items."""
        current: PathEnd | None = start
        for name in names:
            if current is None:
                return None
            current = self._step(current, name)
        return current

    def _step(self, value: PathEnd, name: str) -> PathEnd | None:
        shape = inner(value.shape)
        if isinstance(shape, DictShape):
            return PathEnd(shape.values)
        if not isinstance(shape, ObjectShape):
            return None
        found = shape.field(name)
        if found is None:
            return value if name == "items" and isinstance(value.shape, ListShape) else None
        is_list = value.is_list or isinstance(found.shape, ListShape)
        return PathEnd(found.shape, is_list, self.declarer(shape.concept, name), found.description)

    def declarer(self, concept: str, field_name: str) -> str:
        """The concept in whose structure a field is declared: the concept itself, or one that it refines."""
        if self.library is None:
            return concept
        for ancestor in self.library.lineage(concept):
            blueprint = self.library.concept(ancestor).blueprint
            structure = None if blueprint is None else blueprint.structure
            if isinstance(structure, dict) and field_name in structure:
                return ancestor
        return concept

    def names(self, view: PipeView) -> dict[str, PathEnd | None]:
        """The names that a pipe may read: its inputs, and the results of its steps."""
        domain = view.file.domain
        found = {name: self.slot(slot, domain) for name, slot in view.inputs.items()}
        for step, table in rows(view.file.sketch, ("pipe", view.code)):
            result = table.get("result")
            if result is not None:
                found[view.file.sketch.inner(result)] = self._result(view, step, table, found)
        return found

    def _result(
        self, view: PipeView, step: Path, table: Mapping[str, WrittenValue], known: Mapping[str, PathEnd | None]
    ) -> PathEnd | None:
        del step
        inner_text = view.file.sketch.inner
        if "from" in table:
            root, *names = inner_text(table["from"]).split(".")
            start = known.get(root)
            return None if start is None else self.walk(start, tuple(names))
        callee = self.pipes.get(self.pipe_ref(inner_text(table["pipe"]), view.file.domain)) if "pipe" in table else None
        given = None if callee is None else self.slot(callee.output, callee.file.domain)
        if given is None or "batch_over" not in table or given.is_list:
            return given
        return PathEnd(ListShape(given.shape), is_list=True)


def inner(shape: Shape) -> Shape:
    """The shape of the items, if it is a list; otherwise the shape itself."""
    while isinstance(shape, ListShape):
        shape = shape.items
    return shape


def rows(found: Sketch, pipe: Path) -> Iterator[tuple[Path, dict[str, WrittenValue]]]:
    """The steps and branches of a pipe in order: key → value."""
    tables: dict[Path, dict[str, WrittenValue]] = {}
    for value in found.values:
        if len(value.path) == len(pipe) + 3 and value.path[: len(pipe)] == pipe and value.kind == "string":
            kind, row, key = value.path[len(pipe) :]
            if kind in ("steps", "branches") and isinstance(row, int):
                tables.setdefault(value.path[:-1], {})[str(key)] = value
    yield from tables.items()


def _pipes_of(file: OpenFile) -> Iterator[PipeView]:
    found = file.sketch
    views: dict[str, PipeView] = {}
    for name in found.names:
        match name.path:
            case ("pipe", str(code)) if code not in views:
                said = found.string(("pipe", code, "description")) or ""
                views[code] = PipeView(file, code, found.string(("pipe", code, "type")) or "", said)
                views[code].output = found.string(("pipe", code, "output")) or ""
            case ("pipe", str(code), "inputs", str(given)):
                table = ("pipe", code, "inputs", given)
                views[code].inputs[given] = found.string(table) or found.string((*table, "concept")) or ""
            case _:
                pass
    yield from views.values()
