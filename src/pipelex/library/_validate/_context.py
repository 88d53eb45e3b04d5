"""The state that all rules share: the library, and the faults found so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from pipelex.errors import CORE_CODES, Fault, Json, SuggestedFix
from pipelex.language.references import Slot
from pipelex.library._library import Library, Pipe
from pipelex.library._link import Declaration, LinkedBundles
from pipelex.library._trees.tree import MethodTree

Rule: TypeAlias = "Callable[[Checks, Pipe], None]"
"""A rule, which checks one pipe and reports its faults."""


@dataclass
class Checks:
    """The linked bundles that every theme checks, and the collected faults."""

    linked: LinkedBundles
    trees: Mapping[str, MethodTree]
    faults: list[Fault] = field(default_factory=list[Fault])

    @property
    def library(self) -> Library:
        return self.linked.library

    def source(self, pipe: Pipe) -> Declaration:
        return self.linked.sources[pipe.ref]

    def tree(self, pipe: Pipe) -> MethodTree | None:
        """The method tree that the pipe's bundle lies in."""
        return self.trees.get(self.source(pipe).bundle.path or "")

    def label(self, pipe: Pipe) -> str:
        """The name of the pipe in messages."""
        return self.source(pipe).label

    def report(
        self,
        pipe: Pipe,
        code: str,
        detail: str,
        *keys: str | int,
        category: str | None = None,
        suggestions: tuple[str, ...] = (),
        fix: SuggestedFix | None = None,
        is_warning: bool = False,
        on_key: bool = False,
        offset: int | None = None,
        **params: Json,
    ) -> None:
        """Add a fault about a pipe at a key of its table. `pipe` is added to the params if the registry lists it."""
        known = {"pipe": self.label(pipe), **{name: value for name, value in params.items() if value is not None}}
        self.faults.append(
            Fault(
                code,
                detail,
                self.source(pipe).locate(*keys, on_key=on_key, offset=offset),
                severity="warning" if is_warning else "error",
                category=category,
                params={name: value for name, value in known.items() if name in CORE_CODES[code].params},
                suggestions=suggestions,
                suggested_fix=fix,
            )
        )


def shown(slot: Slot) -> str:
    """A slot as messages write it, without the domain `native`."""
    text = str(slot)
    return text.removeprefix("native.")
