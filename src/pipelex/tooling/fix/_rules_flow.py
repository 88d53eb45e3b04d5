"""Rewrites of what pipes pass to each other: outputs of parallels, lists in single slots, and wrong outputs.

Older releases checked little of this, so the declarations in published files often do not match the values that pipes
really pass. These rewrites change declarations, never what runs. Source: sections 7 and 13 of the language reference.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from pipelex.errors import Fault, Json, near_names
from pipelex.language.blueprints import CONTROLLERS
from pipelex.library import Pipe, dotted
from pipelex.tooling.fix._document import Op
from pipelex.tooling.fix._round import Declared, Edit, Round, Table, inputs_of, parsed_slot, slot_of, tables_in
from pipelex.tooling.fix._templates import unused_inputs, value_at

_STEP: Final = re.compile(r"steps\[(\d+)\]\.pipe")


def composite_outputs(now: Round) -> Iterator[Edit]:
    """Declare the output of a PipeParallel as a `Composite` of its branches, unless a structure really fits them."""
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        if pipe is None or pipe.type != "PipeParallel" or pipe.table.get("output") == "Composite":
            continue
        field = fault.location.field or ""
        is_native = fault.params.get("finding") == "parallel_output"
        is_unfit = fault.code == "method.output_concept_mismatch" and field.startswith("branches")
        is_missing = fault.params.get("finding") == "missing_key" and field == "output"
        is_entry = now.is_entry(pipe)
        if is_native or is_missing or (is_unfit and not is_entry):
            what = 'write output = "Composite", which has the branches by name'
            safety = "unsafe" if is_unfit or (is_entry and not is_missing) else "safe"
            yield pipe.edit("composite-output", what, pipe.set("output", "Composite"), at=("output",), safety=safety)


def shadowed_branches(now: Round) -> Iterator[Edit]:
    """Remove the result name of a step that keeps a parallel's `Composite` by a branch's name, and hides the branch."""
    for fault in now.faults:
        caller = now.pipe_at(fault)
        is_composite = fault.params.get("declared") == "native.Composite"
        if fault.code != "method.input_concept_mismatch" or caller is None or not is_composite:
            continue
        name = str(fault.params.get("input"))
        for index, step in tables_in(caller.table.get("steps")):
            parallel = _parallel_behind(now, _called_at(now, caller, f"steps[{index}].pipe"))
            if parallel is None or step.get("result") != name or name not in _branch_names(parallel):
                continue
            what = f"keep the branch '{name}' of '{parallel.code}' under its name, and the whole under none"
            at = ("steps", index)
            ops = (caller.delete("result", *at),)
            if parallel.table.get("add_each_output") is True:
                yield caller.edit("composite-output", what, *ops, at=at)
            elif parallel.file == caller.file:
                ops = (*ops, parallel.set("add_each_output", True))
                yield caller.edit("composite-output", what, *ops, at=at)


def _parallel_behind(now: Round, ref: str | None) -> Declared | None:
    """The PipeParallel of a reference; for a sequence, its last pipe."""
    table = now.table_of(ref) if ref is not None else None
    for _ in now.pipes:
        if table is None or table.type != "PipeSequence":
            break
        steps = tables_in(table.table.get("steps"))
        if not steps:
            break
        ref = _called_at(now, table, f"steps[{steps[-1][0]}].pipe")
        table = now.table_of(ref) if ref is not None else None
    return table


def _branch_names(parallel: Declared) -> list[str]:
    return [str(branch.get("result")) for _, branch in tables_in(parallel.table.get("branches"))]


def list_inputs(now: Round) -> Iterator[Edit]:
    """Declare an input as a list if callers always pass a list."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for fault in now.faults:
        caller = now.pipe_at(fault)
        if fault.code != "method.wiring_invalid" or caller is None:
            continue
        given, _, wanted = str(fault.params.get("finding")).partition(" where ")
        if wanted and "[" in given and "[" not in wanted:
            ref = _called_at(now, caller, fault.location.field or "")
            if ref is not None:
                place = (caller.ref, fault.location.field or "")
                found.setdefault((ref, str(fault.params.get("variable_path"))), []).append(place)
        elif fault.params.get("finding") == "it is not a list":
            yield from _as_list(caller, str(fault.params.get("variable_path")))
    for (ref, name), places in found.items():
        callee = now.table_of(ref)
        if callee is None or (callee.model is not None and callee.model.has_fixed_input):
            continue
        if set(_sites(now, ref, name)) <= set(places):
            yield from _as_list(callee, name)
        elif callee.type not in CONTROLLERS:
            yield from _twin(now, callee, name, places)


