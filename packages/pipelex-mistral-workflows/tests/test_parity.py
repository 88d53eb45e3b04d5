"""The parity cases on the real SDK: each as expected, and as in-process in everything that a user can see."""

import os
from pathlib import Path

import pytest

from mistral_project import serving, write_mistral_project
from mistral_stand_in.api import StandIn
from tests.support.parity_cases import Case, Seen, check, check_agreement, load_cases, run_case, stub_of

pytestmark = pytest.mark.usefixtures("polling")

ONE_IN_CI = 4
"""Continuous integration runs one of so many cases; `make test-mistral` all of them."""

CASES = load_cases()


def chosen() -> list[Case]:
    """Every case, or a part of them in which every file of cases is."""
    return CASES[::ONE_IN_CI] if os.environ.get("PIPELEX_MISTRAL_TESTS") == "few" else CASES


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.name)
async def test_mistral_workflows_agrees(case: Case, tmp_path: Path, stand_in: StandIn) -> None:
    seen: dict[str, Seen] = {}
    for name in ("direct", "mistral-workflows"):
        with stub_of(case) as stub:
            project = write_mistral_project(tmp_path / name, stub=stub.url, api=stand_in.url)
            async with project.app(name, overrides=case.data.get("settings")) as app:
                with serving(app):
                    seen[name] = await run_case(case, app, project, stub)  # pyright: ignore[reportArgumentType]
        check(case, seen[name])
    check_agreement(case, seen)
