from datetime import timedelta

import pytest

from pipelex.config.durations import parse_duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:00:10", 10),
        ("0:10:00", 600),
        ("24:00:00", 86400),
        ("100:00:00", 360000),
        ("1 day, 0:00:01", 86401),
        ("0:00:00.5", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("PT5M", 300),
        ("P1D", 86400),
        ("PT1H30M", 5400),
        ("P1W", 604800),
        ("PT0.5S", 0.5),
        (" 30S ", 30),
    ],
)
def test_every_spelling_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "0:10", "0:99:00", "-5s", "5 minutes", "P", "PT", "P1DT", "1h5", "unlimited", "9" * 30 + "h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["0:00:00", "0:10:00", "100:00:01", "0:00:00.25"])
def test_a_duration_is_shown_as_it_is_written(text: str) -> None:
    assert show_duration(parse_duration(text)) == text


def test_no_limit_has_a_spelling() -> None:
    assert show_duration(None) == "unlimited"