def _as_list(pipe: Declared, name: str) -> Iterator[Edit]:
    entry = inputs_of(pipe.table).get(name)
    slot = parsed_slot(entry)
    if slot is None or slot.is_list:
        return
    text = slot_of(entry) or ""
    inner: tuple[str, ...] = ("inputs",) if isinstance(entry, str) else ("inputs", name)
    op = pipe.remap(name if isinstance(entry, str) else "concept", {text: f"{slot.concept}[]"}, *inner)
    what = f'declare {name} = "{slot.concept}[]": it is handed a list'
    yield pipe.edit("list-input", what, op, at=("inputs", name), safety="unsafe")


def _twin(now: Round, pipe: Declared, name: str, places: Sequence[tuple[str, str]]) -> Iterator[Edit]:
    """Add a copy of a pipe that takes a list, for the callers that pass one while others pass a single value."""
    entry = inputs_of(pipe.table).get(name)
    slot, code = parsed_slot(entry), f"{pipe.code}_on_list"
    callers = [now.table_of(ref) for ref, _ in places]
    taken = {other.code for other in now.pipes if other.domain == pipe.domain}
    if slot is None or code in taken or any(caller is None or caller.file != pipe.file for caller in callers):
        return
    text = f"{slot.concept}[]"
    listed: Json = {**cast("Table", entry), "concept": text} if isinstance(entry, dict) else text
    table: dict[str, Any] = {**pipe.table, "inputs": {**inputs_of(pipe.table), name: listed}}
    ops: list[Op] = [{"op": "ensure_table", "table": ["pipe", code]}]
    ops += [{"op": "set_key", "table": ["pipe", code], "key": key, "value": value} for key, value in table.items()]
    for caller, (_, field) in zip(callers, places, strict=True):
        assert caller is not None
        *inner, key = (int(part) if part.isdigit() else part for part in re.findall(r"\w+", field))
        reference = value_at(caller.table, (*inner, key))
        if not isinstance(reference, str):
            return
        ops.append(caller.remap(str(key), {reference: reference.removesuffix(pipe.code) + code}, *inner))
    what = f"call '{code}', a copy that takes {name} = \"{text}\", where a list is handed over"
    yield pipe.edit("list-twin", what, *ops, at=("inputs", name), safety="unsafe")


def _called_at(now: Round, caller: Declared, field: str) -> str | None:
    pipe = now.linked_pipe(caller)
    return None if pipe is None else dict(_calls(pipe)).get(field)


def _sites(now: Round, ref: str, name: str) -> Iterator[tuple[str, str]]:
    """Every place that runs a pipe and passes it a value by a name."""
    for caller in now.library.pipes.values():
        yield from ((caller.ref, field) for field, called in _calls(caller) if called == ref)


def _calls(pipe: Pipe) -> Iterator[tuple[str, str]]:
    """Field and qualified reference of every pipe that a controller names."""
    return ((dotted(called.keys), called.ref) for called in pipe.blueprint.called_pipes())


def batch_lists(now: Round) -> Iterator[Edit]:
    """Declare the input and the output of a PipeBatch as lists."""
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        is_single = fault.code == "method.output_multiplicity_mismatch" and fault.location.field == "output"
        if pipe is None or pipe.type != "PipeBatch":
            continue
        output = parsed_slot(pipe.table.get("output"))
        if is_single and output is not None and not output.is_list:
            what = f'write output = "{output.concept}[]": a batch gives a list'
            yield pipe.edit("list-output", what, pipe.set("output", f"{output.concept}[]"), at=("output",))
        elif fault.params.get("finding") == "batch_list":
            yield from _as_list(pipe, str(pipe.table.get("input_list_name")))


def forgotten_batches(now: Round) -> Iterator[Edit]:
    """Batch a step over an unread list of the sequence, if the step's pipe takes a single item of it."""
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        step = _STEP.fullmatch(fault.location.field or "")
        names: Any = fault.params.get("variables")
        if fault.code != "method.input_undeclared" or pipe is None or step is None or not names:
            continue
        at = ("steps", int(step[1]))
        table = value_at(pipe.table, at)
        lists = [name for name in _idle_alike(now, pipe, fault, str(names[0])) if _is_list_input(pipe, name)]
        if len(lists) == 1 and isinstance(table, dict) and not {"batch_over", "batch_as"} & cast("Table", table).keys():
            ops = (pipe.set("batch_over", lists[0], *at), pipe.set("batch_as", str(names[0]), *at))
            what = f"run the step over '{lists[0]}', with each item as '{names[0]}'"
            yield pipe.edit("batch-over", what, *ops, at=at, safety="unsafe")


