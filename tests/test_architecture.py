"""The shape of the source: no circles, one name for one thing, no crowded package, every long module introduced.

The layers themselves are contracts in `.importlinter`. Here and there an import counts wherever it stands: at the top of
a module, inside a function, under `TYPE_CHECKING`.
"""

import ast
import configparser
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest

import pipelex
from pipelex.library.python_source import parse_module

SOURCE = Path(pipelex.__file__).parent
MOST_MODULES = 15
"""The most modules that stand side by side in a package, its `__init__` not counted."""
ONE_FOR_EACH_PIPE_TYPE = "temporal/workflows"
"""The package whose modules are as many as there are pipe types: the sandbox loads the module of one definition."""
LONG = 60
"""Lines above which a module says in a docstring what it is about."""


@cache
def import_graph() -> Mapping[str, tuple[str, ...]]:
    """Each module of the package with the modules of the package that it imports, wherever the import stands."""
    graph: Any = grimp.build_graph("pipelex", exclude_type_checking_imports=False)
    return {module: tuple(sorted(graph.find_modules_directly_imported_by(module))) for module in sorted(graph.modules)}


def circles(graph: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """The groups of modules that import one another, directly or through others (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        path.append(module)
        for imported in graph[module]:
            if imported not in order:
                visit(imported)
                lowest[module] = min(lowest[module], lowest[imported])
            elif imported in path:
                lowest[module] = min(lowest[module], order[imported])
        if lowest[module] == order[module]:
            group = path[path.index(module) :]
            del path[path.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in graph:
        if module not in order:
            visit(module)
    return found


def modules() -> Iterator[Path]:
    return (file for file in sorted(SOURCE.rglob("*.py")))


@cache
def tree_of(file: Path) -> ast.Module:
    return parse_module(file.read_bytes())


def named(file: Path) -> str:
    return str(file.relative_to(SOURCE))


def test_circles_are_found() -> None:
    straight = {"a": ("b", "c"), "b": ("c",), "c": ()}
    assert circles(straight) == []
    assert circles({**straight, "c": ("a",), "d": ("a",), "e": ("f",), "f": ("e",)}) == [["a", "b", "c"], ["e", "f"]]


def test_every_import_counts(tmp_path: Path, monkeypatch: Any) -> None:
    """The graph that the contracts and these tests look at has imports of functions and of type checking in it."""
    package = tmp_path / "shapes_of_imports"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "low.py").touch()
    (package / "top.py").write_text("from shapes_of_imports import low\n")
    (package / "typed.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from shapes_of_imports.low import x\n"
    )
    (package / "lazy.py").write_text("def use():\n    from shapes_of_imports.low import x\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    graph: Any = grimp.build_graph("shapes_of_imports", exclude_type_checking_imports=False, cache_dir=None)
    importers = {f"shapes_of_imports.{name}" for name in ("top", "typed", "lazy")}
    assert graph.find_modules_that_directly_import("shapes_of_imports.low") == importers


@pytest.mark.slow
def test_no_circles() -> None:
    new = circles(import_graph())
    assert not new, "modules that import one another"


def test_contracts_count_every_import() -> None:
    settings = configparser.ConfigParser()
    settings.read(SOURCE.parents[1] / ".importlinter")
    assert settings["importlinter"].getboolean("exclude_type_checking_imports") is False


@pytest.mark.slow
def test_no_two_classes_of_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in modules():
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{named(file)}:{node.lineno}")
    new = {name: found for name, found in places.items() if len(found) > 1}
    assert not new, "classes of one name"


@pytest.mark.slow
@pytest.mark.parametrize("other", ["Finding", "Issue", "Mistake", "Problem", "Violation"])
def test_what_is_wrong_with_a_file_is_called_a_fault(other: str) -> None:
    found = [
        f"{named(file)}: {node.name}"
        for file in modules()
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.ClassDef) and other in node.name
    ]
    assert not found


def test_no_crowded_package() -> None:
    counts = {
        named(folder): len([file for file in folder.glob("*.py") if file.name != "__init__.py"])
        for folder in sorted({file.parent for file in modules()})
        if named(folder) != ONE_FOR_EACH_PIPE_TYPE
    }
    new = {folder: count for folder, count in counts.items() if count > MOST_MODULES}
    assert not new, "packages with too many modules side by side"


def test_long_modules_are_introduced() -> None:
    new = [
        named(file)
        for file in modules()
        if len(file.read_text(encoding="utf-8").splitlines()) > LONG and not ast.get_docstring(tree_of(file))
    ]
    assert not new, "long modules without a docstring"
