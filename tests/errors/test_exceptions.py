"""An error's report is a value: whoever knows more about a failure makes a new error."""

import pytest

from pipelex.errors import ConfigurationError, ErrorCategory, InputError, MethodInvalidError, PipelexError

ERRORS = [
    PipelexError("provider.failed", "it failed", category=ErrorCategory.TRANSIENT),
    ConfigurationError("a key is wrong"),
    MethodInvalidError([]),
    InputError("input.missing", "it is missing", input="text"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_more_about_an_error_is_a_new_error_of_its_class(error: PipelexError) -> None:
    before = error.report
    changed = error.with_report(attempts=3).with_location(pipe="p").with_location(pipe="other", path=("a",))

    assert type(changed) is type(error)
    assert (changed.report.attempts, changed.report.location.pipe, changed.report.location.path) == (3, "p", ("a",))
    assert (error.report, str(changed)) == (before, str(error))


def test_a_new_error_keeps_what_is_known_of_the_old_one() -> None:
    cause = KeyError("cause")
    with pytest.raises(PipelexError) as caught:
        raise ERRORS[0] from cause
    changed = caught.value.with_report(status=500)

    assert changed.__cause__ is cause
    assert changed.__suppress_context__
    assert changed.__traceback__ is caught.value.__traceback__


def test_a_report_is_never_replaced_in_place() -> None:
    with pytest.raises(AttributeError):
        ERRORS[0].report = ERRORS[1].report  # pyright: ignore[reportAttributeAccessIssue]
