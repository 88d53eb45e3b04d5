"""CONTRIBUTING names files that exist, in recipes of at most eight."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "pipelex"
RECIPES = {
    title: re.findall(r"^\d+\. (.*(?:\n   .*)*)", body, re.MULTILINE)
    for title, body in re.findall(r"^### (.+)\n((?:(?!^##).*\n)*)", TEXT, re.MULTILINE)
}
STEPS = {title: steps for title, steps in RECIPES.items() if steps}


def test_there_is_a_recipe_for_each_kind_of_change() -> None:
    kinds = {"A pipe type", "An effect", "A provider", "An orchestrator", "A command", "A setting"}
    assert STEPS.keys() == kinds


@pytest.mark.parametrize("title", STEPS)
def test_recipes_are_short(title: str) -> None:
    assert 3 <= len(STEPS[title]) <= 8


def exists(name: str) -> bool:
    return any((base / name).exists() for base in (ROOT, SOURCE, ROOT / "tests" / "durable"))


def test_files_exist() -> None:
    known = re.findall(r"`([\w./]+\.(?:py|toml|md|lock))`", TEXT)
    missing = {name for name in known if "/" in name and not exists(name)}
    assert not missing
    assert len(known) > 40


def test_the_map_has_every_package() -> None:
    packages = {file.parent.name for file in SOURCE.glob("*/__init__.py")}
    rows = re.findall(r"^\| (`[^|]+) \|", TEXT, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == packages
