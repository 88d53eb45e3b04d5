"""References to models, as methods and decks write them: `$preset`, `@alias`, `~waterfall` or a handle."""

from dataclasses import dataclass
from typing import Final, Literal, cast

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.language.blueprints import ModelFamily

ReferenceKind = Literal["preset", "alias", "waterfall", "handle"]

_SIGILS: Final[dict[str, ReferenceKind]] = {"$": "preset", "@": "alias", "~": "waterfall"}
WRITTEN: Final[dict[ReferenceKind, str]] = {"preset": "$", "alias": "@", "waterfall": "~", "handle": ""}
"""The sigil of each kind."""

KIND_WORDS: Final[dict[ReferenceKind, str]] = {
    "preset": "the preset",
    "alias": "the alias",
    "waterfall": "the waterfall",
    "handle": "the model",
}
"""The word for each kind in messages."""


@dataclass(frozen=True)
class ModelReference:
    """A model reference, its kind and its name apart."""

    kind: ReferenceKind
    name: str

    def __str__(self) -> str:
        return WRITTEN[self.kind] + self.name

    @classmethod
    def parse(cls, text: str) -> "ModelReference":
        """Read `$preset`, `@alias`, `~waterfall`, `handle`, or the long forms `preset:name`, ….

        Raises:
            ValueError: there is no name.
        """
        trimmed = text.strip()
        kind, name = _SIGILS.get(trimmed[:1]), trimmed[1:]
        if kind is None:
            word, colon, rest = trimmed.partition(":")
            is_kind = bool(colon) and word in WRITTEN
            kind, name = (cast("ReferenceKind", word), rest) if is_kind else ("handle", trimmed)
        if not name.strip():
            raise ValueError(f"{text!r} names no model")
        return cls(kind, name.strip())


def read_reference(text: str, family: ModelFamily) -> ModelReference:
    """Read a reference that a method or a deck holds.

    Raises:
        PipelexError: `model.unknown`: it names no model.
    """
    try:
        return ModelReference.parse(text)
    except ValueError as error:
        raise PipelexError(
            "model.unknown",
            str(error),
            category=ErrorCategory.CONFIGURATION,
            params={"model": text, "model_type": family, "suggestions": []},
        ) from None
