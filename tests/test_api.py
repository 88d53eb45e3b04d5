"""The public surface, and the README's promises about it."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

import pipelex
from pipelex import orchestration

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}[^\n]*\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_public_names_are_these():
    assert (
        sorted(pipelex.__all__)
        == pipelex.__all__
        == [
            "Absence",
            "ConfigurationError",
            "ErrorCategory",
            "ErrorReport",
            "Fault",
            "InputError",
            "Json",
            "Method",
            "MethodInvalidError",
            "Pipelex",
            "PipelexError",
            "RowRun",
            "RunHandle",
            "RunResult",
            "Stuff",
            "Verdict",
            "WorkingMemory",
            "__version__",
            "attach",
            "load",
            "run",
            "run_sync",
            "validate",
        ]
    )
    for name in pipelex.__all__:
        assert getattr(pipelex, name) is not None


def test_the_names_of_the_port_for_runs_are_these():
    assert orchestration.__all__ == [
        "GROUP",
        "IN_PROCESS",
        "PATIENCE",
        "Attributes",
        "EngineUnavailable",
        "OrchestratedRun",
        "Orchestrator",
        "OrchestratorFactory",
        "OrchestratorSetup",
        "ReadinessCheck",
        "RunCounts",
        "RunDescription",
        "RunFilter",
        "RunRequest",
        "RunSource",
        "RunState",
        "StartedRun",
        "Wait",
        "WaitKind",
        "chosen_name",
        "factory_of",
        "names",
    ]
    assert all(getattr(orchestration, name) is not None for name in orchestration.__all__)
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


FACES = (
    "pipelex.config",
    "pipelex.content",
    "pipelex.errors",
    "pipelex.language",
    "pipelex.orchestration",
    "pipelex.temporal",
)


@pytest.mark.parametrize("module", FACES)
def test_every_name_of_a_face_is_there(module: str) -> None:
    face = importlib.import_module(module)
    names = list(face.__all__)
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(face, name) is not None
        assert not name.startswith("_")


def test_the_public_names_for_a_worker_of_ones_own_are_these():
    from pipelex import temporal

    assert temporal.__all__ == ["MethodJob", "PipelexPlugin"]
    assert callable(temporal.PipelexPlugin.from_settings)
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = temporal.nothing_like_it  # pyright: ignore[reportUnknownVariableType]
