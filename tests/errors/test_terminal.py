"""Nothing from elsewhere makes a terminal do anything."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelex.errors.terminal import clean, marked


@pytest.mark.parametrize(
    ("attack", "left"),
    [
        ("copied\x1b]52;c;cm0gLXJmIC8=\x07!", "copied!"),
        ("copied\x9d52;c;cm0gLXJmIC8=\x9c!", "copied!"),
        ("title\x1b]0;root@bank\x1b\\!", "title!"),
        ("never ended \x1b]0;swallows\nthe rest", "never ended \nthe rest"),
        ("clear\x1b[2J\x1b[H!", "clear!"),
        ("hidden \x1b[8msecret\x1b[0m", "hidden secret"),
        ("eight bits \x9b31mred", "eight bits red"),
        ("\x1bP1000pnot a device\x1b\\ok", "ok"),
        ("\x1b_application\x1b\\ok", "ok"),
        ("charset \x1b(0lqqk", "charset lqqk"),
        ("reset \x1bc!", "reset !"),
        ("a link \x1b]8;;http://evil\x1b\\bank\x1b]8;;\x1b\\", "a link bank"),
        ("bell\x07 back\x08space del\x7f nul\x00", "bell backspace del nul"),
        ("harmless\rDANGER", "harmless\nDANGER"),
        ("cut \x1b", "cut "),
        ("turned \u202egpj.exe\u202c", "turned gpj.exe"),
        ("isolated \u2067gpj.exe\u2069", "isolated gpj.exe"),
        ("embedded \u202bgpj.exe\u202c", "embedded gpj.exe"),
        ("harmless\u2028DANGER", "harmless\nDANGER"),
        ("harmless\u2029DANGER", "harmless\nDANGER"),
        ("hidden \U000e0001\U000e0072\U000e006d\U000e007ftags", "hidden tags"),
        ("behind a flag \U0001f3f4\U000e0067\U000e0062\U000e007f!", "behind a flag \U0001f3f4!"),
        ("no title \x1b]0;until\u2028the line ends", "no title \nthe line ends"),
        ("lone \ud83d", "lone \ufffd"),
        ("run\u200b-1\u2060 \ufeffa\xadb\u034f\u180e", "run-1 ab"),
        ("joined run\u200d-\u200c1", "joined run-1"),
        ("selected run\ufe0f-\U000e01001", "selected run-1"),
        ("hidden \U0001f600" + "".join(chr(0xE0100 + each) for each in b"bytes") + "!", "hidden \U0001f600\U000e0162!"),
        ("bits \u0631" + "\u200c\u200d" * 8 + "\u0631", "bits \u0631\u200c\u0631"),
        ("\ufe0f\u200d\ufe0fat the beginning", "at the beginning"),
    ],
)
def test_what_a_terminal_would_obey_goes(attack: str, left: str) -> None:
    assert clean(attack) == left


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "tabs\tand\nlines",
        "Übergrößenträger",
        "العربية",
        "🙂 👩‍👩‍👧",
        "漢字",
        "a\u200eb\u200fc\u061cd",
        "می\u200cخواهم",
        "\u0915\u094d\u200d \u0915",
        "\u2764\ufe0f\u200d\U0001f525",
        "1\ufe0f\u20e3 \u845b\U000e0100",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert clean(text) == text


_MIXED = (
    "\x1b\x9b\x9d\x90\x07\x9c\r\n\t[]();:<>0123mPc\\ aü\u202e\u2028\u2029\U000e0041\ud800\u200b\u200d\ufe0f\U000e0100"
)


@given(st.text(st.sampled_from(_MIXED)))
def test_no_mixture_leaves_a_control_character(text: str) -> None:
    assert not [
        character
        for character in clean(text)
        if character in "\x1b\x07\r\u202e\u2028\u2029\U000e0041\ud800" or "\x7f" <= character <= "\x9f"
    ]
    assert re.search("\u200b|(^|[a\u200d\ufe0f\U000e0100])[\ufe0f\U000e0100]|(^|[a\u200d])\u200d", clean(text)) is None
    assert clean(clean(text)) == clean(text)
    assert len(marked(text)) == len(text)


@pytest.mark.parametrize("hidden", ["\u2028", "\u2029", "\u202e", "\u2067", "\U000e0041", "\x9b", "\x1b", "\u200b"])
def test_a_quoted_line_shows_where_something_hides(hidden: str) -> None:
    assert marked(f"a{hidden}b") == "a\ufffdb"
