from dataclasses import dataclass
from typing import Literal

FindingKind = Literal[
    "syntax",
    "unknown_filter",
    "unknown_test",
    "inline_sigil",
    "private_name",
    "refused",
    "too_large",
]


@dataclass(frozen=True, slots=True)
class TemplateRead:
    """One read of a value from outside the template."""

    path: tuple[str, ...]
    """The dotted path as far as it is static. Items of a list add no segment: in `{% for n in notes %}{{ n.text }}`
    the read is `notes.text`."""
    offset: int
    """Where the root stands in the original template."""
    is_guarded: bool = False
    """Whether the read only happens when its root is there."""
    is_with_images: bool = False
    """Whether the `with_images` filter is applied to it."""

    @property
    def root(self) -> str:
        return self.path[0]


@dataclass(frozen=True, slots=True)
class TemplateFinding:
    """One thing wrong with a template."""

    kind: FindingKind
    message: str
    offset: int
    name: str = ""
    """The filter, test, variable or statement it is about."""
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateAnalysis:
    """The reads and the faults of one template, in order."""

    reads: tuple[TemplateRead, ...] = ()
    findings: tuple[TemplateFinding, ...] = ()
    is_parsed: bool = True
    """False when the template could not be read at all, so that nothing is known about its reads."""
