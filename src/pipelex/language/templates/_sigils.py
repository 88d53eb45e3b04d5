"""The three sigils of prompts, expanded to Jinja2: `$path`, `@path` and `@?path`.

Source: MTHDS 8.0.0, section 9.1 of the language reference.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal

from pipelex.errors import PipelexError

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*+"
_PATH: Final = rf"{_NAME}(?:\.{_NAME})*+"

_ESCAPE: Final = re.compile(r"@@|\$\$")
# A name, blanks, then a bracket or a quote is a shell snippet, not a sigil.
_DOLLAR: Final = re.compile(rf"(?P<brace>(?<!\{{)\{{)?+(?<!\w)\$(?P<path>{_PATH})(?![ \t]++[({{\"'])")
_ALONE: Final = re.compile(rf"^[ \t]*+(?P<sigil>@\??(?P<path>{_PATH}))[ \t]*+$", re.MULTILINE)
# By the rules this is text, but if the name is an input's, the author hardly ever means text.
_GLUED: Final = re.compile(rf"(?<=\w)\$(?P<path>{_PATH})")
_BEFORE_BRACKET: Final = re.compile(rf"(?<!\w)\$(?P<path>{_PATH})(?=[ \t]++[({{\"'])")
_INLINE: Final = re.compile(rf"(?<!\w)@\??(?P<path>{_PATH})")
_LINE_BREAK: Final = re.compile(r"\r\n?")

_HIDDEN: Final = "\0"
_EXPANDED: Final = "}"
_WINDOW: Final = 200

SigilFault = Literal["inline", "odd_space", "glued", "before_bracket"]


@dataclass(frozen=True, slots=True)
class InlineSigil:
    """An `@name` or a `$name` that names an input, but is plain text because of the characters beside it."""

    path: str
    offset: int
    fault: SigilFault

    @property
    def is_refused(self) -> bool:
        """Whether it is an error; otherwise it stays text, although the author probably meant the input."""
        return self.fault in ("inline", "odd_space")


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Expansion:
    """A template with its sigils expanded, and the mapping back to places in the original."""

    text: str
    inline: tuple[InlineSigil, ...]
    edits: tuple[_Edit, ...]

    def original_offsets(self) -> Callable[[int], int]:
        """A function from places in `text` to places in the original; it must be called with ascending places."""
        remaining = iter(self.edits)
        current = next(remaining, None)
        shift = 0

        def original(offset: int) -> int:
            nonlocal current, shift
            while current is not None and offset >= current.start + shift:
                if offset < current.start + shift + len(current.text):
                    return current.start
                shift += len(current.text) - (current.end - current.start)
                current = next(remaining, None)
            return offset - shift

        return original


def normalise_line_ends(template: str) -> str:
    """The text with line feeds only."""
    return _LINE_BREAK.sub("\n", template) if "\r" in template else template


def expand(template: str, declared: Collection[str]) -> Expansion:
    """Expand every sigil of a template with line feeds only; an inline `@name` of a declared root is reported."""
    edits: list[_Edit] = []
    masked = _mask(template, _ESCAPE, _HIDDEN, edits, lambda match: match[0][0])
    masked = _mask(masked, _DOLLAR, _EXPANDED, edits, _expand_dollar)
    masked = _mask(masked, _ALONE, _EXPANDED, edits, _expand_at, "sigil")
    edits.sort(key=lambda edit: edit.start)
    inline = tuple(_inline_sigils(masked, declared)) if "@" in masked else ()
    if "$" in masked:
        inline += tuple(_text_sigils(masked, declared))
    return Expansion(_apply(template, edits), inline, tuple(edits))


def _expand_dollar(match: re.Match[str]) -> str:
    # A brace right before the sigil is the author's text; beside Jinja's own it would open a mapping.
    brace = "{{ '{' }}" if match["brace"] else ""
    return brace + "{{ " + match["path"] + "|format() }}"


def _expand_at(match: re.Match[str]) -> str:
    path = match["path"]
    tagged = "{{ " + path + f'|tag("{path}")' + " }}"
    return "{% if " + path + " %}" + tagged + "{% endif %}" if match["sigil"].startswith("@?") else tagged


def _mask(
    text: str,
    pattern: re.Pattern[str],
    filler: str,
    edits: list[_Edit],
    written: Callable[[re.Match[str]], str],
    group: str | int = 0,
) -> str:
    """Record an edit for every match, and replace it by as many fillers, so offsets stay those of the original."""

    def blank(match: re.Match[str]) -> str:
        edits.append(_Edit(match.start(group), match.end(group), written(match)))
        before = match[0][: match.start(group) - match.start()]
        after = match[0][match.end(group) - match.start() :]
        return before + filler * len(match[group]) + after

    return pattern.sub(blank, text)


def _apply(template: str, edits: list[_Edit]) -> str:
    parts: list[str] = []
    position = 0
    for edit in edits:
        parts += (template[position : edit.start], edit.text)
        position = edit.end
    parts.append(template[position:])
    return "".join(parts)


def _inline_sigils(masked: str, declared: Collection[str]) -> list[InlineSigil]:
    found: list[InlineSigil] = []
    for match in _INLINE.finditer(masked):
        path = match["path"]
        # A window is enough, because nobody puts hundreds of odd spaces beside a name.
        before = masked[max(0, match.start() - _WINDOW) : match.start()].rpartition("\n")[2]
        after = masked[match.end() : match.end() + _WINDOW].partition("\n")[0]
        if not before.strip() and not after.strip():
            found.append(InlineSigil(path, match.start(), "odd_space"))
        elif path.partition(".")[0] in declared:
            found.append(InlineSigil(path, match.start(), "inline"))
    return found


def _text_sigils(masked: str, declared: Collection[str]) -> list[InlineSigil]:
    patterns: tuple[tuple[re.Pattern[str], SigilFault], ...] = (
        (_GLUED, "glued"),
        (_BEFORE_BRACKET, "before_bracket"),
    )
    return [
        InlineSigil(match["path"], match.start(), fault)
        for pattern, fault in patterns
        for match in pattern.finditer(masked)
        if match["path"].partition(".")[0] in declared
    ]


def expand_sigils(template: str, *, declared: Collection[str] | None = None) -> str:
    """The Jinja2 text of a template with sigils.

    Args:
        template: the text as its author wrote it.
        declared: the names of the pipe's inputs. With them, an `@name` of an input inside a line is refused; without
            them it is left as text, which is right for a template that was checked when its file was read.

    Raises:
        PipelexError: `method.template_invalid`, for such an `@name`.
    """
    expansion = expand(normalise_line_ends(template), declared or ())
    wrong = [sigil for sigil in expansion.inline if sigil.is_refused]
    if declared is not None and wrong:
        first = wrong[0]
        fault = describe_inline(first)
        raise PipelexError("method.template_invalid", fault, params={"template": first.path, "finding": fault})
    return expansion.text


def describe_inline(sigil: InlineSigil) -> str:
    """The message about an inline sigil, with the text to write instead."""
    if sigil.fault == "odd_space":
        return f"'@{sigil.path}' has a non-ASCII space beside it: only spaces and tabs may stand on its line"
    written = f"write '{{{{ {sigil.path} }}}}'"
    if sigil.fault == "glued":
        return f"'${sigil.path}' is plain text here, because it follows a letter or a digit: {written}"
    if sigil.fault == "before_bracket":
        return f"'${sigil.path}' is plain text here, as in shell snippets, because of the bracket or quote after it: {written}"
    return f"'@{sigil.path}' must stand alone on its line; inside a line write '${sigil.path}'"


def code_size(template: str) -> int:
    """The number of characters of a template's Jinja2 text between braces."""
    size, place = 0, 0
    while True:
        starts = [start for mark in ("{{", "{%") if (start := template.find(mark, place)) >= 0]
        if not starts:
            return size
        start = min(starts)
        ends = [end for mark in ("}}", "%}") if (end := template.find(mark, start + 2)) >= 0]
        if not ends:
            return size + len(template) - start
        place = min(ends) + 2
        size += place - start
