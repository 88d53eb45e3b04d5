"""The budget of renderings, which counts work and never measures time, and the state of one rendering."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn, cast

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError

TagStyle = Literal["no_tag", "ticks", "xml", "square_brackets"]
TextFormat = Literal["plain", "markdown", "html", "json"]

PROMPT_CATEGORIES: Final = frozenset({"llm_prompt", "img_gen_prompt"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one rendering. They are counts, not times, so a template ends in the same way on every machine."""

    turns: int = 500_000
    """The maximum number of loop turns and single operations."""
    chars: int = 20_000_000
    """The maximum number of characters written, intermediate texts included."""
    width: int = 10_000
    """The maximum padding of one value, in characters."""
    depth: int = 50
    """The maximum nesting of macros, blocks and recursive loops."""
    digits: int = 4_096
    """The maximum size of a whole number, in bits."""


@dataclass(slots=True)
class Budget:
    """A budget that several renderings may share; each takes from it."""

    turns: int
    """See `Limits.turns`."""
    chars: int
    """See `Limits.chars`."""

    @classmethod
    def of(cls, limits: Limits) -> "Budget":
        """A new budget with all of its limits left."""
        return cls(limits.turns, limits.chars)


@dataclass(frozen=True, slots=True)
class Style:
    """The tags and formats of values."""

    tag_style: TagStyle = "xml"
    text_format: TextFormat = "plain"


class Attachments:
    """Images and documents of one model call, numbered in order of appearance.

    To number the files of a system text and a user text together, pass the same collector to both renderings, in this
    order.
    """

    def __init__(self) -> None:
        self._contents: dict[str, list[dict[str, Json]]] = {"Image": [], "Document": []}
        self._ranks: dict[tuple[str, str], int] = {}

    def token(self, native: str, content: Mapping[str, Json]) -> str:
        """The token of an `Image` or a `Document` content, which is attached if it is not yet."""
        key = (native, str(content.get("url")))
        if key not in self._ranks:
            self._contents[native].append(dict(content))
            self._ranks[key] = len(self._contents[native])
        return f"[{native} {self._ranks[key]}]"

    @property
    def images(self) -> tuple[dict[str, Json], ...]:
        return tuple(self._contents["Image"])

    @property
    def documents(self) -> tuple[dict[str, Json], ...]:
        return tuple(self._contents["Document"])


class RenderState:
    """The state of one rendering: the rest of its budget, and the collector of its attachments."""

    def __init__(
        self, limits: Limits, category: str, style: Style, attachments: Attachments, budget: Budget | None = None
    ) -> None:
        self.limits = limits
        self.category = category
        self.style = style
        self.attachments = attachments
        self._budget = budget or Budget.of(limits)
        self._depth = 0

    @property
    def is_prompt(self) -> bool:
        return self.category in PROMPT_CATEGORIES

    @property
    def is_html(self) -> bool:
        return self.category == "html"

    def spend(self, turns: int, operation: str) -> None:
        self._budget.turns -= turns
        if self._budget.turns < 0:
            exceed(operation, self.limits.turns)

    def write(self, chars: int, operation: str) -> None:
        self._budget.chars -= chars
        if self._budget.chars < 0:
            exceed(operation, self.limits.chars)

    @contextmanager
    def inside(self, operation: str) -> Generator[None]:
        """Run the block one level deeper."""
        if self._depth >= self.limits.depth:
            exceed(operation, self.limits.depth)
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1


STATE: ContextVar[RenderState] = ContextVar("pipelex_render_state")


def exceed(operation: str, limit: int) -> NoReturn:
    raise PipelexError(
        "pipe.template_budget_exceeded",
        f"the template does too much: {operation} goes beyond {limit:,}",
        category=ErrorCategory.CONTENT,
        advice="Do less in the template: shorter loops, narrower padding, or a separate step for the work.",
        params={"operation": operation, "limit": limit},
    )


def refuse(name: str, why: str) -> NoReturn:
    raise PipelexError(
        "security.template_refused",
        f"the template may not use '{name}': {why}",
        category=ErrorCategory.CONTENT,
        params={"name": name},
    )


def fail(detail: str, *, variable: str | None = None) -> NoReturn:
    params: dict[str, Json] = {} if variable is None else {"variable": variable}
    raise PipelexError("pipe.template_render_failed", detail, category=ErrorCategory.CONTENT, params=params)


# --- containers that a template makes
# --------------------------------------------------------------------------------------


class MadeList(list[Json]):
    """A list that the template made, with the size of its contents as a tree.

    `{% set x = [x, x] %}` doubles that tree at no cost, but comparing or printing it takes time for all of it.
    """

    weight: int = 0


class MadeTuple(tuple[Json, ...]):
    """A tuple made by the template; see `MadeList`."""

    weight: int = 0


class MadeDict(dict[str, Json]):
    """A mapping made by the template; see `MadeList`."""

    weight: int = 0


_NODE: Final = 16


class Weighable:
    """A value of a template that stands for a content."""

    __slots__ = ()

    template_content: Any
    """The content as JSON, in the form that the value's shape describes."""


def weigh(value: object, state: RenderState) -> int:
    """The size of a value as a tree, in characters; each node counts like a short word."""
    weight = 0
    visited = 0
    pending: list[object] = [value]
    while pending:
        current = pending.pop()
        visited += 1
        weight += _NODE
        if isinstance(current, MadeList | MadeTuple | MadeDict) and current.weight > 0:
            weight += current.weight
        elif isinstance(current, str):
            weight += len(current)
        elif isinstance(current, list | tuple):
            pending.extend(cast("list[object]", current))
        elif isinstance(current, dict):
            members = cast("dict[object, object]", current)
            pending.extend(members)
            pending.extend(members.values())
        elif isinstance(current, Weighable):
            pending.append(current.template_content)
        if weight > state.limits.chars:
            exceed("the size of a list", state.limits.chars)
    state.spend(visited // 8, "the size of a list")
    return weight


def made(value: Any, state: RenderState, *parts: Any) -> Any:
    """A container that the template just made, in the class that stores its weight.

    Args:
        value: the container.
        state: the state of the rendering.
        parts: the containers that it was joined from, if their weights are known.
    """
    if len(value) > state.limits.turns:
        exceed("the size of a list", state.limits.turns)
    weight = sum(weigh(part, state) for part in parts) if parts else weigh(value, state)
    if weight > state.limits.chars:
        exceed("the size of a list", state.limits.chars)
    found: MadeList | MadeTuple | MadeDict
    if isinstance(value, list):
        found = MadeList(cast("list[Json]", value))
    elif isinstance(value, tuple):
        found = MadeTuple(cast("tuple[Json, ...]", value))
    else:
        found = MadeDict(value)
    found.weight = weight
    return found
