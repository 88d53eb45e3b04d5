"""A template of a pipe, and its place in the pipe's table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TemplateSite:
    """One template of a pipe."""

    keys: tuple[str | int, ...]
    """The keys of its place in the pipe's table."""
    template: str
    """The text to analyse and to render."""
    category: str
    has_sigils: bool = True
    prefix: int = 0
    """The number of characters of `template` before the author's text."""
    extra_names: tuple[str, ...] = ()
    """Names that it may read besides the pipe's inputs."""
