"""Finds the reads and the faults of a template without rendering it."""

import functools
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from pipelex.language.templates._facts import TemplateAnalysis, TemplateFault, TemplateRead
from pipelex.language.templates._filters import FILTERS_BY_CATEGORY
from pipelex.language.templates._sigils import Expansion, describe_inline, expand, normalise_line_ends

if TYPE_CHECKING:
    import jinja2
    import jinja2.nodes

MAX_CHARACTERS: Final = 256_000
MAX_TAGS: Final = 20_000
MAX_BRACKETS: Final = 24
MAX_BLOCKS: Final = 32
"""The maximum nesting of statements, and of brackets in one tag; more could overflow the parser when the stack is
already deep."""


class _AnalysisRefused(Exception):
    def __init__(self, fault: TemplateFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def analyse_template(template: str, *, category: str, sigils: bool, declared: Collection[str]) -> TemplateAnalysis:
    """Find what a template reads and what is wrong with it. Takes bounded time and memory, and never raises.

    Args:
        template: the text as its author wrote it.
        category: a key of `FILTERS_BY_CATEGORY`, which decides the filters that it may use.
        sigils: whether `$path`, `@path` and `@?path` are expanded.
        declared: the names from outside that the template may read: the pipe's inputs.
    """
    return _analyse(template, category, sigils, frozenset(declared))


@functools.lru_cache(maxsize=1024)  # a file's templates are analysed when it is read, and again when it is linked
def _analyse(template: str, category: str, sigils: bool, declared: frozenset[str]) -> TemplateAnalysis:
    source = normalise_line_ends(template)
    if len(source) > MAX_CHARACTERS:
        message = f"the template has {len(source):,} characters; the limit is {MAX_CHARACTERS:,}"
        return TemplateAnalysis(faults=(TemplateFault("too_large", message, 0),), is_parsed=False)
    expansion = expand(source, declared) if sigils else Expansion(source, (), ())
    faults = [
        TemplateFault(
            "inline_sigil" if sigil.is_refused else "glued_sigil", describe_inline(sigil), sigil.offset, sigil.path
        )
        for sigil in expansion.inline
    ]
    if not any(mark in expansion.text for mark in ("{{", "{%", "{#")):
        return TemplateAnalysis((), tuple(faults))
    try:
        reads, more = _parsed(expansion, category, declared)
    except _AnalysisRefused as refused:
        return TemplateAnalysis((), (*faults, refused.fault), is_parsed=False)
    return TemplateAnalysis(reads, tuple(sorted((*faults, *more), key=lambda fault: fault.offset)))


def parsed(template: str) -> "jinja2.nodes.Template | None":
    """The syntax tree of a template without sigils; None if it cannot be parsed."""
    import jinja2

    if not analyse_template(template, category="expression", sigils=False, declared=()).is_parsed:
        return None
    try:
        return _environment().parse(normalise_line_ends(template))
    except (jinja2.TemplateSyntaxError, RecursionError):
        return None


@functools.cache
def _environment() -> "jinja2.Environment":
    import jinja2

    return jinja2.Environment(autoescape=False)


def _parsed(
    expansion: Expansion, category: str, declared: frozenset[str]
) -> tuple[tuple[TemplateRead, ...], tuple[TemplateFault, ...]]:
    import jinja2

    from pipelex.language.templates._walk import Walker

    if expansion.text.count("{{") + expansion.text.count("{%") > MAX_TAGS:
        raise _AnalysisRefused(TemplateFault("too_large", f"the template has more than {MAX_TAGS:,} tags", 0))
    try:
        names = _name_offsets(expansion)
        tree = _environment().parse(expansion.text)
    except jinja2.TemplateSyntaxError as wrong:
        offset = expansion.original_offsets()(_line_start(expansion.text, wrong.lineno))
        raise _AnalysisRefused(TemplateFault("syntax", f"template syntax: {wrong.message}", offset)) from None
    except RecursionError:
        raise _AnalysisRefused(_too_deep(0)) from None
    filters = FILTERS_BY_CATEGORY.get(category, FILTERS_BY_CATEGORY["basic"])
    walker = Walker(declared, filters, category, names)
    if not walker.walk(tree):
        raise _AnalysisRefused(_too_deep(0))
    return tuple(walker.reads), tuple(walker.faults)


def _too_deep(offset: int) -> TemplateFault:
    return TemplateFault("too_large", "the template is nested too deeply", offset)


def _line_start(text: str, line: int) -> int:
    position = 0
    for _ in range(line - 1):
        found = text.find("\n", position)
        if found < 0:
            break
        position = found + 1
    return position


_OPENERS: Final = frozenset({"if", "for", "macro", "call", "filter", "with", "block", "autoescape"})


def _name_offsets(expansion: Expansion) -> dict[tuple[int, str], list[int]]:
    """The places of each variable name in the original, by line and name.

    Refuses a template that is nested too deeply.
    """
    found: dict[tuple[int, str], list[int]] = {}
    text = expansion.text
    position = brackets = blocks = 0
    previous = ""
    to_original = expansion.original_offsets()
    for line, kind, value in _environment().lexer.tokeniter(text, None):
        start = text.find(value, position) if value else position
        position = max(position, start) + len(value)
        if kind == "whitespace":
            continue
        if kind == "operator":
            brackets += (value in "([{") - (value in ")]}")
        elif kind == "name":
            if previous == "block_begin":
                blocks += (value in _OPENERS) - value.startswith("end")
            elif previous not in (".", "|", "is"):
                found.setdefault((line, value), []).append(to_original(start))
        elif kind.endswith("_begin"):
            brackets = 0
        if brackets > MAX_BRACKETS or blocks > MAX_BLOCKS:
            raise _AnalysisRefused(_too_deep(to_original(max(start, 0))))
        previous = kind if kind.endswith("_begin") else value
    return found
