"""References and slots: how a bundle names concepts and pipes, and how many values travel through a slot.

Source: MTHDS 8.0.0, sections 4 and 4.1 of the language reference.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, Self

NATIVE_DOMAIN: Final = "native"

DOMAIN_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
CONCEPT_CODE_PATTERN: Final = re.compile(r"[A-Z][a-zA-Z0-9]*")
PIPE_CODE_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]*")
PLAIN_NAME_PATTERN: Final = PIPE_CODE_PATTERN
"""Input names, step results and item names follow the same rule as pipe codes."""

_SLOT_PATTERN: Final = re.compile(r"(?P<concept>[^\[\]?!]+)(?:\[(?P<count>[0-9]*)\]|(?P<marker>[?!]))?")

SLOT_SHAPE: Final = r"^\s*(?:.+->)?(?:[a-z][a-z0-9_]*\.)*[A-Z][a-zA-Z0-9]*\s*(?:\[(?:0*[1-9][0-9]*)?\]|[?!])?\s*$"
"""The form of a slot, as a regular expression for JSON Schema."""

Presence = Literal["plain", "optional", "forced"]
"""`X`, `X?`, `X!`."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A concept or pipe reference in its three tiers: `name`, `domain.name`, `package->domain.name`."""

    code: str
    domain: str | None = None
    package: str | None = None
    """A dependency's address or alias."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split a reference at its first `->`, then at its last dot. Never fails: check `is_concept` or `is_pipe`."""
        package: str | None = None
        if "->" in text:
            package, _, text = text.partition("->")
        domain, dot, code = text.rpartition(".")
        return cls(code=code, domain=domain if dot else None, package=package)

    @property
    def is_concept(self) -> bool:
        """Whether every part is well formed and the code is a concept's."""
        return CONCEPT_CODE_PATTERN.fullmatch(self.code) is not None and self._is_place_well_formed

    @property
    def is_pipe(self) -> bool:
        """Whether every part is well formed and the code is a pipe's."""
        return PIPE_CODE_PATTERN.fullmatch(self.code) is not None and self._is_place_well_formed

    @property
    def _is_place_well_formed(self) -> bool:
        if self.domain is not None and DOMAIN_PATTERN.fullmatch(self.domain) is None:
            return False
        return self.package is None or (self.package != "" and self.domain is not None)

    def __str__(self) -> str:
        local = self.code if self.domain is None else f"{self.domain}.{self.code}"
        return local if self.package is None else f"{self.package}->{local}"


@dataclass(frozen=True, slots=True)
class Slot:
    """The input of a pipe under one name, or its output.

    It consists of a concept, the number of values, and whether the value may be absent.
    """

    concept: str
    """The reference as written, or fully qualified once linked."""
    is_list: bool = False
    count: int | None = None
    """The length of a list of a fixed length; None for any length. `X[1]` is a single value, never a list."""
    presence: Presence = "plain"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `Berth`, `Berth[]`, `Berth[4]`, `Berth?` or `Berth!`.

        Raises:
            ValueError: the text is none of these; the message says why.
        """
        match = _SLOT_PATTERN.fullmatch(text.strip())
        if match is None or not Reference.parse(match["concept"].strip()).is_concept:
            raise ValueError(_why_no_slot(text))
        concept = match["concept"].strip()
        if match["count"] is not None:
            if match["count"] == "":
                return cls(concept, is_list=True)
            count = int(match["count"])
            if count < 1:
                raise ValueError(f"'{text}': the number of values must be 1 or more")
            return cls(concept) if count == 1 else cls(concept, is_list=True, count=count)
        marker: Presence = {"?": "optional", "!": "forced", None: "plain"}[match["marker"]]  # type: ignore[assignment]
        return cls(concept, presence=marker)

    @property
    def takes_any_number(self) -> bool:
        """Whether an output of this slot may be one value or a list: `Anything` without brackets."""
        return not self.is_list and self.concept in ("Anything", f"{NATIVE_DOMAIN}.Anything")

    def __str__(self) -> str:
        if self.is_list:
            return f"{self.concept}[{'' if self.count is None else self.count}]"
        return self.concept + {"plain": "", "optional": "?", "forced": "!"}[self.presence]


def _why_no_slot(text: str) -> str:
    stripped = text.strip()
    if re.search(r"\][?!]$|[?!]\[", stripped):
        return f"'{text}': a presence marker ('?' or '!') never combines with brackets; a list is never absent"
    bare = re.sub(r"(\[[^\]]*\]|[?!])+$", "", stripped)
    if not Reference.parse(bare).is_concept:
        return f"'{bare}' is not a concept reference: a concept code is PascalCase, its domain snake_case"
    return f"'{text}': write 'Concept', 'Concept[]', 'Concept[3]', 'Concept?' or 'Concept!'"
