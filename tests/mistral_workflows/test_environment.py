"""What is missing, and what does not go together, is said before an import fails."""

from importlib import metadata
from importlib.util import find_spec
from typing import Any

import pytest

from pipelex.errors import PipelexError
from pipelex.mistral_workflows import environment


def requires(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    wanted = ["temporalio<1.30,>=1.29", "mistralai<3,>=2.9.3", "boto3>=1; extra == 'all'"]

    def requires_of(_: str) -> list[str]:
        return wanted

    monkeypatch.setattr(metadata, "requires", requires_of)
    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"temporalio": "1.35.0", "mistralai": "2.10.1"}, ["temporalio 1.35.0"]),
        ({"temporalio": "1.30.0", "mistralai": "3.7.0"}, ["temporalio 1.30.0", "mistralai 3.7.0"]),
        ({"temporalio": "1.29.9", "mistralai": "2.99.0"}, []),
        ({}, []),
    ],
)
def test_what_does_not_go_together(monkeypatch: pytest.MonkeyPatch, versions: dict[str, Any], said: list[str]) -> None:
    requires(monkeypatch, **versions)
    found = list(environment.conflicts())
    assert [fault.detail.partition(" is installed")[0] for fault in found] == said
    assert all("a separate environment" in fault.detail for fault in found)


def test_without_the_sdk_there_is_no_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert list(environment.conflicts()) == []


def test_a_missing_client_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:

    def find_others(name: str) -> object:
        return None if name.startswith("mistralai") else find_spec(name)

    monkeypatch.setattr(environment, "find_spec", find_others)
    with pytest.raises(PipelexError) as missing:
        environment.require_client()
    assert "mistral-workflows]" in (missing.value.report.advice or "")


def test_a_missing_worker_is_told_with_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, advice in (((3, 11, 7), "Make an environment with Python 3.12"), ((3, 13, 0), "Install it:")):
        monkeypatch.setattr(environment.sys, "version_info", version)
        report = environment.no_worker().report
        assert "pipelex-mistral-workflows" in report.detail
        assert "3.12" in report.detail
        assert (report.advice or "").startswith(advice)
