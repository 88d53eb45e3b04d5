"""No report carries a secret that this process knows, however the report came to be."""

from collections.abc import Callable

import pytest

from pipelex.errors import ConfigurationError, ErrorReport, InputError, PipelexError
from pipelex.errors.hidden import hide

SECRET = "sk-harbour-31337"

SHAPES: list[Callable[[str], PipelexError]] = [
    lambda text: PipelexError("runtime.unexpected", text),
    lambda text: PipelexError("runtime.unexpected", "failed", advice=text),
    lambda text: PipelexError("pipe.function_raised", "failed", params={"environment": [{"OPENAI_API_KEY": text}]}),
    lambda text: PipelexError.from_report(ErrorReport("runtime.unexpected", text, params={"finding": text})),
    lambda text: PipelexError("runtime.unexpected", "failed").with_report(detail=text),
    lambda text: InputError("input.invalid", text, input="x", field=text),
    lambda text: ConfigurationError(text, advice=text),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_known_secret_is_masked_in_every_report(shape: Callable[[str], PipelexError]) -> None:
    hide([SECRET])
    error = shape(f"KEY={SECRET} and {SECRET}")
    written = f"{error} {error!r} {error.report.to_json()} {error.report.to_problem()}"
    assert SECRET not in written
    assert "***" in written


@pytest.mark.parametrize("word", ["none", "EMPTY", "not-needed", "ollama"])
def test_what_stands_for_no_key_is_no_secret(word: str) -> None:
    hide([word])
    assert str(PipelexError("runtime.misconfigured", f"{word} is known here")) == f"{word} is known here"
