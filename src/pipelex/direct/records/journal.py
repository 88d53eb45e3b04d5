"""The journal of a run under way: what began and what was answered, line by line, so that whoever is killed loses none of it.

A line is a list of entries, each of one value, pipe run or effect. Of those told before, a later entry has only what
changed. A line that its process did not write to its end is as if it were not there.
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
        """What changed since the last line of it, by its identity: the tree of the run holds it."""
        self._numbers: dict[int, int] = {}
        """The rank of each pipe in the run, and of each effect in its pipe."""
        self._begun = 0
        self._above: dict[int, int | None] = {}
        self._told: set[int] = set()
        self._values: dict[int, tuple[Stuff, str]] = {}
        self._entries: list[Json] = []

    # --- what happens -------------------------------------------------------------------------------------------------

    def begin(self, pipe: PipeTrace, above: PipeTrace | None) -> None:
        """A pipe begins to run, in the one above it."""
        self._numbers[id(pipe)] = self._begun
        self._begun += 1
        self._above[id(pipe)] = None if above is None else self._numbers[id(above)]
        self._note(pipe, None)

    def end(self, pipe: PipeTrace) -> None:
        """A pipe ended, however it did."""
        self._note(pipe, None)

    def ask(self, pipe: PipeTrace, effect: EffectTrace) -> None:
        """A pipe asks for an effect, the last of those in its trace."""
        self._numbers[id(effect)] = len(pipe.effects) - 1
        self._note(pipe, effect)

    def answer(self, pipe: PipeTrace, effect: EffectTrace) -> None:
        """An effect ended, however it did."""
        self._note(pipe, effect, is_answer=True)

    def _note(self, pipe: PipeTrace, effect: EffectTrace | None, *, is_answer: bool = False) -> None:
        self._waiting[id(effect or pipe)] = (pipe, effect)
        self._changed(is_answer)

    # --- its lines ----------------------------------------------------------------------------------------------------

    def take(self) -> bytes:
        """A line of what changed since one was taken last; empty where nothing did."""
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
        # The value is kept beside its key, so that its identity stays its own.
        if id(stuff) not in self._values:
            key = str(len(self._values))
            self._values[id(stuff)] = (stuff, key)
            self._entries.append({"value": key, "is": value_to_json(stuff)})
        return self._values[id(stuff)][1]


def lines_of(journal: bytes) -> Iterator[list[dict[str, Any]]]:
    """The lines of a journal that were written to their end."""
    for line in journal.split(b"\n")[:-1]:
        try:
            yield json.loads(line)
        except ValueError:
            return


def trace_from_lines(lines: Iterable[Iterable[Mapping[str, Any]]]) -> PipeTrace:
    """What a run did, as far as the lines of its journal tell.

    Raises:
        ValueError, KeyError, TypeError: it tells nothing.
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
