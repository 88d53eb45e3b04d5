"""Finds the dotted names in a template, with their places; names of loops and `set`s are traced to their values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_CHAIN: Final = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_SIGIL: Final = re.compile(rf"(?<![\w$@])(?:\$|@\??)(?P<chain>{_CHAIN})")
_TAG: Final = re.compile(r"\{\{(?P<print>.*?)(?:\}\}|$)|\{%-?(?P<statement>.*?)(?:%\}|$)|\{#.*?(?:#\}|$)", re.DOTALL)
_TOKEN: Final = re.compile(
    rf"""(?P<attribute>\battribute\s*=\s*['"](?P<path>[\w.]+)['"])|(?P<text>'[^']*'?|"[^"]*"?)"""
    rf"""|(?P<skipped>\|\s*\w+|\bis\s+(?:not\s+)?\w+|\b\w+\s*=(?!=))|(?P<chain>(?<![\w.]){_CHAIN})"""
)
_LOOP: Final = re.compile(rf"\s*for\s+(?P<name>[A-Za-z_]\w*)\s+in\s+(?P<chain>{_CHAIN})")
_SET: Final = re.compile(rf"\s*set\s+(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<chain>{_CHAIN})\s*-?$")
_OTHER_TARGETS: Final = re.compile(r"\s*(?:for\s+(?P<loop>[\w\s,]+?)\s+in\b|set\s+(?P<set>[A-Za-z_]\w*))")
_ESCAPE: Final = re.compile(r"\\.")
_KEYWORDS: Final = (
    "and block call elif else endblock endcall endfilter endfor endif endmacro endraw endset endwith false filter for if"
    " in is loop macro namespace none not or range raw recursive set true with False None True caller dict self"
)
_WORDS: Final = frozenset(_KEYWORDS.split())


@dataclass(frozen=True, slots=True)
class Chain:
    """A dotted name in a template, and the path from an input that it stands for."""

    start: int
    names: tuple[str, ...]
    base: tuple[str, ...] | None = None
    """The path that the first name stands for; None if the first name is itself an input."""

    @property
    def path(self) -> tuple[str, ...]:
        return self.names if self.base is None else (*self.base, *self.names[1:])

    def spans(self) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """The place of each name, and the path to it. A first name that stands for a path is left out."""
        place = self.start
        for index, name in enumerate(self.names):
            if index or self.base is None:
                yield place, place + len(name), self.path[: len(self.path) - len(self.names) + index + 1]
            place += len(name) + 1


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A template as it is written in a file."""

    text: str
    """The text between its quotes."""
    has_sigils: bool = True
    is_expression: bool = False
    """Whether all of it is one expression."""
    has_escapes: bool = False


def chains(template: TemplateText) -> list[Chain]:
    """Every dotted name of a template, in order."""
    text = _ESCAPE.sub(lambda match: " " * len(match[0]), template.text) if template.has_escapes else template.text
    if template.is_expression:
        return list(_in_code(text, 0, {}, {}))
    found: list[Chain] = []
    bound: dict[str, tuple[str, ...] | None] = {}
    hidden = list(text)
    for match in _TAG.finditer(text):
        hidden[match.start() : match.end()] = " " * (match.end() - match.start())
        kind = "print" if match["print"] is not None else "statement"
        if match[kind] is None:
            continue
        found += _in_code(match[kind], match.start(kind), bound, _targets(match[kind]) if kind == "statement" else {})
        if kind == "statement":
            _bind(match[kind], bound)
    if template.has_sigils:
        plain = "".join(hidden)
        found += [Chain(match.start("chain"), tuple(match["chain"].split("."))) for match in _SIGIL.finditer(plain)]
    return sorted(found, key=lambda chain: chain.start)


def bound_at(template: TemplateText, offset: int) -> dict[str, tuple[str, ...] | None]:
    """The names of loops and `set`s at a place → the paths that they stand for; None for anything else."""
    bound: dict[str, tuple[str, ...] | None] = {}
    for match in _TAG.finditer(template.text, 0, offset):
        if match["statement"] is not None and match.end() <= offset:
            _bind(match["statement"], bound)
    return bound


def _targets(code: str) -> dict[str, None]:
    """The names that a statement assigns rather than reads."""
    match = _OTHER_TARGETS.match(code)
    names = "" if match is None else match["loop"] or match["set"] or ""
    return dict.fromkeys(re.findall(r"[A-Za-z_]\w*", names))


def _bind(code: str, bound: dict[str, tuple[str, ...] | None]) -> None:
    for name in _targets(code):
        bound[name] = None
    match = _LOOP.match(code) or _SET.match(code)
    if match is not None:
        names = tuple(match["chain"].split("."))
        base = bound.get(names[0], (names[0],))
        bound[match["name"]] = None if base is None else (*base, *names[1:])


def _in_code(code: str, start: int, bound: dict[str, tuple[str, ...] | None], made: dict[str, None]) -> Iterator[Chain]:
    last: Chain | None = None
    left = dict(made)
    for match in _TOKEN.finditer(code):
        if match["attribute"] is not None:
            if last is not None:
                names = (last.names[-1], *match["path"].split("."))
                place = start + match.start("path") - len(last.names[-1]) - 1
                yield Chain(place, names, base=last.path)
        elif match["chain"] is not None:
            names = tuple(match["chain"].split("."))
            if names[0] in left:
                del left[names[0]]
            elif names[0] not in _WORDS and bound.get(names[0], ()) is not None:
                last = Chain(start + match.start("chain"), names, bound.get(names[0]))
                yield last
