from dataclasses import replace
from datetime import timedelta

import pytest

from pipelex.durable.tries import Tries
from pipelex.durable.words import failed_attempt, failed_run, fields_of, interrupted_attempt, unreached_attempt
from pipelex.errors import ErrorCategory, ErrorReport, Location

BUSY = ErrorReport("provider.rate_limited", "busy\n  now", ErrorCategory.TRANSIENT, model="gpt", status=429)
REFUSED = ErrorReport("model.content_refused", "no", ErrorCategory.CONTENT, location=Location(pipe="d.p"))


@pytest.mark.parametrize(
    ("report", "tries", "wait", "line"),
    [
        (
            BUSY,
            Tries(number=2, failures=1, maximum=3),
            3,
            "gpt: provider.rate_limited: busy now (failure 2 of 3, next try in 3 s)",
        ),
        (BUSY, Tries(number=1), 0.5, "gpt: provider.rate_limited: busy now (failure 1, next try in 0.5 s)"),
        (BUSY, Tries(number=1), 12.3, "gpt: provider.rate_limited: busy now (failure 1, next try in 12 s)"),
        (
            BUSY,
            Tries(number=3, failures=2, maximum=3),
            None,
            "gpt: provider.rate_limited: busy now (failure 3 of 3, none is left)",
        ),
        (REFUSED, Tries(number=1, maximum=3), None, "model.content_refused: no (failure 1 of 3, not tried again)"),
    ],
)
def test_a_failed_attempt_is_one_line(report: ErrorReport, tries: Tries, wait: float | None, line: str) -> None:
    said = failed_attempt("run a, pipe p", "act", report, tries, None if wait is None else timedelta(seconds=wait))
    assert said == f"run a, pipe p: act failed: {line}"


@pytest.mark.parametrize(
    ("path", "where", "item"),
    [
        ((), "d.p", None),
        (("2-p",), "d.p", None),
        (("1-p[3]",), "d.p[3]", "p[3]"),
        (("1-all", "2-note[3]", "1-p"), "d.p of note[3]", "note[3]"),
        (("1-note[3]", "1-p[0]"), "d.p[0]", "p[0]"),
    ],
)
def test_the_item_of_a_failed_run(path: tuple[str, ...], where: str, item: str | None) -> None:
    report = replace(REFUSED, location=Location(pipe="d.p", path=path))
    assert failed_run("a", report) == f"run a failed in pipe {where}: model.content_refused: no"
    assert fields_of(report).get("failed_item") == item


def test_other_lines() -> None:
    wait = timedelta(seconds=4)
    assert failed_run("a", REFUSED) == "run a failed in pipe d.p: model.content_refused: no"
    assert failed_run("a", BUSY) == "run a failed: gpt: provider.rate_limited: busy now"
    assert unreached_attempt("a", "act", BUSY, wait).endswith("busy now (no failed attempt, next try in 4 s)")
    interrupted = "a: act was interrupted in attempt 2; another worker makes it again"
    assert interrupted_attempt("a", "act", Tries(number=2), wait) == f"{interrupted} in 4 s"
    assert interrupted_attempt("a", "act", Tries(number=2), None) == interrupted


def test_fields_are_those_that_are_known() -> None:
    assert fields_of(BUSY) == {"error_code": "provider.rate_limited", "model": "gpt", "status": 429}
    assert fields_of(REFUSED) == {"error_code": "model.content_refused", "failed_pipe": "d.p"}
