"""Rewrites of older declarations of inputs, and of retired names of concepts.

Source: section 13 of the language reference.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from pipelex.language import RETIRED_NATIVES
from pipelex.language.references import NATIVE_DOMAIN, PLAIN_NAME_PATTERN, Reference
from pipelex.tooling.fix._document import Op
from pipelex.tooling.fix._round import (
    Declared,
    Edit,
    Round,
    Table,
    inputs_of,
    parsed_slot,
    slot_of,
    snake_case,
    tables_in,
    words_of,
)
from pipelex.tooling.fix._templates import reading, text_keys

_UNTYPED_KEYS: Final = frozenset({"description", "definition", "required"})
_READ: Final = re.compile(r"(?<!\w)(?:[@$]\??|\{\{-?\s*)([a-z][a-z0-9_]*)")


def single_input(now: Round) -> Iterator[Edit]:
    """Rewrite `input = "Concept"`, or `inputs = "Concept"`, to a table."""
    for pipe in now.pipes:
        key = "inputs" if isinstance(pipe.table.get("inputs"), str) else "input"
        concept = pipe.table.get(key)
        if not isinstance(concept, str) or parsed_slot(concept) is None or {"input", "inputs"} <= pipe.table.keys():
            continue
        name = _name_of_input(now, pipe, concept)
        if PLAIN_NAME_PATTERN.fullmatch(name) is None:
            continue
        if pipe.type == "PipeBatch" and "[" not in concept:
            concept += "[]"
        what = f'write inputs = {{ {name} = "{concept}" }}'
        renamed = [pipe.rename("input", "inputs")] if key == "input" else []
        ops = (*renamed, pipe.set("inputs", {name: concept}))
        yield pipe.edit("inputs-table", what, *ops, at=(key,))


def _name_of_input(now: Round, pipe: Declared, concept: str) -> str:
    """The name of the value: the one that the templates read, or the concept's code in snake case."""
    slot = parsed_slot(concept)
    code = Reference.parse(slot.concept if slot is not None else concept).code
    plain = snake_case(code)
    if pipe.type == "PipeOcr":
        return "ocr_input"
    if isinstance(pipe.table.get("input_list_name"), str):
        return pipe.table["input_list_name"]
    read: dict[str, None] = {}
    for keys in text_keys(pipe.table, with_old=True):
        read.update(dict.fromkeys(_READ.findall(_value(pipe.table, keys))))
    if plain in read:
        return plain
    if len(read) == 1:
        return next(iter(read))
    for callee in _callees(pipe):
        for other in now.pipes:
            names = [name for name, entry in inputs_of(other.table).items() if slot_of(entry) == concept]
            if other.code == callee and len(names) == 1:
                return names[0]
    return plain


def _callees(pipe: Declared) -> Iterator[str]:
    for key in ("steps", "branches", "parallels"):
        for _, step in tables_in(pipe.table.get(key)):
            if isinstance(step.get("pipe"), str):
                yield step["pipe"].rpartition(".")[2]


def dotted_inputs(now: Round) -> Iterator[Edit]:
    """Rewrite `"page.page_view" = "Image"` to an input for the root, whose field is read."""
    for pipe in now.pipes:
        if pipe.type in ("PipeExtract", "PipeOcr", "PipeStructure"):
            continue  # they take the field itself: see `field_readers`
        inputs = inputs_of(pipe.table)
        ops: list[Op] = []
        unread: list[str] = []
        told: list[str] = []
        roots: dict[str, str] = {}
        for written, path, concept in dotted_names(inputs):
            root = path.partition(".")[0]
            if root not in inputs or root == written:
                found = roots.get(root) or concept_of_root(now, pipe, path)
                if found is None:
                    break
                if root not in roots:
                    ops += [pipe.delete(written, "inputs"), pipe.set(root, found, "inputs")]
                elif root != written:
                    ops.append(pipe.delete(written, "inputs"))
                roots[root] = found
            else:
                ops.append(pipe.delete(written, "inputs"))
            told.append(f"'{path}' as '{root}'")
            is_file = now.native_of(concept, pipe.domain) in ("Image", "Document")
            if pipe.type == "PipeLLM" and is_file and not _is_read(pipe, path):
                unread.append(path)
        else:
            if unread:
                ops += reading(pipe, unread)
            if ops:
                what = f"declare {', '.join(told)}, with its own concept"
                yield pipe.edit("root-input", what, *ops, at=("inputs",))


def dotted_names(inputs: Table) -> Iterator[tuple[str, str, str]]:
    """The written key, dotted path and slot of dotted input names, both quoted ones and bare ones that TOML nests."""
    for name, entry in inputs.items():
        if "." in name:
            slot = slot_of(entry)
            if slot is not None:
                yield name, name, slot
        elif isinstance(entry, dict) and "concept" not in entry:
            for path, slot in _leaves(name, cast("Table", entry)):
                yield name, path, slot


def _leaves(path: str, table: Table) -> Iterator[tuple[str, str]]:
    for name, entry in table.items():
        if isinstance(entry, str):
            yield f"{path}.{name}", entry
        elif isinstance(entry, dict):
            yield from _leaves(f"{path}.{name}", cast("Table", entry))


def _is_read(pipe: Declared, path: str) -> bool:
    pattern = re.compile(rf"(?<!\w){re.escape(path)}(?!\w)")
    return any(pattern.search(_value(pipe.table, keys)) for keys in text_keys(pipe.table, with_old=True))


