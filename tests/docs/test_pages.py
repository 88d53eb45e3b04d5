"""Every page is a session in a folder of its own: its blocks are executed in the order in which a reader meets them.

| block | what happens |
|---|---|
| any language, with `title="NAME"` | the file `NAME` is written |
| `console` | each line that begins with `$ ` is run by a shell (`export` holds for the page); what stands below is its output, in which `…` is anything |
| `python` | run as a program; a `text` block right behind it is what it prints |

A comment before a block says what is special about it, and is invisible to readers:

- `<!-- exit: N -->`: the last command of the block ends with N instead of 0
- `<!-- background: TEXT -->`: the command goes on in the background; the next block waits until it has printed TEXT
- `<!-- not run: REASON -->`: the block is not executed, because …

`pipelex dev` listens at a free port, and clients know it. The models of the pages are a stand-in that speaks OpenAI's protocol; `answers.json` holds its rules.
"""

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipelex.language.blueprints import PIPE_TYPES
from tests.support.openai_server import OpenAIStub, Rule
from tests.support.pages import DOCS, PROVIDERS, README, Session, blocks_of, place, text_of

ANSWERS = Path(__file__).parent / "answers.json"
TRIED_ELSEWHERE = {"inputs.md": "test_inputs", "language.md": "test_language", "testing.md": "test_testing"}
"""Pages whose blocks have tests of their own."""

PAGES = sorted(
    page
    for page in [README, *(file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")), *PROVIDERS]
    if page not in TRIED_ELSEWHERE and any(block.language in ("console", "python") for block in blocks_of(page))
)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    rules = [Rule.from_json(rule) for rule in json.loads(ANSWERS.read_text(encoding="utf-8"))]
    with ExitStack() as stack:
        stub = stack.enter_context(OpenAIStub(rules))
        folder = tmp_path / "work"
        folder.mkdir()
        found = Session(folder, stub)
        stack.callback(found.close)
        yield found


def is_durable(page: str) -> bool:
    return any(block.background is not None for block in blocks_of(page))


@pytest.mark.timeout(400)
@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, id=page, marks=[pytest.mark.server] if is_durable(page) else []) for page in PAGES],
)
def test_a_page(session: Session, page: str) -> None:
    blocks = blocks_of(page)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.reason is None:
            session.perform(block, following)


READERS: Mapping[str, Callable[[str], object]] = {"json": json.loads, "python": ast.parse, "toml": tomllib.loads}
"""Language → what reads it, and raises if it is wrong."""


@pytest.mark.parametrize("page", [README, *sorted(file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md"))])
def test_blocks_can_be_read(page: str) -> None:
    """Also those that are not executed, and parts of files."""
    for block in blocks_of(page):
        try:
            READERS.get(block.language, str)(block.text)
        except (SyntaxError, ValueError) as wrong:
            raise AssertionError(f"{place(block)}: {wrong}") from None


def test_reasons_are_given() -> None:
    for page in PAGES:
        for block in blocks_of(page):
            assert block.reason is None or len(block.reason.split()) > 2, place(block)


def test_every_pipe_type_has_an_example() -> None:
    """A section, and in it a bundle with the type and something that runs it."""
    sections = re.split(r"^## ", (DOCS / "reference/pipes.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    shown = {section.partition("\n")[0]: section for section in sections}
    assert set(shown) == set(PIPE_TYPES)
    for name, section in shown.items():
        assert re.search(rf'^type +?= "{name}"$', section, re.MULTILINE), name
        assert "```console" in section or "```python\n" in section, name


def rows_of(page: str) -> dict[str, list[str]]:
    """The rows of a page's tables by their first cell; the first table that has one counts."""
    found: dict[str, list[str]] = {}
    for line in text_of(page).splitlines():
        if line.startswith("| "):
            first, *others = [cell.strip() for cell in line.strip("|").split("|")]
            found.setdefault(first, others)
    return found


def test_the_comparison_has_the_figures_of_the_benchmarks() -> None:
    measured = rows_of("benchmarks.md")
    shown = {row: cells for row, cells in rows_of("explanation/comparison.md").items() if row and row in measured}
    assert len(shown) == 3
    for row, cells in shown.items():
        events, _, _, _, wall, cpu, _ = measured[row]
        assert cells == [figure.rsplit("/ ", 1)[1] for figure in (events, cpu, wall)], row
