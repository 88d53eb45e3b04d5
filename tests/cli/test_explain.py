"""`pipelex explain`."""

import json
from pathlib import Path

import pytest

from pipelex.errors import ErrorReport
from tests.cli.conftest import Cli


@pytest.mark.parametrize(
    "said",
    [
        "method.cycle",
        "MethodCycle",
        "https://mthds.ai/errors/method.cycle",
        "https://docs.example.com/latest/errors/method.cycle/",
        "https://docs.example.com/latest/reference/errors/#method.cycle",
    ],
)
def test_a_code_in_every_spelling(cli: Cli, said: str) -> None:
    ended = cli("explain", said)
    assert ended.code == 0
    assert ended.out.startswith("# method.cycle\n")
    assert "**What to do.**" in ended.out


def test_json(cli: Cli) -> None:
    found = json.loads(cli("explain", "provider.rate_limited", "--json").out)
    assert found["retry"] == "yes"
    assert found["http_status"] == 429
    assert "Rate limit" in found["example"]


def test_the_document_that_a_failed_run_leaves(cli: Cli, tmp_path: Path) -> None:
    document = tmp_path / "problem.json"
    document.write_text(json.dumps(ErrorReport("method.cycle", "a leads to a").to_problem()), encoding="utf-8")
    assert cli("explain", str(document)).out.startswith("# method.cycle\n")
    assert cli("explain", "-", stdin=document.read_text(encoding="utf-8")).out.startswith("# method.cycle\n")


@pytest.mark.parametrize("text", ["[]", "{}", "Error: no", '{"code": 3}'])
def test_a_document_that_is_none(cli: Cli, tmp_path: Path, text: str) -> None:
    document = tmp_path / "problem.json"
    document.write_text(text, encoding="utf-8")
    ended = cli("explain", str(document))
    assert ended.code == 2
    assert "no problem document" in ended.err or "is not a code" in ended.err


def test_a_document_that_is_not_there(cli: Cli) -> None:
    ended = cli("explain", "nowhere.json")
    assert (ended.code, "nowhere.json' cannot be read" in ended.err) == (2, True)


def test_an_unknown_code(cli: Cli) -> None:
    ended = cli("explain", "metod.cycle")
    assert ended.code == 2
    assert "Did you mean 'method.cycle'" in ended.err


def test_all_codes(cli: Cli) -> None:
    told = cli("explain").out.splitlines()
    assert any(line.startswith("input.missing ") for line in told)
    assert not any(line.startswith("auth.forbidden ") for line in told)
    assert len(json.loads(cli("explain", "--json").out)) > 100
