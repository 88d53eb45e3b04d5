"""`pipelex explain`."""

import json

import pytest

from tests.cli.conftest import Cli


@pytest.mark.parametrize("said", ["method.cycle", "MethodCycle", "https://mthds.ai/errors/method.cycle"])
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


def test_an_unknown_code(cli: Cli) -> None:
    ended = cli("explain", "metod.cycle")
    assert ended.code == 2
    assert "Did you mean 'method.cycle'" in ended.err


def test_all_codes(cli: Cli) -> None:
    told = cli("explain").out.splitlines()
    assert any(line.startswith("input.missing ") for line in told)
    assert not any(line.startswith("auth.forbidden ") for line in told)
    assert len(json.loads(cli("explain", "--json").out)) > 100
