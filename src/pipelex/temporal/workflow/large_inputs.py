"""Large inputs as a payload of their own: the store keeps once each value that many children are given.

Inside a job that also holds a child's own values, the same document would be other bytes for every child. Here every value
is a payload inside the payload, and the codec puts each of them into the store by itself, whatever others it is sent with.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic_core import to_json
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.common import RawValue

from pipelex.content.stuff import Stuff
from pipelex.pipes.calls import PipeCall
from pipelex.pipes.effects.requests import ComputedRequest
from pipelex.pipes.templates import characters
from pipelex.pipes.wire import StuffWire, Wire

PARTS: Final = b"binary/pipelex-parts"
"""Encoding of a payload that holds a payload for each value, as a serialized `Payloads` message."""
NAME: Final = "name"
"""Of the metadata of a payload in it."""

Asked = TypeVar("Asked", PipeCall, ComputedRequest)
"""What has inputs."""


class LargeInputs(Wire):
    """The last argument of a workflow, and of the activity that renders: inputs that the first one leaves out."""

    values: dict[str, StuffWire]


class LargeValues:
    """Takes large inputs out of calls and requests; what was written once is not written again.

    Args:
        stored_above: bytes from which a value is one for the store; None: there is no store, and all stays whole.
    """

    def __init__(self, stored_above: int | None) -> None:
        self._stored_above = stored_above
        self._sizes: dict[int, tuple[Stuff, bool]] = {}
        self._written: dict[int, bytes] = {}
        self._last: tuple[object, RawValue | None] = (None, None)
        """What was given last, and its payload: the children of a batch are all given the same, one after the other."""

    def split(self, asked: Asked) -> tuple[Asked, RawValue | None]:
        """A call or a request without its large inputs, and these."""
        large = {name: stuff for name, stuff in asked.inputs.items() if self._is_large(stuff)}
        if not large:
            return asked, None
        left = {name: stuff for name, stuff in asked.inputs.items() if name not in large}
        key = tuple((name, id(stuff)) for name, stuff in large.items())
        if key != self._last[0]:
            payload = parts_payload({name: self._bytes(stuff) for name, stuff in large.items()})
            self._last = (key, RawValue(payload))
        return asked.model_copy(update={"inputs": left}), self._last[1]

    def _is_large(self, stuff: Stuff) -> bool:
        if self._stored_above is None:
            return False
        # The value is kept beside what was found, so that its identity stays its own.
        if id(stuff) not in self._sizes:
            self._sizes[id(stuff)] = (stuff, characters([stuff.content]) >= self._stored_above)
        return self._sizes[id(stuff)][1]

    def _bytes(self, stuff: Stuff) -> bytes:
        if id(stuff) not in self._written:
            self._written[id(stuff)] = to_json(stuff.to_json())
        return self._written[id(stuff)]


def parts_payload(values: Mapping[str, bytes]) -> Payload:
    """Values as one payload, for a codec that knows it.

    Args:
        values: name → JSON of a value.
    """
    parts = [
        Payload(metadata={"encoding": b"json/plain", NAME: name.encode()}, data=value) for name, value in values.items()
    ]
    return Payload(metadata={"encoding": PARTS}, data=Payloads(payloads=parts).SerializeToString(deterministic=True))


def joined_payload(values: Mapping[str, bytes]) -> Payload:
    """The `LargeInputs` of some values, as any payload converter reads it.

    Args:
        values: name → JSON of a value.
    """
    members = b",".join(to_json(name) + b":" + value for name, value in values.items())
    return Payload(metadata={"encoding": b"json/plain"}, data=b'{"values":{' + members + b"}}")


def whole(asked: Asked, large: LargeInputs | None) -> Asked:
    """The inverse of `LargeValues.split`."""
    return asked if large is None else asked.model_copy(update={"inputs": {**asked.inputs, **large.values}})
