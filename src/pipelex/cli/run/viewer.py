"""A result as a page to look into: its rendering, and its data as a tree that folds."""

import html
import json
from collections.abc import Iterator
from typing import Final

from pipelex.errors import Json
from pipelex.tooling.pages import cleaned, written_page

_OPEN_BELOW: Final = 3
"""Levels of the tree that are unfolded at first."""
_DEEPEST: Final = 50
"""Levels of the tree; what is below stays one line."""
_STYLE: Final = """
body { margin: 2em auto; max-width: 60em; padding: 0 1em; font: 15px system-ui, sans-serif; color: #1d2733; }
section { border: 1px solid #d8dde3; border-radius: 6px; padding: 0 1em 1em; margin: 1em 0; }
details { margin-left: 1.2em; }
summary { cursor: pointer; margin-left: -1.2em; }
.leaf { margin-left: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.key { color: #4a6fa5; font-weight: 600; }
.kind { color: #67727f; }
"""


def viewer_page(title: str, rendering: str, content: Json) -> str:
    """The page; it fetches nothing and runs nothing.

    Args:
        title: the pipe's reference.
        rendering: the result as HTML.
        content: the result as JSON.
    """
    tree = "\n".join(_tree("result", content, 0))
    body = (
        f"<h1>{html.escape(title)}</h1>\n<section><h2>Result</h2>\n{cleaned(rendering)}\n</section>\n"
        f"<section><h2>Data</h2>\n{tree}\n</section>"
    )
    return written_page(title, body, style=_STYLE)


def _tree(name: str, value: Json, level: int) -> Iterator[str]:
    key = f'<span class="key">{html.escape(name)}</span>'
    if not isinstance(value, dict | list) or not value or level > _DEEPEST:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f'<div class="leaf">{key}: {html.escape(text)}</div>'
        return
    if isinstance(value, dict):
        members = list(value.items())
        kind = f"{len(members)} fields"
    else:
        members = [(str(rank), item) for rank, item in enumerate(value)]
        kind = f"{len(members)} items"
    yield f'<details{" open" if level < _OPEN_BELOW else ""}><summary>{key} <span class="kind">{kind}</span></summary>'
    for member, inner in members:
        yield from _tree(member, inner, level + 1)
    yield "</details>"
