"""The base of every pipe's blueprint, and what it reports about the pipe.

Source: MTHDS 8.0.0, section 5 of the language reference.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from pipelex.language.blueprints._answers import AskedModel, CalledPipe, NamedFile, changed
from pipelex.language.blueprints._base import Blueprint, Keys, SlotText, TemplateCategory, refuse
from pipelex.language.references import Slot
from pipelex.language.templates import TemplateSite


class InputBlueprint(Blueprint):
    """An input slot in its table form."""

    concept: SlotText
    """The concept of the value: `Berth`, `Berth[]`, `Berth[3]`, `Berth?` or `Berth!`."""
    hints: dict[str, str] | None = None
    """Presentation hints, such as `intent = "prose"`; they change nothing about a run."""


def _expand_input(value: Any) -> Any:
    if isinstance(value, str):
        return {"concept": value}
    return value


InputEntry = Annotated[InputBlueprint, BeforeValidator(_expand_input, json_schema_input_type=SlotText | InputBlueprint)]


class PipeBlueprint(Blueprint):
    """Keys every pipe has, and what a pipe answers about itself.

    A pipe type is a subclass with `type: Literal["…"]` and with those answers that are its own.
    """

    is_signature: ClassVar[bool] = False
    """Whether the pipe is only declared, to be written later."""
    is_controller: ClassVar[bool] = False
    """Whether the type runs other pipes. Controllers hand values on, mostly without looking at them."""
    has_fixed_output: ClassVar[bool] = False
    """Whether the type itself says how many values it gives, so that a step cannot."""
    has_fixed_input: ClassVar[bool] = False
    """Whether the type itself says how many values its input holds."""
    reads_every_input: ClassVar[bool] = False
    """Whether a declared input that no template reads is a fault."""
    prompts: ClassVar[tuple[tuple[str, TemplateCategory], ...]] = ()
    """The keys whose texts are templates, each with its category."""

    description: str
    """The task of the pipe, in a sentence."""
    inputs: dict[str, InputEntry] = Field(default_factory=dict[str, InputEntry])
    """The inputs of the pipe: name → concept, or `{ concept = "…", hints = { … } }`."""
    output: SlotText
    """The output of the pipe: `Berth`, `Berth[]`, `Berth[3]` or `Berth?`."""

    @model_validator(mode="before")
    @classmethod
    def _null_inputs(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("inputs", 0) is None:  # type: ignore[reportUnknownMemberType]
            return {key: value for key, value in data.items() if key != "inputs"}  # type: ignore[reportUnknownVariableType]
        return data  # type: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _check_output_marker(self) -> Self:
        if Slot.parse(self.output).presence == "forced":
            raise refuse("output_forced", "'!' is for inputs; an output is 'X', 'X?' or a list", "output")
        return self

    @property
    def input_slots(self) -> dict[str, Slot]:
        """The declared inputs, in order."""
        return {name: Slot.parse(entry.concept) for name, entry in self.inputs.items()}

    @property
    def output_slot(self) -> Slot:
        return Slot.parse(self.output)

    # --- reports about the pipe
    # ----------------------------------------------------------------------------------------------

    @classmethod
    def type_name(cls) -> str:
        """The pipe type's name; `PipeSignature` for a pipe that is only declared."""
        declared = cls.model_fields.get("type")
        return "PipeSignature" if declared is None else str(get_args(declared.annotation)[0])

    @classmethod
    def sites_in(cls, table: Mapping[str, Any]) -> Iterator[TemplateSite]:
        """The templates in a table of this type as its file has it, valid or not."""
        for key, category in cls.prompts:
            if isinstance(table.get(key), str):
                yield TemplateSite((key,), table[key], category)

    @classmethod
    def paths_in(cls, table: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
        """The dotted paths to inputs in a table of this type as its file has it, valid or not, each with its keys."""
        del table
        yield from ()

    @property
    def sites(self) -> tuple[TemplateSite, ...]:
        """The templates of the pipe."""
        return tuple(self.sites_in(self.model_dump(by_alias=True, exclude_none=True)))

    def called_pipes(self) -> Iterator[CalledPipe]:
        """The pipes that it may run, in the order of its table; a pipe that is named twice occurs twice."""
        yield from ()

    def with_callees(self, name: Callable[[CalledPipe], str]) -> Self:
        """A copy of the pipe that runs other pipes instead: those that `name` returns."""
        changes: dict[str | int, Any] = {}
        for called in self.called_pipes():
            *outer, last = called.keys
            inner = changes
            for key in outer:
                inner = inner.setdefault(key, {})
            inner[last] = name(called)
        return changed(self, changes) if changes else self

    def own_names(self) -> frozenset[str]:
        """The names of inner results that the pipe leaves in its caller's memory, without those of the pipes it runs.

        Published methods read the results of a nested sequence's steps, and of a parallel's branches, by those names.
        """
        return frozenset()

    def run_in_place(self) -> Iterator[str]:
        """The pipes that it runs in its own memory; the names that they leave there are also left by this pipe."""
        yield from ()

    def given(self, output_of: Callable[[str], Slot | None]) -> Slot | None:
        """The output of a controller as its pipes determine it, if it is the output of one of them.

        Args:
            output_of: returns the output of a pipe by its reference, or None if it is not known.
        """
        del output_of
        return None

    def asked_models(self, *, is_text: bool) -> Iterator[AskedModel]:
        """The models it asks for.

        Args:
            is_text: whether its output is one text, or a concept that refines one.
        """
        del is_text
        yield from ()

    def named_file(self) -> NamedFile | None:
        """The file of the method tree that it names; None if it names none."""
        return None

    def with_system_prompt(self, text: str | None) -> Self:
        """A copy with the bundle's system prompt, if the type has a system prompt and the pipe does not set one."""
        del text
        return self
