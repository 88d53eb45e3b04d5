"""The public surface, and the README's promises about it."""

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

import pipelex
from pipelex import orchestration

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}[^\n]*\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


EXPORTS = tomllib.loads((ROOT / "tests" / "exports.toml").read_text(encoding="utf-8"))


def exported(module: str) -> list[str]:
    return list(importlib.import_module(module).__all__)


@pytest.mark.parametrize("module", EXPORTS)
def test_the_names_of_a_face_are_these(module: str) -> None:
    names = exported(module)
    assert names == EXPORTS[module]["names"]
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(importlib.import_module(module), name) is not None
        assert not name.startswith("_") or name == "__version__"


def test_every_face_is_pinned() -> None:
    packages = {f"pipelex.{module.name}" for module in pkgutil.iter_modules(pipelex.__path__) if module.ispkg}
    faces = {name for name in packages if hasattr(importlib.import_module(name), "__all__")}
    assert {*faces, "pipelex"} == set(EXPORTS)


def test_every_orchestrator_is_found_by_its_name() -> None:
    assert orchestration.names() == ("direct", "mistral-workflows", "temporal")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = pipelex.nothing_like_it  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]


def test_importing_the_package_loads_none_of_it():
    code = "import sys, pipelex; print([name for name in sys.modules if name.startswith(('pipelex.', 'pydantic'))])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_method_of_the_readme_is_valid(tmp_path: Path):
    (method,) = [block for block in blocks("toml") if "main_pipe" in block]
    path = tmp_path / "kitchen.mthds"
    path.write_text(method, encoding="utf-8")
    verdict = pipelex.validate(path)
    assert verdict.errors == ()
    assert verdict.is_runnable


def test_a_result_comes_as_a_type_of_ones_own(tmp_path: Path):
    class Recipe(BaseModel):
        name: str
        ingredients: list[str]

    (method,) = [block for block in blocks("toml") if "main_pipe" in block]
    path = tmp_path / "kitchen.mthds"
    path.write_text(method, encoding="utf-8")
    result = pipelex.run_sync(path, {"occasion": "a birthday"}, dry_run=True)
    assert result.output_as(Recipe).ingredients
    assert result.main_stuff.concept == "kitchen.Recipe"


def test_a_faulty_method_raises_with_all_its_faults(tmp_path: Path):
    path = tmp_path / "faulty.mthds"
    path.write_text(
        'domain = "d"\n[pipe.a]\ntype = "PipeLLM"\ndescription = "x"\noutput = "Nowhere"\nprompt = "$who"\n',
        encoding="utf-8",
    )
    with pytest.raises(pipelex.MethodInvalidError) as raised:
        pipelex.load(path)
    found = {(fault.code, fault.location.line) for fault in raised.value.faults}
    assert found == {("method.concept_unresolved", 5), ("method.input_undeclared", 6)}
