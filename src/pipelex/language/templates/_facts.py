"""The results of a template's analysis: its reads and its faults."""

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
    """The static part of the path to the value: the root, then fields, with `ITEM` for an item of a list. In `{% for n
    in notes %}{{ n.text }}` the read is `("notes", ITEM, "text")`."""
    offset: int
    """The place in the original template of the name that the read starts with."""
    is_guarded: bool = False
    """Whether the read only happens when its root is there."""
    is_with_images: bool = False
    """Whether the `with_images` filter is applied to it."""
    truth: Literal["unread", "read"] | None = None
    """Set if only the truth of the value is tested: `read` if the template also reads the value itself there, otherwise
    `unread`."""

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
    """The filter, test, variable or statement that the fault is about."""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateAnalysis:
    """The reads and the faults of one template, in order."""

    reads: tuple[TemplateRead, ...] = ()
    faults: tuple[TemplateFault, ...] = ()
    is_parsed: bool = True
    """Whether the template could be parsed; if not, nothing is known about its reads."""
