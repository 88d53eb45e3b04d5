"""Facts from the analysis of a template: its reads and its faults."""

from dataclasses import dataclass
from typing import Final, Literal

TemplateFaultKind = Literal[
    "syntax",
    "unknown_filter",
    "unknown_test",
    "inline_sigil",
    "glued_sigil",
    "private_name",
    "refused",
    "too_large",
]


ITEM: Final = "[]"
"""The step of a trail from a list to one of its items."""


@dataclass(frozen=True, slots=True)
class TemplateRead:
    """One read of a value from outside the template."""

    trail: tuple[str, ...]
    """The way to the value as far as it is static: the root, then fields, with `ITEM` where an item is taken out of a list.
    In `{% for n in notes %}{{ n.text }}` the read is `("notes", ITEM, "text")`."""
    offset: int
    """The place in the original template of the name that the read starts with."""
    is_guarded: bool = False
    """Whether the read only happens when its root is there."""
    is_with_images: bool = False
    """Whether the `with_images` filter is applied to it."""
    truth: Literal["unread", "read"] | None = None
    """The use of a value whose truth decides something: whether the text that depends on it reads the value, or only
    asks for it."""

    @property
    def path(self) -> tuple[str, ...]:
        """The dotted path. Items of a list add no segment: `notes.text`."""
        return tuple(step for step in self.trail if step != ITEM)

    @property
    def root(self) -> str:
        return self.trail[0]


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """One thing wrong with a template."""

    kind: TemplateFaultKind
    message: str
    offset: int
    name: str = ""
    """The filter, test, variable or statement it is about."""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateAnalysis:
    """The reads and the faults of one template, in order."""

    reads: tuple[TemplateRead, ...] = ()
    faults: tuple[TemplateFault, ...] = ()
    is_parsed: bool = True
    """Whether the template could be read at all; when not, nothing is known about its reads."""
