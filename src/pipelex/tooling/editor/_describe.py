"""Descriptions of symbols in Markdown, for hovers."""

from collections.abc import Iterator

from pipelex.content.natives import NATIVE_CONCEPTS
from pipelex.content.structure import ChoiceShape, DictShape, FieldShape, ListShape, ObjectShape, ScalarShape, Shape
from pipelex.tooling.editor._group import OpenMethod, PipeView
from pipelex.tooling.editor._occurrences import Symbol


def described(group: OpenMethod, symbol: Symbol) -> str | None:
    """The description of a symbol; None if it is not known."""
    match symbol.kind:
        case "concept":
            return _concept(group, symbol)
        case "pipe":
            view = group.pipes.get(symbol.ref)
            return None if view is None else "\n".join(_pipe(view))
        case "name":
            return _name(group, symbol)
        case "field":
            return _field(group, symbol)


def _concept(group: OpenMethod, symbol: Symbol) -> str | None:
    declared = group.concepts.get(symbol.ref)
    native = NATIVE_CONCEPTS.get(symbol.name) if symbol.is_native else None
    if declared is None and native is None:
        return None
    said = native.description if native is not None else declared[1] if declared is not None else ""
    lines = [
        f"**{symbol.name}** · {'native concept' if native is not None else f'concept of `{symbol.owner}`'}",
        "",
        said,
    ]
    lines += _lineage(group, symbol)
    shape = native.shape if native is not None else group.shape(symbol.ref)
    if isinstance(shape, ObjectShape):
        lines += ["", *(f"- `{field.name}`: {field_line(field)} — {field.description}" for field in shape.fields)]
    return "\n".join(lines)


def _lineage(group: OpenMethod, symbol: Symbol) -> Iterator[str]:
    if group.library is not None and symbol.ref in group.library.concepts:
        parents = list(group.library.lineage(symbol.ref))[1:]
        if parents:
            yield ""
            yield "refines " + ", ".join(f"`{parent}`" for parent in parents)


def _pipe(view: PipeView) -> Iterator[str]:
    yield f"**{view.code}** · {view.type or 'a signature, to be written'} of `{view.file.domain}`"
    yield ""
    yield view.description
    yield ""
    yield from (f"- takes `{name}`: `{slot}`" for name, slot in view.inputs.items())
    yield f"- gives `{view.output or '?'}`"


def _name(group: OpenMethod, symbol: Symbol) -> str | None:
    view = group.pipes.get(symbol.owner)
    if view is None:
        return None
    slot = view.inputs.get(symbol.name)
    if slot is None:
        reached = group.names(view).get(symbol.name)
        kind = "" if reached is None else f": {kind_of_shape(reached.shape)}"
        return f"**{symbol.name}**{kind} · kept by a step of `{view.code}`"
    concept = group.concept_ref(slot, view.file.domain)
    owner, _, code = concept.rpartition(".")
    about = _concept(group, Symbol("concept", owner, code))
    head = f"**{symbol.name}**: `{slot}` · input of `{view.code}`"
    return head if about is None else f"{head}\n\n---\n\n{about}"


def _field(group: OpenMethod, symbol: Symbol) -> str | None:
    shape = NATIVE_CONCEPTS[symbol.owner.rpartition(".")[2]].shape if symbol.is_native else group.shape(symbol.owner)
    field = shape.field(symbol.name) if isinstance(shape, ObjectShape) else None
    if field is None:
        return None
    return f"**{symbol.name}**: {field_line(field)} · field of `{symbol.owner}`\n\n{field.description}"


def field_line(field: FieldShape) -> str:
    """A field's type and presence in a few words."""
    default = "" if field.default is None else f", {field.default!r} by default"
    presence = "required" if field.required else "optional"
    return f"{kind_of_shape(field.shape)}, {presence}{default}"


def kind_of_shape(shape: Shape) -> str:
    """The kind of a shape, in a few words."""
    match shape:
        case ObjectShape():
            return shape.title
        case ListShape():
            return f"list of {kind_of_shape(shape.items)}"
        case ChoiceShape():
            return "one of " + ", ".join(shape.choices)
        case ScalarShape():
            return "text" if shape.kind == "url" else shape.kind
        case DictShape():
            return "dict"
        case _:
            return "anything"
