"""Every block of the language reference, and every reference to its sections."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import pipelex
from pipelex.library.python_source import parse_module

ROOT = Path(__file__).parents[2]
FUNCTION = r'function_name = "(\w+)\.\w+"'
"""The module of a function, which a block of Python behind the bundle holds."""

PAGE = ROOT / "docs" / "language.md"
TEXT = PAGE.read_text(encoding="utf-8")
REFUSED = "# refused: "


class Block(NamedTuple):
    language: str
    line: int
    text: str


class Run(NamedTuple):
    """A bundle, its inputs and its result."""

    line: int
    method: str
    inputs: dict[str, Any]
    content: dict[str, Any] | None
    text: str


def blocks() -> list[Block]:
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [Block(each[1], TEXT[: each.start()].count("\n") + 1, each[2]) for each in found]


def bundles() -> list[Block]:
    return [block for block in blocks() if block.language == "toml"]


def runs() -> Iterator[Run]:
    """The bundles that two blocks of data follow."""
    found = [block for block in blocks() if block.language != "python"]
    for method, inputs, result in zip(found, found[1:], found[2:], strict=False):
        if (method.language, inputs.language) == ("toml", "json") and result.language in ("json", "text"):
            content = json.loads(result.text) if result.language == "json" else None
            yield Run(method.line, method.text, json.loads(inputs.text), content, result.text)


def written(folder: Path, text: str) -> Path:
    for method, module in zip(blocks(), blocks()[1:], strict=False):
        if (method.text, module.language) == (text, "python"):
            (folder / f"{re.findall(FUNCTION, text)[0]}.py").write_text(module.text, encoding="utf-8")
    file = folder / "method.mthds"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("block", bundles(), ids=lambda block: f"line {block.line}")
def test_bundles(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    verdict = pipelex.validate(written(tmp_path, block.text))
    first = block.text.partition("\n")[0]
    expected = first.removeprefix(REFUSED).split() if first.startswith(REFUSED) else []
    assert sorted(fault.code for fault in verdict.errors) == expected
    assert verdict.warnings == ()


@pytest.mark.parametrize("run", list(runs()), ids=lambda run: f"line {run.line}")
async def test_runs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = await pipelex.run(written(tmp_path, run.method), run.inputs)
    if run.content is None:
        assert result.text.strip() == run.text.strip()
    else:
        assert result.main_stuff.content == run.content


def test_examples_run() -> None:
    assert len(list(runs())) >= 5
    assert {block.language for block in blocks()} == {"toml", "python", "json", "text"}


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_to_headings() -> None:
    anchors = {anchor(heading) for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


@pytest.mark.slow
def test_docstrings_name_sections_that_exist() -> None:
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", TEXT, re.MULTILINE))
    named: dict[str, str] = {}
    for file in sorted((ROOT / "src" / "pipelex").rglob("*.py")):
        for node in ast.walk(parse_module(file.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = " ".join(node.value.split())
                for said in re.findall(
                    r"sections? ((?:[\d.]+\d|\d+)(?:(?:, | and | to )\d[\d.]*)*) of the language", text
                ):
                    named |= dict.fromkeys(re.findall(r"\d+(?:\.\d+)?", said), file.name)
    assert len(named) > 20
    assert {section: file for section, file in named.items() if section not in sections} == {}
