"""Separates large inputs from jobs, so that a value shared by many children is written and stored only once.

Inside a job that also holds a child's own values, the same document would be part of different bytes for every child.
So an engine carries each large value separately.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic_core import to_json

from pipelex.content.measure import text_size
from pipelex.content.stuff import Stuff
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.effects.requests import ComputedRequest
from pipelex.pipes.wire import StuffWire, Wire

Asked = TypeVar("Asked", PipeCall, ComputedRequest)
"""A request with inputs."""


class LargeInputs(Wire):
    """Inputs that a job leaves out, in the form that the worker of the job receives."""

    values: dict[str, StuffWire]


@dataclass(frozen=True, slots=True, eq=False)
class WrittenInputs:
    """Inputs that a job leaves out, in the form that its sender has. Jobs with the same inputs share one object."""

    values: Mapping[str, bytes]
    """The name of each input → its JSON."""


class LargeValues:
    """Takes large inputs out of calls and requests; the same inputs are not written twice.

    Args:
        stored_above: the size in bytes from which a value goes to the store; None without a store, so nothing is split.
    """

    def __init__(self, stored_above: int | None) -> None:
        self._stored_above = stored_above
        self._sizes: dict[int, tuple[Stuff, bool]] = {}
        self._written: dict[int, bytes] = {}
        self._last: tuple[object, WrittenInputs | None] = (None, None)
        """The key of the last large inputs, and those inputs. All children of a batch have the same ones, one after the
        other."""

    def split(self, asked: Asked) -> tuple[Asked, WrittenInputs | None]:
        """A call or a request without its large inputs, and the large inputs."""
        large = {name: stuff for name, stuff in asked.inputs.items() if self._is_large(stuff)}
        if not large:
            return asked, None
        left = {name: stuff for name, stuff in asked.inputs.items() if name not in large}
        key = tuple((name, id(stuff)) for name, stuff in large.items())
        if key != self._last[0]:
            self._last = (key, WrittenInputs({name: self._bytes(stuff) for name, stuff in large.items()}))
        return asked.model_copy(update={"inputs": left}), self._last[1]

    def _is_large(self, stuff: Stuff) -> bool:
        if self._stored_above is None:
            return False
        # The value is kept beside its size, so that no other object gets the same `id`.
        if id(stuff) not in self._sizes:
            self._sizes[id(stuff)] = (stuff, text_size([stuff.content]) >= self._stored_above)
        return self._sizes[id(stuff)][1]

    def _bytes(self, stuff: Stuff) -> bytes:
        if id(stuff) not in self._written:
            self._written[id(stuff)] = to_json(stuff.to_json())
        return self._written[id(stuff)]


def whole(asked: Asked, large: LargeInputs | None) -> Asked:
    """The inverse of `LargeValues.split`."""
    return asked if large is None else asked.model_copy(update={"inputs": {**asked.inputs, **large.values}})
