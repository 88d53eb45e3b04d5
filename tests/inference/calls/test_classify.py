import pytest

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference import classify_provider_error
from pipelex.inference.calls.facts import redacted


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcdefgh12345678.",
        "Incorrect API key provided: sk-abcd*****************************wxyz.",
        "header Authorization: Bearer abcdefgh12345678",
        "https://host.test/?api_key=abcdefgh12345678",
        "key gsk_abcdefgh12345678 is wrong",
        "AIzaSyabcdefgh12345678 is wrong",
    ],
)
def test_what_looks_like_a_key_is_not_shown(text: str):
    assert "abcd" not in redacted(text)
    assert "***" in redacted(text)


def test_a_known_key_is_not_shown_whatever_it_looks_like():
    assert redacted("my plain words key", ["plain words"]) == "my *** key"


def test_ordinary_words_stay():
    text = "The model gpt-5.4-mini of task-force was asked with key-value pairs"
    assert redacted("The model gpt-5.4-mini was asked") == "The model gpt-5.4-mini was asked"
    assert "gpt-5.4-mini" in redacted(text)


def test_our_own_errors_pass_through():
    error = PipelexError("model.unknown", "x")
    assert classify_provider_error(error, provider="p", model="m") is error


@pytest.mark.parametrize(
    ("error", "code", "category"),
    [
        (TimeoutError(), "provider.timeout", ErrorCategory.TRANSIENT),
        (ConnectionResetError("reset"), "provider.unavailable", ErrorCategory.TRANSIENT),
        (IndexError("list index out of range"), "provider.response_invalid", ErrorCategory.TRANSIENT),
        (ZeroDivisionError("x"), "runtime.unexpected", ErrorCategory.UNKNOWN),
    ],
)
def test_exceptions_without_a_status(error: Exception, code: str, category: ErrorCategory):
    found = classify_provider_error(error, provider="p", model="m").report
    assert (found.code, found.category, found.provider, found.model) == (code, category, "p", "m")
