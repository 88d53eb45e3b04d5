"""A corpus written from the language reference alone: focused bundles, each for one sentence, and whole methods.

`focused/` holds one bundle a case, `expectations.toml` what a validator must say of it; `methods/` holds methods of the
size people publish, which must validate without keys and run dry on made-up inputs, pipe by pipe.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipelex.config import load_settings
from pipelex.errors import CORE_CODES
from pipelex.runner import Pipelex

HERE = Path(__file__).parent
EXPECTATIONS: dict[str, dict[str, Any]] = tomllib.loads((HERE / "expectations.toml").read_text(encoding="utf-8"))
METHODS = sorted((HERE / "methods").iterdir())


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Pipelex:
    """The packaged configuration, without any key."""
    home = tmp_path_factory.mktemp("home")
    return Pipelex(load_settings(cwd=home, environ={"HOME": str(home)}), orchestrator="direct")


def test_the_table_and_the_files_agree() -> None:
    assert sorted(EXPECTATIONS) == sorted(path.stem for path in (HERE / "focused").iterdir())
    assert len(EXPECTATIONS) >= 370
    assert len(METHODS) >= 25


@pytest.mark.parametrize("name", EXPECTATIONS)
def test_the_verdict_is_the_expected_one(name: str, app: Pipelex) -> None:
    expected = EXPECTATIONS[name]
    verdict = app.open(HERE / "focused" / f"{name}.mthds").verdict
    found = {(fault.code, fault.category) for fault in verdict.errors}
    if expected.get("valid"):
        assert verdict.errors == ()
        assert bool(verdict.pending_signatures) == expected.get("pending", False)
        about_method = {fault.code for fault in verdict.warnings if not fault.code.startswith("model.")}
        assert about_method == ({expected["warns"]} if "warns" in expected else set())
        return
    assert {code for code, _ in found} == {expected["code"]}, [fault.detail for fault in verdict.errors]
    if "category" in expected:
        assert {category for _, category in found} == {expected["category"]}
    for fault in verdict.errors:
        assert fault.location.file is not None
        assert fault.location.line is not None
        assert set(fault.params) <= set(CORE_CODES[fault.code].params)
        assert fault.detail


@pytest.mark.parametrize("path", METHODS, ids=lambda path: path.stem)
async def test_a_published_method_validates_and_runs_dry(path: Path, app: Pipelex) -> None:
    method = app.open(path)
    assert method.verdict.errors == ()
    idle = {"model.unavailable", "model.unspecified", "model.capability_unsupported"}  # without a key
    assert {fault.code for fault in method.verdict.warnings} <= idle
    for ref, pipe in method.library.pipes.items():
        concept = "open.answers.Person" if pipe.output.concept == "native.Dynamic" else None
        result = await method.run(pipe=ref, dry_run=True, mock=True, output_concept=concept)
        assert result.main_stuff.concept == (concept or result.main_stuff.concept)
        assert result.main_stuff.content is not None


def test_a_sigil_that_reads_as_a_shell_snippet_is_explained(app: Pipelex) -> None:
    (fault,) = (
        fault
        for fault in app.open(HERE / "focused" / "09_shell_guard.mthds").verdict.errors
        if fault.code == "method.input_unused"
    )
    assert "shell snippets" in fault.detail
    assert "'{{ seed }}'" in fault.detail
