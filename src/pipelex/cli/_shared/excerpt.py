"""The lines of a source file around a finding, with the place underlined."""

from pathlib import Path

from pipelex.cli._shared.console import Paint
from pipelex.errors import Location
from pipelex.errors.terminal import marked

_BEFORE = 1
_WIDEST = 160


def excerpt(location: Location, paint: Paint, colour: str) -> list[str]:
    """Numbered source lines and a line of carets; nothing when the file or the line is not known."""
    if location.file is None or location.line is None:
        return []
    try:
        source = Path(location.file).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    if not 1 <= location.line <= len(source):
        return []
    width = len(str(location.line))
    lines: list[str] = []
    for number in range(max(1, location.line - _BEFORE), location.line + 1):
        text = _shown(source[number - 1])
        if number < location.line and not text.strip():
            continue
        lines.append(f"  {paint(f'{number:>{width}} │', 'dim')} {text}")
    start, length = _span(location, source[location.line - 1])
    lines.append(f"  {' ' * width} {paint('│', 'dim')} {' ' * start}{paint('^' * length, colour, 'bold')}")
    return lines


def _shown(text: str) -> str:
    flat = marked(text).replace("\t", " ")  # one column per character, so that the carets stand below what they mean
    return flat if len(flat) <= _WIDEST else flat[: _WIDEST - 1] + "…"


def _span(location: Location, text: str) -> tuple[int, int]:
    """Where the carets begin, and how many there are."""
    indent = len(text) - len(text.lstrip())
    start = indent if location.column is None else min(location.column - 1, len(text))
    end = len(text.rstrip())
    if location.end_column is not None and location.end_line in (None, location.line):
        end = min(location.end_column - 1, len(text))
    start = min(start, _WIDEST - 1)
    return start, max(1, min(end, _WIDEST) - start)