def concept_of_root(now: Round, pipe: Declared, path: str) -> str | None:
    """The concept of a dotted name's root: the one that has the field, or that other pipes declare for the root."""
    root, _, rest = path.partition(".")
    field = rest.partition(".")[0]
    if field in ("page_view", "text_and_images"):
        return "Page"
    having = [
        concept.code
        for concept in now.concepts
        if concept.domain == pipe.domain and isinstance(concept.table.get("structure"), dict)
        if field in concept.table["structure"]
    ]
    named = {
        slot
        for other in now.pipes
        if other.domain == pipe.domain and (slot := slot_of(inputs_of(other.table).get(root))) is not None
    }
    if len(named) == 1:
        return next(iter(named))
    return having[0] if len(having) == 1 else None


def retired_natives(now: Round) -> Iterator[Edit]:
    """Replace retired native concepts."""
    for pipe in now.pipes:
        for name, entry in inputs_of(pipe.table).items():
            inner: tuple[str, ...] = ("inputs", name) if isinstance(entry, dict) else ("inputs",)
            yield from _retired(now, pipe, "concept" if isinstance(entry, dict) else name, slot_of(entry), *inner)
        yield from _retired(now, pipe, "output", pipe.table.get("output"))
        yield from _retired(now, pipe, "combined_output", pipe.table.get("combined_output"))
    for concept in now.concepts:
        yield from _retired(now, concept, "refines", concept.table.get("refines"))
        structure = concept.table.get("structure")
        for name, entry in cast("Table", structure).items() if isinstance(structure, dict) else ():
            for key in ("concept_ref", "item_concept_ref"):
                if isinstance(entry, dict):
                    yield from _retired(now, concept, key, cast("Table", entry).get(key), "structure", name)


def _retired(now: Round, owner: Declared, key: str, text: Any, *inner: str) -> Iterator[Edit]:
    slot = parsed_slot(text)
    if slot is None:
        return
    reference = Reference.parse(slot.concept)
    new = RETIRED_NATIVES.get(reference.code)
    if new is None or reference.domain not in (None, NATIVE_DOMAIN):
        return
    if reference.domain is None and now.is_concept_declared(reference.code, owner.domain):
        return
    better = text.replace(slot.concept, new, 1)
    what = f"write '{new}' for the retired '{reference.code}'"
    yield owner.edit("retired-native", what, owner.remap(key, {text: better}, *inner), at=(*inner, key))


def refined_lists(now: Round) -> Iterator[Edit]:
    """Reduce `refines = ["A", "B"]` to one concept."""
    for concept in now.concepts:
        parents = concept.table.get("refines")
        if isinstance(parents, list) and parents and all(isinstance(one, str) for one in cast("list[Any]", parents)):
            first, *others = cast("list[str]", parents)
            dropped = f", and drop {', '.join(others)}" if others else ""
            safety = "unsafe" if others else "safe"
            what = f'write refines = "{first}"{dropped}'
            yield concept.edit("single-refines", what, concept.set("refines", first), at=("refines",), safety=safety)


def descriptions(now: Round) -> Iterator[Edit]:
    """Add missing descriptions, made from the words of the code."""
    for owner in (*now.concepts, *now.pipes):
        if owner.kind == "concept" and not owner.table:
            continue
        has_one = {"description", "definition"} & owner.table.keys()
        typed = any(key.startswith("Pipe") for key in owner.table)
        if owner.kind == "concept" and "Concept" in owner.table and not has_one:
            what = "write the text of 'Concept' as 'description'"
            yield owner.edit("rename-key", what, owner.rename("Concept", "description"), at=("Concept",))
            continue
        if not has_one and not typed:
            text = words_of(owner.code)
            what = f'add description = "{text}", from the code'
            yield owner.edit("add-description", what, owner.set("description", text))
        structure = owner.table.get("structure")
        for name, entry in cast("Table", structure).items() if isinstance(structure, dict) else ():
            if not isinstance(entry, dict) or "description" in entry:
                continue
            at = ("structure", name)
            if "definition" in entry:
                renamed = owner.rename("definition", "description", *at)
                yield owner.edit("rename-key", "rename 'definition' to 'description'", renamed, at=(*at, "definition"))
            elif {"type", "choices"} & cast("Table", entry).keys():
                text = words_of(name)
                what = f'add description = "{text}", from the name'
                yield owner.edit("add-description", what, owner.set("description", text, *at), at=at)


def typed_fields(now: Round) -> Iterator[Edit]:
    """Add the type `text` to fields without a type."""
    for concept in now.concepts:
        structure = concept.table.get("structure")
        for name, entry in cast("Table", structure).items() if isinstance(structure, dict) else ():
            if isinstance(entry, dict) and cast("Table", entry).keys() <= _UNTYPED_KEYS:
                at = ("structure", name)
                what = 'add type = "text", what a field without a type was'
                yield concept.edit("field-type", what, concept.set("type", "text", *at), at=at)


def default_and_required(now: Round) -> Iterator[Edit]:
    """Remove `required` from fields with a default, which were never required in effect."""
    for fault in now.faults:
        concept = now.concept_at(fault)
        if concept is None or fault.params.get("finding") != "default_required":
            continue
        for name, entry in concept.table["structure"].items():
            if isinstance(entry, dict) and "default_value" in entry and cast("Table", entry).get("required") is True:
                at = ("structure", name)
                what = "remove 'required': a field with a default is never required"
                yield concept.edit("drop-required", what, concept.delete("required", *at), at=at)


def _value(table: Table, keys: tuple[str | int, ...]) -> str:
    current: Any = table
    for key in keys:
        current = current[key]
    return current if isinstance(current, str) else ""


RULES = (
    single_input,
    dotted_inputs,
    retired_natives,
    refined_lists,
    descriptions,
    typed_fields,
    default_and_required,
)
