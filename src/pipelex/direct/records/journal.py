"""The journal of a running run: its events, line by line, so that a killed process loses none of its results.

A line is a list of entries, each for one value, pipe run or effect. A later entry for the same thing holds only the
changes. An incomplete line is ignored.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from pipelex.content.stuff import Stuff
from pipelex.direct.records.traces import (
    effect_asked,
    effect_ended,
    pipe_asked,
    pipe_ended,
    trace_from_json,
    value_to_json,
)
from pipelex.errors import Json
from pipelex.pipes.trace import EffectTrace, PipeTrace

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)


class Journal:
    """The lines of one run that are still to be written.

    Args:
        changed: called when there is something to write, with whether it is an answer.
    """

    def __init__(self, changed: Callable[[bool], None]) -> None:
        self._changed = changed
        self._waiting: dict[int, tuple[PipeTrace, EffectTrace | None]] = {}
        """The objects that changed since the last line, by identity, which is stable as the run's tree holds them."""
        self._numbers: dict[int, int] = {}
        """Identity of a pipe → its number in the run; identity of an effect → its number in its pipe."""
        self._begun = 0
        self._above: dict[int, int | None] = {}
        self._told: set[int] = set()
        self._values: dict[int, tuple[Stuff, str]] = {}
        self._entries: list[Json] = []

    # --- what happens -------------------------------------------------------------------------------------------------

    def begin(self, pipe: PipeTrace, above: PipeTrace | None) -> None:
        """Note that a pipe begins to run, below another one if `above` is given."""
        self._numbers[id(pipe)] = self._begun
        self._begun += 1
        self._above[id(pipe)] = None if above is None else self._numbers[id(above)]
        self._note(pipe, None)

    def end(self, pipe: PipeTrace) -> None:
        """Note that a pipe ended, successfully or not."""
        self._note(pipe, None)

    def ask(self, pipe: PipeTrace, effect: EffectTrace) -> None:
        """Note that a pipe asks for an effect, which is the last one in its trace."""
        self._numbers[id(effect)] = len(pipe.effects) - 1
        self._note(pipe, effect)

    def answer(self, pipe: PipeTrace, effect: EffectTrace) -> None:
        """Note that an effect ended, successfully or not."""
        self._note(pipe, effect, is_answer=True)

    def _note(self, pipe: PipeTrace, effect: EffectTrace | None, *, is_answer: bool = False) -> None:
        self._waiting[id(effect or pipe)] = (pipe, effect)
        self._changed(is_answer)

    # --- its lines ----------------------------------------------------------------------------------------------------

    def take(self) -> bytes:
        """A line with the changes since the last call; empty if there are none."""
        for pipe, effect in self._waiting.values():
            self._entries.append(self._pipe(pipe) if effect is None else self._effect(pipe, effect))
        self._waiting.clear()
        entries, self._entries = self._entries, []
        return f"{_ENCODER.encode(entries)}\n".encode(errors="replace") if entries else b""

    def _pipe(self, pipe: PipeTrace) -> dict[str, Json]:
        ended = pipe_ended(pipe, self._key)
        entry: dict[str, Json] = {"pipe": self._numbers[id(pipe)]}
        if self._is_new(pipe):
            entry["above"] = self._above[id(pipe)]
            ended = {**pipe_asked(pipe, self._key), **ended}
        return {**entry, "is": ended}

    def _effect(self, pipe: PipeTrace, effect: EffectTrace) -> dict[str, Json]:
        asked = effect_asked(effect) if self._is_new(effect) else {}
        numbers = {"effect": self._numbers[id(effect)], "of": self._numbers[id(pipe)]}
        return {**numbers, "is": {**asked, **effect_ended(effect)}}

    def _is_new(self, trace: PipeTrace | EffectTrace) -> bool:
        is_new = id(trace) not in self._told
        self._told.add(id(trace))
        return is_new

    def _key(self, stuff: Stuff) -> str:
        # The value is kept beside its key, so that no other object gets the same `id`.
        if id(stuff) not in self._values:
            key = str(len(self._values))
            self._values[id(stuff)] = (stuff, key)
            self._entries.append({"value": key, "is": value_to_json(stuff)})
        return self._values[id(stuff)][1]


def lines_of(journal: bytes) -> Iterator[list[dict[str, Any]]]:
    """The complete lines of a journal."""
    for line in journal.split(b"\n")[:-1]:
        try:
            yield json.loads(line)
        except ValueError:
            return


def trace_from_lines(lines: Iterable[Iterable[Mapping[str, Any]]]) -> PipeTrace:
    """The trace of a run, as far as the lines of its journal describe it.

    Raises:
        ValueError, KeyError, TypeError: the lines do not describe a trace.
    """
    values: dict[str, Any] = {}
    pipes: dict[int, dict[str, Any]] = {}
    for entry in chain.from_iterable(lines):
        told: dict[str, Any] = entry["is"]
        if "value" in entry:
            values[entry["value"]] = told
        elif "effect" in entry:
            pipes[entry["of"]]["effects"].setdefault(entry["effect"], {}).update(told)
        elif entry["pipe"] in pipes:
            pipes[entry["pipe"]].update(told)
        else:
            pipe: dict[str, Any] = {"effects": {}, "children": [], **told}
            pipes[entry["pipe"]] = pipe
            if entry["above"] is not None:
                pipes[entry["above"]]["children"].append(pipe)
    if not pipes:
        raise ValueError("the journal tells of no pipe")
    for pipe in pipes.values():
        pipe["effects"] = list(pipe["effects"].values())
    return trace_from_json({"values": values, "root": pipes[0]})
