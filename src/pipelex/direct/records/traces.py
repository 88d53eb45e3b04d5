"""A run's tree as JSON, each value once, and back."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pipelex.content.stuff import Absence, Stuff
from pipelex.errors import ErrorReport, Json
from pipelex.pipes.effects.kind import EffectKind
from pipelex.pipes.effects.kinds import EFFECTS
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState
from pipelex.pipes.usage import usages_from_json, usages_to_json
from pipelex.pipes.wire import Wire

KINDS: Final[Mapping[str, EffectKind[Any, Any]]] = {kind.activity: kind for kind in EFFECTS}


def trace_to_json(root: PipeTrace) -> dict[str, Json]:
    """A tree as data."""
    values = _Written()
    tree = _pipe(root, values)
    return {"values": values.table, "root": tree}


def trace_from_json(written: Mapping[str, Any]) -> PipeTrace:
    """The inverse of `trace_to_json`.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    values = {key: Stuff.from_json(stuff) for key, stuff in written["values"].items()}
    return _read_pipe(written["root"], values)


class _Written:
    """The values of a tree by their digests."""

    def __init__(self) -> None:
        self.table: dict[str, Json] = {}
        self._known: dict[int, tuple[Stuff, str]] = {}

    def add(self, stuff: Stuff) -> str:
        # The value is kept beside its key, so that its identity stays its own.
        if id(stuff) not in self._known:
            wire: dict[str, Json] = {**stuff.to_json(), "is_list": stuff.is_list}
            key = hashlib.sha256(json.dumps(wire, sort_keys=True, default=str).encode()).hexdigest()[:24]
            self.table[key] = wire
            self._known[id(stuff)] = (stuff, key)
        return self._known[id(stuff)][1]


def _pipe(trace: PipeTrace, values: _Written) -> dict[str, Json]:
    members: dict[str, Json] = {"id": trace.id, "pipe": trace.pipe, "type": trace.type, **_life(trace)}
    if trace.inputs:
        members["inputs"] = {name: values.add(stuff) for name, stuff in trace.inputs.items()}
    if isinstance(trace.output, Stuff):
        members["output"] = values.add(trace.output)
    elif trace.output is not None:
        members["absence"] = trace.output.to_json()
    if trace.effects:
        members["effects"] = [_effect(effect) for effect in trace.effects]
    if trace.children:
        members["children"] = [_pipe(child, values) for child in trace.children]
    return members


def _effect(effect: EffectTrace) -> dict[str, Json]:
    members: dict[str, Json] = {
        "name": effect.name,
        "summary": effect.summary,
        "attempts": effect.attempts,
        **_life(effect),
    }
    if effect.usage:
        members["usage"] = usages_to_json(effect.usage)
    if effect.kept_from is not None:
        members["kept_from"] = effect.kept_from
    for name, wire in (("job", effect.job), ("result", effect.result)):
        if wire is not None:
            members[name] = wire.model_dump(mode="json", exclude_unset=True)
    return members


def _life(trace: PipeTrace | EffectTrace) -> dict[str, Json]:
    members: dict[str, Json] = {"status": trace.status.value}
    for name, moment in (("started", trace.started), ("ended", trace.ended)):
        if moment is not None:
            members[name] = moment.isoformat()
    if trace.error is not None:
        members["error"] = trace.error.to_json()
    return members


def _read_pipe(written: Mapping[str, Any], values: Mapping[str, Stuff]) -> PipeTrace:
    trace = PipeTrace(written["id"], written["pipe"], written["type"])
    _live(trace, written)
    trace.inputs = {name: values[key] for name, key in written.get("inputs", {}).items()}
    if "output" in written:
        trace.output = values[written["output"]]
    elif "absence" in written:
        trace.output = Absence.from_json(written["absence"])
    trace.effects = [_read_effect(effect) for effect in written.get("effects", ())]
    trace.children = [_read_pipe(child, values) for child in written.get("children", ())]
    return trace


def _read_effect(written: Mapping[str, Any]) -> EffectTrace:
    effect = EffectTrace(written["name"], written["summary"], attempts=written["attempts"])
    _live(effect, written)
    effect.usage = usages_from_json(written.get("usage"))
    effect.kept_from = written.get("kept_from")
    kind = KINDS.get(effect.name)
    if kind is not None:
        effect.job = _read_wire(kind.job, written.get("job"))
        effect.result = _read_wire(kind.result, written.get("result"))
    return effect


def _read_wire(kind: type[Wire], written: Any) -> Wire | None:
    return None if written is None else kind.model_validate(written)


def _live(trace: PipeTrace | EffectTrace, written: Mapping[str, Any]) -> None:
    trace.status = RunState(written["status"])
    started, ended, error = written.get("started"), written.get("ended"), written.get("error")
    trace.started = None if started is None else datetime.fromisoformat(started)
    trace.ended = None if ended is None else datetime.fromisoformat(ended)
    trace.error = None if error is None else ErrorReport.from_json(error)
