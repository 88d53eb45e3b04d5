"""The static graph of a linked pipe."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from pipelex.language.blueprints import (
    SPECIAL_OUTCOMES,
    BindingStep,
    PipeBatchBlueprint,
    PipeConditionBlueprint,
    PipeParallelBlueprint,
    PipeSequenceBlueprint,
    PipeStep,
)
from pipelex.library import Library, Pipe
from pipelex.tooling.graph._model import Edge, EdgeKind, Group, Node, NodeKind, StaticGraph

_MOST_NODES: Final = 1500
"""The maximum number of nodes. A pipe that runs in several places is drawn in each, so a small method can unfold into
an unreadable drawing."""

_Memory: TypeAlias = dict[str, tuple[str, ...]]
"""Name → the nodes that its value may come from."""


def static_graph(library: Library, ref: str) -> StaticGraph:
    """The graph of a pipe with everything it runs.

    Raises:
        PipelexError: there is no such pipe.
    """
    drawing = _Drawing(library)
    pipe = library.pipe(ref)
    memory: _Memory = {}
    for name, slot in pipe.inputs.items():
        memory[name] = (drawing.node(name, "input", detail=_short(str(slot))),)
    given = drawing.call(ref, memory, None, ()).given
    result = drawing.node("output", "output", detail=_short(str(pipe.output)))
    drawing.connect(given, result, "")
    return StaticGraph(ref, tuple(drawing.groups), tuple(drawing.nodes), tuple(dict.fromkeys(drawing.edges)))


@dataclass
class _Called:
    given: tuple[str, ...]
    """The nodes that the result may come from."""
    left: _Memory = field(default_factory=dict[str, tuple[str, ...]])
    """Names that the pipe leaves in its caller's memory."""
    first: tuple[str, ...] = ()
    """The nodes that a choice leads to."""


