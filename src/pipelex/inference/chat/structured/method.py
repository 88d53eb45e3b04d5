"""The methods of asking a model for an object."""

from typing import Literal

from pipelex.inference.deck.catalog import ModelEntry

Method = Literal["tool", "native", "json", "markdown"]
"""The method of asking for an object: as a tool's arguments, by JSON Schema, by JSON mode, or by the prompt alone."""


def structure_method(entry: ModelEntry) -> Method:
    """The method of asking for objects that an entry's `structure_method` means; `tool` if it names none."""
    name = (entry.table.structure_method or "").removeprefix("instructor/")
    if name.endswith("md_json"):
        return "markdown"
    if name.endswith(("structured_outputs", "json_schema")):
        return "native"
    if name.endswith(("json", "json_object")):
        return "json"
    return "tool"
