"""Reads a pipe's declared inputs at run time, and makes up values for them."""

from collections.abc import Mapping
from pathlib import Path

from pipelex.content.inputs import InputSlot, read_inputs
from pipelex.content.structure import example
from pipelex.content.stuff import Stuff
from pipelex.errors import Json
from pipelex.library import Library, Pipe
from pipelex.pipes.calls import PipeCall

MOCK_ITEMS = 2
"""The number of items in a made-up list whose length is not fixed."""


def input_slots(pipe: Pipe) -> dict[str, InputSlot]:
    """The declared inputs in the form that `read_inputs` takes."""
    return {
        name: InputSlot(concept=slot.concept, is_list=slot.is_list, count=slot.count, presence=slot.presence)
        for name, slot in pipe.inputs.items()
    }


def mock_inputs(library: Library, pipe: Pipe, *, is_sparse: bool = False) -> dict[str, Stuff]:
    """A made-up value for every declared input.

    Args:
        library: the library that knows the concepts.
        pipe: the pipe.
        is_sparse: whether to leave out the optional inputs, and the optional fields of the others.
    """
    values: dict[str, Stuff] = {}
    for name, slot in pipe.inputs.items():
        if is_sparse and slot.presence == "optional":
            continue
        shape = library.shape(slot.concept)
        if slot.is_list:
            names = [f"{name}_{number}" for number in range(1, (slot.count or MOCK_ITEMS) + 1)]
            items = [example(shape, seed_text=each, is_sparse=is_sparse) for each in names]
            values[name] = Stuff.of_list(slot.concept, items)
        else:
            values[name] = Stuff(slot.concept, example(shape, seed_text=name, is_sparse=is_sparse))
    return values


def read_inputs_of(library: Library, call: PipeCall, raw: Mapping[str, Json] | Path | None) -> dict[str, Stuff]:
    """New inputs for a call, read like `Method.read_inputs` does: the given ones, and any that the call lacks.

    Args:
        library: the library that has the call's pipe.
        call: the call, whose own inputs stay where none are given.
        raw: input name → value; or a file that holds them.

    Raises:
        InputError: an input does not fit, or is missing.
    """
    pipe = library.pipe(call.pipe)
    slots = input_slots(pipe)
    base_dir: Path | None = None
    if raw is None or isinstance(raw, Mapping):
        values: Mapping[str, Json] = raw or {}
    else:
        from pipelex.content.typed import file_inputs

        values, base_dir = file_inputs(Path(raw), slots, library)
    return read_inputs(values, slots, base_dir=base_dir or Path.cwd(), concepts=library, has=call.inputs)
