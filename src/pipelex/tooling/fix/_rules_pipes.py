"""Rewrites that change more than a key: one pipe into two, and references to Python code."""

from collections.abc import Iterator

from pipelex.errors import Json
from pipelex.language import NATIVE_CODES, NATIVE_DOMAIN
from pipelex.language.references import CONCEPT_CODE_PATTERN
from pipelex.tooling.fix._document import Op
from pipelex.tooling.fix._round import Declared, Edit, Round, Table, inputs_of, parsed_slot, words_of
from pipelex.tooling.fix._rules_inputs import concept_of_root, dotted_names


def structured_searches(now: Round) -> Iterator[Edit]:
    """Split a PipeSearch with a structured output: a search with a SearchResult, and a step that structures it."""
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


def _split(now: Round, pipe: Declared, search: str, answer: str) -> list[Op]:
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
    ops: list[Op] = [
        {"op": "rename_table_key", "table": ["pipe"], "key": pipe.code, "new_key": search},
        {"op": "set_key", "table": ["pipe", search], "key": "output", "value": "SearchResult"},
    ]
    for code, table in ((answer, answering), (pipe.code, sequence)):
        ops.append({"op": "ensure_table", "table": ["pipe", code]})
        ops += [{"op": "set_key", "table": ["pipe", code], "key": key, "value": value} for key, value in table.items()]
    return ops


def field_readers(now: Round) -> Iterator[Edit]:
    """Wrap an extraction or structuring of `"mail.attachment"` in a sequence that binds the field."""
    for pipe in now.pipes:
        dotted = list(dotted_names(inputs_of(pipe.table)))
        if pipe.type not in ("PipeExtract", "PipeOcr", "PipeStructure") or len(dotted) != 1:
            continue
        ((written, path, slot),) = dotted
        root, leaf = path.partition(".")[0], path.rpartition(".")[2]
        concept, inner = concept_of_root(now, pipe, path), f"{pipe.code}_{leaf}"
        taken = {other.code for other in now.pipes if other.domain == pipe.domain}
        if concept is None or inner in taken or len(inputs_of(pipe.table)) != 1 or root == leaf:
            continue
        output = pipe.table.get("output", "Page[]")
        is_page = pipe.type != "PipeStructure" and output in ("Page", f"{NATIVE_DOMAIN}.Page")
        sequence: dict[str, Json] = {
            "type": "PipeSequence",
            "description": pipe.table.get("description", pipe.table.get("definition", words_of(pipe.code))),
            "inputs": {root: concept},
            "output": f"{output}[]" if is_page else output,
            "steps": [{"from": path, "result": leaf}, {"pipe": inner, "result": f"{inner}_output"}],
        }
        ops: list[Op] = [
            {"op": "rename_table_key", "table": ["pipe"], "key": pipe.code, "new_key": inner},
            {"op": "delete_key", "table": ["pipe", inner, "inputs"], "key": written},
            {"op": "set_key", "table": ["pipe", inner, "inputs"], "key": leaf, "value": slot},
            {"op": "ensure_table", "table": ["pipe", pipe.code]},
            *({"op": "set_key", "table": ["pipe", pipe.code], "key": key, "value": sequence[key]} for key in sequence),
        ]
        what = f"take '{root}' in a sequence that binds '{path}' for '{inner}'"
        yield pipe.edit("bind-field", what, *ops, at=("inputs",))


def function_paths(now: Round) -> Iterator[Edit]:
    """Replace `function_name = "total"` by the import path of the only function of that name."""
    for pipe in now.pipes:
        name = pipe.table.get("function_name")
        paths = now.functions.get(name, ()) if isinstance(name, str) and "." not in name else ()
        if pipe.type == "PipeFunc" and len(paths) == 1:
            (path,) = paths
            what = f'write function_name = "{path}"'
            yield pipe.edit("function-path", what, pipe.set("function_name", path), at=("function_name",))


def python_structures(now: Round) -> Iterator[Edit]:
    """Replace `structure = "PyClass"` by the fields of that class, if its source is available."""
    for concept in now.concepts:
        name = concept.table.get("structure")
        made: dict[str, dict[str, Table]] = {}
        fields = _named(now, concept, name, made) if isinstance(name, str) else None
        if not isinstance(name, str) or not fields:
            continue
        ops: list[Op] = [concept.delete("structure"), *_structure(concept.code, fields)]
        for code, inner in made.items():
            ops.append({"op": "ensure_table", "table": ["concept", code]})
            ops.append({"op": "set_key", "table": ["concept", code], "key": "description", "value": words_of(code)})
            ops += _structure(code, inner)
        what = f"write the fields of the class '{name}' as a structure table"
        if made:
            what += f", and declare {', '.join(made)} in the same way"
        yield concept.edit("structure-table", what, *ops, at=("structure",), safety="unsafe")


def _structure(code: str, fields: dict[str, Table]) -> list[Op]:
    base = ["concept", code, "structure"]
    written = [{"op": "set_key", "table": base, "key": key, "value": value} for key, value in fields.items()]
    return [{"op": "ensure_table", "table": base}, *written]


def _named(
    now: Round, concept: Declared, class_name: str, made: dict[str, dict[str, Table]]
) -> dict[str, Table] | None:
    """The fields of a class, with concepts instead of other classes; None if a class cannot become a concept.

    The concepts that those classes become are added to `made`.
    """
    fields: dict[str, Table] = {}
    for name, entry in now.classes.get(class_name, {}).items():
        fields[name] = dict(entry)
        for key in ("concept_ref", "item_concept_ref"):
            if key in entry:
                code = _concept_of_class(now, concept, entry[key], made)
                if code is None:
                    return None
                fields[name][key] = code
    return fields or None


def _concept_of_class(now: Round, concept: Declared, class_name: str, made: dict[str, dict[str, Table]]) -> str | None:
    own = [one for one in now.concepts if one.domain == concept.domain]
    named = [one.code for one in own if one.table.get("structure") == class_name]
    named += [one.code for one in own if one.code == class_name]
    if named:
        return named[0]
    if class_name in NATIVE_CODES:
        return class_name if class_name not in now.classes else None
    if class_name in made or CONCEPT_CODE_PATTERN.fullmatch(class_name) is None:
        return class_name if class_name in made else None
    made[class_name] = {}
    fields = _named(now, concept, class_name, made)
    if fields is None:
        return None
    made[class_name] = fields
    return class_name
