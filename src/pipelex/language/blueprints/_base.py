"""The base of every table of a bundle: closed keys, strict types, the notation of slots."""

from typing import Annotated, Final, Literal, LiteralString, TypeAlias, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from pipelex.language.references import SLOT_SHAPE, Slot

FieldType = Literal["text", "integer", "number", "boolean", "date", "datetime", "time", "list", "dict", "concept"]

ModelFamily = Literal["llm", "extract", "img_gen", "search", "judgment", "doc_gen"]
"""A kind of models: language, extraction, images, search, judgment, documents."""
ModelPurpose = Literal["text", "object"]

MODEL_FAMILIES: tuple[ModelFamily, ...] = get_args(ModelFamily)

TextFormat = Literal["plain", "markdown", "html", "json"]
TagStyle = Literal["no_tag", "ticks", "xml", "square_brackets"]
TemplateCategory = Literal["basic", "expression", "html", "markdown", "mermaid", "llm_prompt", "img_gen_prompt"]

Keys: TypeAlias = tuple[str | int, ...]
"""A path of keys and indexes inside a table."""

SPECIAL_OUTCOMES = frozenset({"fail", "continue"})

PlainName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
DottedPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*$")]
PipeReference = Annotated[str, StringConstraints(min_length=1)]

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
ALIASED: ConfigDict = {**STRICT, "validate_by_name": True, "validate_by_alias": True, "serialize_by_alias": True}
"""The configuration of tables with a key that is not a valid Python name, or that pydantic reserves. Both reading and
writing use the key as the alias."""


RULE_KEYS: Final = "keys"
"""The member of a refusal's context that lists the keys that the rule is about."""


def refuse(kind: str, message: str, *keys: str) -> PydanticCustomError:
    """The error of a blueprint's own rule.

    Args:
        kind: the error's type; the language layer maps it to a code.
        message: the fault, for people.
        keys: the keys of the table that the rule is about. The fault points at the first one that is present, or at the
            table if none is.
    """
    context = {RULE_KEYS: keys, "message": message}  # in this order: what stands in the message is not replaced
    return PydanticCustomError(cast("LiteralString", kind), "{message}", context)


def _check_slot(text: str) -> str:
    try:
        Slot.parse(text)
    except ValueError as wrong:
        raise refuse("slot", str(wrong)) from None
    return text


SlotText = Annotated[str, AfterValidator(_check_slot), WithJsonSchema({"type": "string", "pattern": SLOT_SHAPE})]


class Blueprint(BaseModel):
    """Base of every table of a bundle: closed keys, strict types, immutable."""

    model_config = STRICT