def _is_list_input(pipe: Declared, name: str) -> bool:
    slot = parsed_slot(inputs_of(pipe.table).get(name))
    return slot is not None and slot.is_list


def _idle_alike(now: Round, pipe: Declared, fault: Fault, name: str) -> list[str]:
    """Unread inputs of a controller whose concept a pipe that it runs takes by another name."""
    ref = _called_at(now, pipe, fault.location.field or "")
    callee = now.library.pipes.get(ref) if ref is not None else None
    wanted = callee.inputs.get(name) if callee is not None else None
    linked = now.linked_pipe(pipe)
    if wanted is None or linked is None:
        return []
    idle = [one for one in unused_inputs(now, pipe) if one in linked.inputs]
    return [one for one in idle if now.library.is_compatible(linked.inputs[one].concept, wanted.concept)]


def given_outputs(now: Round) -> Iterator[Edit]:
    """Declare the output of a controller as that of its last or chosen pipe."""
    codes = ("method.output_concept_mismatch", "method.output_multiplicity_mismatch")
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        linked = None if pipe is None else now.linked_pipe(pipe)
        if pipe is None or linked is None or pipe.type not in CONTROLLERS or fault.code not in codes:
            continue
        given = linked.blueprint.given(lambda ref: found.output if (found := now.library.pipes.get(ref)) else None)
        if given is None:
            continue
        if linked.output.presence == "optional" and not given.is_list:
            given = replace(given, presence="optional")
        text = now.slot_text(given, pipe.domain)
        if text != pipe.table.get("output"):
            what = f'write output = "{text}", which is what it gives'
            yield pipe.edit("given-output", what, pipe.set("output", text), at=("output",), safety="unsafe")


def optional_outputs(now: Round) -> Iterator[Edit]:
    """Declare the output of a controller as optional if it may be absent."""
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        is_output = fault.params.get("site") in ("condition_output", "condition", "sequence_step")
        if pipe is None or pipe.type not in CONTROLLERS or fault.code != "method.optional_unhandled" or not is_output:
            continue
        slot = parsed_slot(pipe.table.get("output"))
        if fault.category in ("optional_output_required", "optional_not_handled") and slot is not None:
            if slot.is_list or slot.presence == "optional":
                continue
            what = f'write output = "{slot.concept}?": it may give nothing'
            op = pipe.set("output", f"{slot.concept}?")
            yield pipe.edit("optional-output", what, op, at=("output",), safety="unsafe")


def declared_for_callees(now: Round) -> Iterator[Edit]:
    """Declare an input of a controller that a pipe needs and no earlier step returns."""
    for fault in now.faults:
        pipe = now.pipe_at(fault)
        names: Any = fault.params.get("variables")
        if fault.code != "method.input_undeclared" or pipe is None or pipe.type not in CONTROLLERS or not names:
            continue
        name = str(names[0])
        slot = _needed(now, pipe, fault, name)
        if slot is None or near_names(name, _memory(pipe)) or _idle_alike(now, pipe, fault, name):
            continue
        op = pipe.set(name, slot, "inputs") if "inputs" in pipe.table else pipe.set("inputs", {name: slot})
        what = f'declare the input {name} = "{slot}", which a pipe it runs needs'
        yield pipe.edit("declare-input", what, op, safety="unsafe")


def _needed(now: Round, pipe: Declared, fault: Fault, name: str) -> str | None:
    ref = _called_at(now, pipe, fault.location.field or "")
    callee = now.library.pipes.get(ref) if ref is not None else None
    slot = callee.inputs.get(name) if callee is not None else None
    return None if slot is None else now.slot_text(slot, pipe.domain)


def _memory(pipe: Declared) -> list[str]:
    """The names in a controller's memory."""
    steps = [*(pipe.table.get("steps") or ()), *(pipe.table.get("branches") or ())]
    return [*inputs_of(pipe.table), *(str(step["result"]) for step in steps if "result" in step)]
