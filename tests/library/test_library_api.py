"""The package's public names, and what importing it costs."""

import subprocess
import sys

import pytest

import pipelex.library


def test_public_names() -> None:
    assert pipelex.library.__all__ == sorted(pipelex.library.__all__, key=lambda name: (not name.isupper(), name))
    assert set(pipelex.library.__all__) == {
        "ANYTHING", "DYNAMIC", "CheckModel", "Concept", "Declaration", "Library", "LibraryCrate",
        "LinkedBundles", "LinkedLibraries", "LoadedFiles", "LoadedLibrary",
        "MethodFile", "MethodTree", "ModelUse", "PackageBundles", "PathFault", "Pipe",
        "TreeRules", "Verdict", "check_is_bundle", "dotted", "focused", "link", "linked_libraries", "load_files", "load_library", "load_library_files",
        "load_paths",
        "missing_target", "model_uses", "ready_pipes", "validate", "walk_path", "walk_tree",
    }  # fmt: skip
    assert all(hasattr(pipelex.library, name) for name in pipelex.library.__all__)


@pytest.mark.slow
def test_heavy_libraries_are_not_imported() -> None:
    heavy = ("jinja2", "tree_sitter", "temporalio", "pydantic_ai", "openai", "httpx", "rich", "jsonschema")
    program = f"import sys, pipelex.library; print(*(name for name in {heavy!r} if name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert loaded.strip() == ""
