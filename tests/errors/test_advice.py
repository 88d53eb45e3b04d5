"""Every code has advice of its own, and no passing failure is told beside advice against repeating it."""

import pytest

from pipelex.errors import CORE_CODES, ErrorCategory, ErrorReport
from pipelex.errors._advice import advice_for
from tests.support.untyped import untyped

GENERIC = ("Correct the inputs.", "Correct the method.", "Correct the configuration.")


@pytest.mark.parametrize("code", CORE_CODES)
def test_advice_is_concrete_with_and_without_what_the_error_knows(code: str) -> None:
    known = {name: f"<{name}>" for name in CORE_CODES[code].params}
    told = {advice_for(code, known), advice_for(code, {})}

    assert all(text.endswith((".", "}'")) and "{" not in text.replace("-i '{", "") for text in told), told
    assert "pipelex --debug …" not in " ".join(told)
    assert told.isdisjoint(GENERIC)


def test_advice_names_what_the_error_knows() -> None:
    assert "-i photo=…" in advice_for("input.missing", {"input": "photo"})
    assert advice_for("request.pipe_unspecified", {"candidates": ["a", "b"]}) == "Name one of these with --pipe: a, b."
    assert ErrorReport("input.missing", "…", advice="Do this.").what_to_do == "Do this."


@pytest.mark.parametrize(
    ("category", "retry", "step"),
    [
        (ErrorCategory.TRANSIENT, "yes", "retry"),
        (ErrorCategory.UNKNOWN, "yes", "retry"),
        (ErrorCategory.CONTENT, "no", "change_input"),
        (ErrorCategory.CONFIGURATION, "no", "fix_configuration"),
    ],
)
def test_a_failure_that_lasts_is_not_to_be_repeated(category: ErrorCategory, retry: str, step: str) -> None:
    problem = untyped(ErrorReport("provider.failed", "refused with status 400", category=category).to_problem())

    assert (problem["retry"], problem["next_step"]["kind"]) == (retry, step)
