"""Whatever the files hold, the outcome is a verdict."""

import random
import re

import pytest

from pipelex.errors import CORE_CODES
from pipelex.library import load_library_files
from tests.library.test_library_faults import CASES, HEAD, OTHER_FILES
from tests.library.test_library_valid import CONCEPTS, VALID

_TOKEN = re.compile(r'"[^"\n]*"|[\w.]+|\s+|.')


def mutated(text: str, chance: random.Random) -> str:
    """The text with a few of its words replaced by others of it, repeated or left out."""
    tokens = _TOKEN.findall(text)
    words = [index for index, token in enumerate(tokens) if not token.isspace() and len(token) > 1]
    for _ in range(chance.randint(1, 3)):
        place, other = chance.choice(words), chance.choice(words)
        tokens[place] = chance.choice([tokens[other], tokens[other], tokens[place] * 2, ""])
    return "".join(tokens)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_mutated_methods_get_a_verdict(seed: int) -> None:
    chance = random.Random(seed)
    sources = [CONCEPTS + body for body in VALID.values()] + [HEAD + case.body for case in CASES]
    for _ in range(60):
        text = mutated(chance.choice(sources), chance)
        verdict = load_library_files({"a.mthds": text, **OTHER_FILES}).verdict
        for fault in (*verdict.errors, *verdict.warnings):
            assert fault.code in CORE_CODES
            assert fault.location.line is not None
            assert fault.detail
        verdict.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "domain = 3\n",
        'domain = "d"\npipe = 3\n',
        'domain = "d"\n[pipe]\nx = 3\n',
        "[" * 5000,
        'domain = "native"\n',
    ],
)
def test_broken_files_get_a_verdict(text: str) -> None:
    assert not load_library_files({"a.mthds": text}).verdict.is_valid


def test_an_empty_bundle_is_legal() -> None:
    assert load_library_files({"a.mthds": 'domain = "d"\n'}).verdict.is_valid
