"""Rewrites that need more than a key: searches with a structure of the author's own, structures kept in Python."""

from collections.abc import Iterator

from pipelex.errors import Json
from pipelex.tooling.fix._round import Declared, Edit, Round, Table, inputs_of, parsed_slot


def structured_searches(now: Round) -> Iterator[Edit]:
    """A PipeSearch gives a SearchResult; what its author wanted of it is made by a second step."""
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        codes = ("method.output_concept_mismatch", "method.output_multiplicity_mismatch")
        if pipe is None or pipe.type != "PipeSearch" or fault.code not in codes or fault.location.field != "output":
            continue
        slot = parsed_slot(pipe.table.get("output"))
        search, answer = f"{pipe.code}_search", f"{pipe.code}_answer"
        taken = {other.code for other in now.pipes if other.domain == pipe.domain}
        if slot is None or slot.concept == "SearchResult" or {search, answer} & taken:
            continue
        yield pipe.edit(
            "search-then-structure",
            f"search in '{search}', and make the {slot} of what it finds in '{answer}'",
            *_split(now, pipe, search, answer),
            at=("output",),
            safety="unsafe",
        )


def _split(now: Round, pipe: Declared, search: str, answer: str) -> list[Json]:
    output = pipe.table["output"]
    is_text = now.native_of(output, pipe.domain) in ("Text", "Markdown") and "[" not in output
    description = pipe.table.get("description", "")
    result = "search_result" if "search_result" not in inputs_of(pipe.table) else f"{search}_result"
    wanted = (
        {"type": "PipeCompose", "template": f"${result}.answer"}
        if is_text
        else {"type": "PipeLLM", "prompt": f"Extract what is asked for from this search result.\n\n@{result}\n"}
    )
    answering: dict[str, Json] = {
        "type": wanted.pop("type"),
        "description": f"{description} (from the search result)".strip(),
        "inputs": {result: "SearchResult"},
        "output": output,
        **wanted,
    }
    steps = [{"pipe": search, "result": result}, {"pipe": answer, "result": answer}]
    sequence: dict[str, Json] = {"type": "PipeSequence", "description": description, "output": output, "steps": steps}
    if inputs_of(pipe.table):
        sequence = {**sequence, "inputs": inputs_of(pipe.table)}
    ops: list[Json] = [
        {"op": "rename_table_key", "table": ["pipe"], "key": pipe.code, "new_key": search},
        {"op": "set_key", "table": ["pipe", search], "key": "output", "value": "SearchResult"},
    ]
    for code, table in ((answer, answering), (pipe.code, sequence)):
        ops.append({"op": "ensure_table", "table": ["pipe", code]})
        ops += [{"op": "set_key", "table": ["pipe", code], "key": key, "value": value} for key, value in table.items()]
    return ops


def python_structures(now: Round) -> Iterator[Edit]:
    """`structure = "PyClass"`: the fields of that class, where its source is at hand."""
    for concept in now.concepts:
        name = concept.table.get("structure")
        fields = _named(now, concept, name) if isinstance(name, str) else None
        if not isinstance(name, str) or not fields:
            continue
        base: list[str | int] = [*concept.base, "structure"]
        ops: list[Json] = [concept.delete("structure"), {"op": "ensure_table", "table": base}]
        ops += [{"op": "set_key", "table": base, "key": key, "value": value} for key, value in fields.items()]
        what = f"write the fields of the class '{name}' as a structure table"
        yield concept.edit("structure-table", what, *ops, at=("structure",), safety="unsafe")


def _named(now: Round, concept: Declared, class_name: str) -> dict[str, Table] | None:
    """The fields of a class with concepts in place of other classes; None when a class is no concept here."""
    fields: dict[str, Table] = {}
    for name, entry in now.classes.get(class_name, {}).items():
        fields[name] = dict(entry)
        for key in ("concept_ref", "item_concept_ref"):
            if key in entry:
                code = _concept_of_class(now, concept, entry[key])
                if code is None:
                    return None
                fields[name][key] = code
    return fields or None


def _concept_of_class(now: Round, concept: Declared, class_name: str) -> str | None:
    own = [one for one in now.concepts if one.domain == concept.domain]
    named = [one.code for one in own if one.table.get("structure") == class_name]
    named += [one.code for one in own if one.code == class_name]
    return named[0] if named else None
