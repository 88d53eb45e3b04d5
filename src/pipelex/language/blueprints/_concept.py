"""Concept declarations.

Source: MTHDS 8.0.0, section 2 of the language reference.
"""

import datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from pipelex.language.blueprints._base import Blueprint, FieldType, refuse


class FieldBlueprint(Blueprint):
    """One field of a concept's structure."""

    description: str
    """The meaning of the field. Models that fill it in are told."""
    type: FieldType | None = None
    """The type of the value; left out beside `choices`."""
    required: bool = False
    """Whether the field must be present. False by default."""
    default_value: Any = None
    """The value when none is given, of the type of the field; not for a required field, nor for a concept."""
    choices: tuple[str, ...] | None = Field(default=None, strict=False)
    """The words of which the field holds one."""
    key_type: str | None = None
    """The type of the keys of a `dict`."""
    value_type: str | None = None
    """The type of the values of a `dict`; `Any` leaves it open."""
    item_type: str | None = None
    """The type of the items of a `list`; `concept` goes with `item_concept_ref`. Left out, they are of any kind."""
    concept_ref: str | None = None
    """The concept of a field of type `concept`."""
    item_concept_ref: str | None = None
    """The concept of the items of a list of concepts."""
    hints: dict[str, str] | None = None
    """Presentation hints, such as `intent = "rating"`; they change nothing about a run."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.type is None and self.choices is None:
            raise refuse("field_type_missing", "a field needs 'type', or 'choices' for an enumeration")
        if self.choices is not None:
            self._check_choices(self.choices)
        self._check_companions()
        self._check_default()
        return self

    def _check_choices(self, choices: tuple[str, ...]) -> None:
        if not choices:
            raise refuse("choices_empty", "'choices' must list at least one word", "choices")
        if len(set(choices)) != len(choices):
            raise refuse("choices_repeated", "'choices' must not repeat a word", "choices")
        if self.type not in (None, "text"):
            raise refuse(
                "choices_type", f"'choices' makes a text enumeration; it does not go with type '{self.type}'", "type"
            )

    def _check_companions(self) -> None:
        if self.type == "dict" and not (self.key_type and self.value_type):
            raise refuse(
                "dict_types", "a 'dict' field needs 'key_type' and 'value_type'", "key_type", "value_type", "type"
            )
        if self.type != "dict" and (self.key_type is not None or self.value_type is not None):
            raise refuse(
                "dict_types", "'key_type' and 'value_type' belong to type 'dict'", "key_type", "value_type", "type"
            )
        if self.type != "list" and (self.item_type is not None or self.item_concept_ref is not None):
            raise refuse(
                "item_type", "'item_type' and 'item_concept_ref' belong to type 'list'", "item_type", "item_concept_ref"
            )
        if (self.type == "concept") != (self.concept_ref is not None):
            raise refuse(
                "concept_ref", "'concept_ref' is required for type 'concept', and only there", "concept_ref", "type"
            )
        if (self.item_type == "concept") != (self.item_concept_ref is not None):
            raise refuse(
                "item_concept_ref",
                "'item_concept_ref' is required for item_type 'concept', and only there",
                "item_concept_ref",
                "item_type",
            )

    def _check_default(self) -> None:
        if self.default_value is None:
            return
        if self.required:
            raise refuse(
                "default_required",
                "a field with a 'default_value' is never required: drop one of the two",
                "default_value",
            )
        if self.type == "concept":
            raise refuse("default_concept", "a field of type 'concept' takes no 'default_value'", "default_value")
        if self.choices is not None:
            if self.default_value not in self.choices:
                raise refuse(
                    "default_choice", f"the default '{self.default_value}' is not among the choices", "default_value"
                )
            return
        if self.type is not None and not _is_of_type(self.default_value, self.type):
            raise refuse("default_type", f"the default value does not match type '{self.type}'", "default_value")


def _is_of_type(value: Any, type_name: FieldType) -> bool:
    if isinstance(value, bool):
        return type_name == "boolean"
    # ISO strings are accepted for the three date types because a crate carries them as JSON.
    accepted: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "date": (datetime.date, str),
        "datetime": (datetime.datetime, str),
        "time": (datetime.time, str),
        "list": (list,),
        "dict": (dict,),
    }
    return isinstance(value, accepted[type_name])


def _expand_field(value: Any) -> Any:
    """A bare string is a required text field with that description."""
    if isinstance(value, str):
        return {"description": value, "type": "text", "required": True}
    return value


FieldEntry = Annotated[FieldBlueprint, BeforeValidator(_expand_field, json_schema_input_type=str | FieldBlueprint)]


class ConceptBlueprint(Blueprint):
    """A concept declaration. A string structure names a class of the host program (an older form)."""

    description: str
    """The meaning of a value of the concept. Models are told."""
    structure: dict[str, FieldEntry] | str | None = None
    """The fields by name: a description alone for a required text, or a table."""
    refines: str | None = None
    """The concept that this one specialises; it has that one's fields and none of its own."""
    hints: dict[str, str] | None = None
    """Presentation hints, such as `intent = "label"`; they change nothing about a run."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.refines is not None and self.structure is not None:
            raise refuse("refines_structure", "'refines' and 'structure' cannot be used together", "structure")
        return self
