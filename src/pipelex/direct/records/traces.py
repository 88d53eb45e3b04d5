"""Converts the trace of a run to JSON and back."""

from collections.abc import Callable, Mapping
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


def trace_from_json(written: Mapping[str, Any]) -> PipeTrace:
    """The tree of a run.

    Args:
        written: the values by their keys, and the root with its effects and children inside.

    Raises:
        ValueError, KeyError, TypeError: the JSON is not a trace.
    """
    values = {key: Stuff.from_json(stuff) for key, stuff in written["values"].items()}
    return _read_pipe(written["root"], values)


def value_to_json(stuff: Stuff) -> dict[str, Json]:
    """A value of a trace as JSON."""
    return {**stuff.to_json(), "is_list": stuff.is_list}


def pipe_asked(trace: PipeTrace, key_of: Callable[[Stuff], str]) -> dict[str, Json]:
    """The facts about a pipe run that are known from its start and do not change.

    Args:
        trace: the pipe run, whose effects and children are left out.
        key_of: returns the key that stands for a value.
    """
    members: dict[str, Json] = {"id": trace.id, "pipe": trace.pipe, "type": trace.type}
    if trace.inputs:
        members["inputs"] = {name: key_of(stuff) for name, stuff in trace.inputs.items()}
    return members


def pipe_ended(trace: PipeTrace, key_of: Callable[[Stuff], str]) -> dict[str, Json]:
    """The facts about a pipe run that change until its end; see `pipe_asked`."""
    members = _life(trace)
    if isinstance(trace.output, Stuff):
        members["output"] = key_of(trace.output)
    elif trace.output is not None:
        members["absence"] = trace.output.to_json()
    return members


def effect_asked(effect: EffectTrace) -> dict[str, Json]:
    """The facts about an effect that are known from its start and do not change."""
    return {"name": effect.name, "summary": effect.summary, **_wire("job", effect.job)}


def effect_ended(effect: EffectTrace) -> dict[str, Json]:
    """The facts about an effect that change until its end."""
    members: dict[str, Json] = {"attempts": effect.attempts, **_life(effect), **_wire("result", effect.result)}
    if effect.usage:
        members["usage"] = usages_to_json(effect.usage)
    if effect.kept_from is not None:
        members["kept_from"] = effect.kept_from
    return members


def _wire(name: str, wire: Wire | None) -> dict[str, Json]:
    return {} if wire is None else {name: wire.model_dump(mode="json", exclude_unset=True)}


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