class _Drawing:
    def __init__(self, library: Library) -> None:
        self.library = library
        self.groups: list[Group] = []
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []

    def node(
        self,
        title: str,
        kind: NodeKind,
        *,
        detail: str = "",
        parent: str | None = None,
        pipe: Pipe | None = None,
        description: str = "",
    ) -> str:
        name = f"n{len(self.nodes)}"
        about = description or (pipe.description if pipe is not None else "")
        self.nodes.append(Node(name, title, kind, detail, parent, about, None if pipe is None else pipe.ref))
        return name

    def group(self, title: str, kind: str, parent: str | None, pipe: Pipe | None = None) -> str:
        name = f"g{len(self.groups)}"
        about = "" if pipe is None else pipe.description
        self.groups.append(Group(name, title, kind, parent, about, None if pipe is None else pipe.ref))
        return name

    def connect(self, sources: tuple[str, ...], target: str, label: str, kind: EdgeKind = "data") -> None:
        self.edges += [Edge(source, target, label, kind) for source in sources]

    # --- pipes --------------------------------------------------------------------------------------------------------

    def call(self, ref: str, memory: _Memory, parent: str | None, path: tuple[str, ...]) -> _Called:
        """Draw a pipe that runs on a memory."""
        pipe = self.library.pipes.get(ref)
        if pipe is None or ref in path or len(self.nodes) >= _MOST_NODES:
            unknown = self.node(ref.rpartition(".")[2], "more", detail="…", parent=parent, pipe=pipe)
            return _Called((unknown,), first=(unknown,))
        inside = (*path, ref)
        memory = {name: memory[name] for name in pipe.inputs if name in memory}
        draw = DRAWINGS.get(pipe.type, _Drawing.operator)
        return draw(self, pipe, memory, parent, inside)

    def operator(self, pipe: Pipe, memory: _Memory, parent: str | None, path: tuple[str, ...]) -> _Called:
        del path
        kind: NodeKind = "signature" if pipe.blueprint.is_signature else "operator"
        detail = f"{pipe.type} → {_short(str(pipe.output))}"
        name = self.node(pipe.code, kind, detail=detail, parent=parent, pipe=pipe)
        for each in pipe.inputs:
            self.connect(memory.get(each, ()), name, each)
        return _Called((name,), first=(name,))

    def sequence(self, pipe: Pipe, memory: _Memory, parent: str | None, path: tuple[str, ...]) -> _Called:
        assert isinstance(pipe.blueprint, PipeSequenceBlueprint)
        group = self.group(pipe.code, pipe.type, parent, pipe)
        inner, left = dict(memory), _Memory()
        called = _Called(())
        first: tuple[str, ...] = ()
        for step in pipe.blueprint.steps:
            called = self._step(step, inner, group, path)
            first = first or called.first
            left |= called.left
            if step.result is not None:
                left[step.result] = called.given
            inner |= left
        return _Called(called.given, left, first)

    def _step(self, step: PipeStep | BindingStep, memory: _Memory, group: str, path: tuple[str, ...]) -> _Called:
        if isinstance(step, BindingStep):
            name = self.node(f"{step.from_path} → {step.result}", "binding", parent=group)
            root = step.from_path.partition(".")[0]
            self.connect(memory.get(root, ()), name, root)
            return _Called((name,), first=(name,))
        if step.batch_over is None or step.batch_as is None:
            return self.call(step.pipe, memory, group, path)
        repeated = self.group(f"for each {step.batch_as} of {step.batch_over}", "batch", group)
        items = memory.get(step.batch_over.partition(".")[0], ())
        called = self._per_item(step.pipe, step.batch_as, items, memory, repeated, path)
        return replace(called, left={})

    def _per_item(
        self, ref: str, item: str, items: tuple[str, ...], memory: _Memory, group: str, path: tuple[str, ...]
    ) -> _Called:
        before = len(self.edges)
        called = self.call(ref, {**memory, item: items}, group, path)
        for index in range(before, len(self.edges)):
            edge = self.edges[index]
            if edge.label == item and edge.source in items:
                self.edges[index] = replace(edge, kind="item")
        return called

    def parallel(self, pipe: Pipe, memory: _Memory, parent: str | None, path: tuple[str, ...]) -> _Called:
        blueprint = pipe.blueprint
        assert isinstance(blueprint, PipeParallelBlueprint)
        group = self.group(pipe.code, pipe.type, parent, pipe)
        left: _Memory = {}
        first: list[str] = []
        for branch in blueprint.branches:
            called = self._step(branch, dict(memory), group, path)
            left[branch.result or branch.pipe] = called.given
            first += called.first
        combined = self.node(_short(str(pipe.output)), "combine", detail="combined", parent=group)
        for name, given in left.items():
            self.connect(given, combined, name)
        return _Called((combined,), left if blueprint.add_each_output else {}, tuple(first))

    def condition(self, pipe: Pipe, memory: _Memory, parent: str | None, path: tuple[str, ...]) -> _Called:
        blueprint = pipe.blueprint
        assert isinstance(blueprint, PipeConditionBlueprint)
        group = self.group(pipe.code, pipe.type, parent, pipe)
        text = blueprint.expression or blueprint.expression_template or ""
        choice = self.node(text, "expression", parent=group, description=pipe.description)
        for name in _read_roots(pipe):
            self.connect(memory.get(name, ()), choice, name)
        given: list[str] = []
        keys: dict[str, list[str]] = {}
        for key, ref in (*blueprint.outcomes.items(), ("otherwise", blueprint.default_outcome)):
            keys.setdefault(ref, []).append(key)
        for ref, names in keys.items():
            if ref in SPECIAL_OUTCOMES:
                called = _Called((), first=(self.node(ref, "special", parent=group),))
                given += called.first if ref == "continue" else ()
            else:
                called = self.call(ref, memory, group, path)
            for target in called.first:
                self.connect((choice,), target, " | ".join(names), "outcome")
            given += called.given
        return _Called(tuple(given), first=(choice,))

    def batch(self, pipe: Pipe, memory: _Memory, parent: str | None, path: tuple[str, ...]) -> _Called:
        blueprint = pipe.blueprint
        assert isinstance(blueprint, PipeBatchBlueprint)
        title = f"{pipe.code}: for each {blueprint.input_item_name} of {blueprint.input_list_name}"
        group = self.group(title, pipe.type, parent, pipe)
        items = memory.get(blueprint.input_list_name, ())
        called = self._per_item(blueprint.branch_pipe_code, blueprint.input_item_name, items, memory, group, path)
        return _Called(called.given, first=called.first)


DRAWINGS: Final[Mapping[str, Callable[[_Drawing, Pipe, _Memory, str | None, tuple[str, ...]], _Called]]] = {
    "PipeSequence": _Drawing.sequence,
    "PipeParallel": _Drawing.parallel,
    "PipeCondition": _Drawing.condition,
    "PipeBatch": _Drawing.batch,
}
"""The drawing of each type of controller; every other pipe is one node."""


def _read_roots(pipe: Pipe) -> Iterator[str]:
    """The inputs that a condition's own expression reads."""
    from pipelex.language.templates import analyse_template

    seen: dict[str, None] = {}
    for site in pipe.blueprint.sites:
        found = analyse_template(site.template, category=site.category, sigils=False, declared=tuple(pipe.inputs))
        seen.update(dict.fromkeys(read.root for read in found.reads))
    yield from seen


def _short(slot: str) -> str:
    """A slot without its domain."""
    head, dot, code = slot.rpartition(".")
    return code if dot and head else slot
