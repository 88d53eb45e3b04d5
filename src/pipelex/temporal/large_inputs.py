"""Large inputs as a payload of their own: the store keeps once what many children are given.

Inside a job that also holds a child's own values, the same document would be other bytes for every child.
"""

from typing import TypeVar

from temporalio.common import RawValue
from temporalio.converter import PayloadConverter

from pipelex.content.stuff import Stuff
from pipelex.pipes.runtime import PipeCall, StuffWire, TemplateRequest, Wire
from pipelex.pipes.templates import characters

Asked = TypeVar("Asked", PipeCall, TemplateRequest)
"""What has inputs."""


class LargeInputs(Wire):
    """The third argument of a workflow, and of the activity that renders: inputs that the first one leaves out."""

    values: dict[str, StuffWire]


class LargeValues:
    """Takes large inputs out of calls and requests; what was written once is not written again.

    Args:
        stored_above: bytes from which a value is one for the store; None: there is no store, and all stays whole.
        converter: writes payloads.
    """

    def __init__(self, stored_above: int | None, converter: PayloadConverter) -> None:
        self._stored_above = stored_above
        self._converter = converter
        self._sizes: dict[int, tuple[Stuff, bool]] = {}
        self._written: dict[tuple[tuple[str, int], ...], RawValue] = {}

    def split(self, asked: Asked) -> tuple[Asked, RawValue | None]:
        """A call or a request without its large inputs, and these."""
        large = {name: stuff for name, stuff in asked.inputs.items() if self._is_large(stuff)}
        if not large:
            return asked, None
        key = tuple((name, id(stuff)) for name, stuff in large.items())
        if key not in self._written:
            (payload,) = self._converter.to_payloads([LargeInputs(values=large)])
            self._written[key] = RawValue(payload)
        left = {name: stuff for name, stuff in asked.inputs.items() if name not in large}
        return asked.model_copy(update={"inputs": left}), self._written[key]

    def _is_large(self, stuff: Stuff) -> bool:
        if self._stored_above is None:
            return False
        # The value is kept beside what was found, so that its identity stays its own.
        if id(stuff) not in self._sizes:
            self._sizes[id(stuff)] = (stuff, characters([stuff.content]) >= self._stored_above)
        return self._sizes[id(stuff)][1]


def whole(asked: Asked, large: LargeInputs | None) -> Asked:
    """The inverse of `LargeValues.split`."""
    return asked if large is None else asked.model_copy(update={"inputs": {**asked.inputs, **large.values}})
