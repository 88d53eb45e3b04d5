"""Keys every pipe has, and a pipe's contract without an implementation.

Source: MTHDS 8.0.0, section 5 of the language reference.
"""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from pipelex.language.blueprints._base import Blueprint, PipeType, SlotText, refuse
from pipelex.language.references import Slot


class InputBlueprint(Blueprint):
    """An input slot in its table form."""

    concept: SlotText
    hints: dict[str, str] | None = None


def _expand_input(value: Any) -> Any:
    if isinstance(value, str):
        return {"concept": value}
    return value


InputEntry = Annotated[InputBlueprint, BeforeValidator(_expand_input)]


class PipeBlueprintBase(Blueprint):
    """Keys every pipe has."""

    description: str
    inputs: dict[str, InputEntry] = Field(default_factory=dict[str, InputEntry])
    output: SlotText

    @model_validator(mode="before")
    @classmethod
    def _null_inputs(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("inputs", 0) is None:  # type: ignore[reportUnknownMemberType]
            return {key: value for key, value in data.items() if key != "inputs"}  # type: ignore[reportUnknownVariableType]
        return data  # type: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _check_output_marker(self) -> Self:
        if Slot.parse(self.output).presence == "forced":
            raise refuse("output_forced", "'!' is for inputs; an output is 'X', 'X?' or a list")
        return self

    @property
    def input_slots(self) -> dict[str, Slot]:
        """The declared inputs, in order."""
        return {name: Slot.parse(entry.concept) for name, entry in self.inputs.items()}

    @property
    def output_slot(self) -> Slot:
        return Slot.parse(self.output)


class PipeSignatureBlueprint(PipeBlueprintBase):
    """A pipe's contract without an implementation: no `type`."""

    signature_for: PipeType | None = None
