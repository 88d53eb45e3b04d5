"""References to models in methods and decks: `$preset`, `@alias`, `~waterfall` or a handle."""

from dataclasses import dataclass
from typing import Final, Literal, cast

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.language.blueprints import ModelFamily

ReferenceKind = Literal["preset", "alias", "waterfall", "handle"]

_SIGILS: Final[dict[str, ReferenceKind]] = {"$": "preset", "@": "alias", "~": "waterfall"}
WRITTEN: Final[dict[ReferenceKind, str]] = {"preset": "$", "alias": "@", "waterfall": "~", "handle": ""}
"""The sigil of each kind of reference; handles have none."""

KIND_WORDS: Final[dict[ReferenceKind, str]] = {
    "preset": "the preset",
    "alias": "the alias",
    "waterfall": "the waterfall",
    "handle": "the model",
}
"""The word for each kind in messages."""


@dataclass(frozen=True)
class ModelReference:
    """A model reference, split into its kind and its name."""

    kind: ReferenceKind
    name: str

    def __str__(self) -> str:
        return WRITTEN[self.kind] + self.name

    @classmethod
    def parse(cls, text: str) -> "ModelReference":
        """Parse `$preset`, `@alias`, `~waterfall`, `handle`, or a long form such as `preset:name`.

        Raises:
            ValueError: the name is missing.
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
    """Parse a reference in a method or a deck.

    Raises:
        PipelexError: the name is missing (`model.unknown`).
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
