"""Where PlutoPrint has no wheel, printed PDFs keep the letters of some scripts, and fail for others."""

import re
import unicodedata
from typing import Any

import pypdfium2
import pytest

from pipelex.errors import PipelexError
from pipelex.inference.documents.letters import with_fonts
from pipelex.inference.documents.pdf import _printed_simply as printed

WORDS = {
    "Polish": "Zażółć gęślą jaźń",
    "Czech": "Příliš žluťoučký kůň",
    "Hungarian": "Árvíztűrő tükörfúrógép",
    "Turkish": "İstanbul'da ığüşçö",
    "Vietnamese": "Tiếng Việt rất đẹp",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα",
    "Russian": "Съешь ещё этих мягких булок",
    "Ukrainian": "Щастя їжака ґанок",
    "Hebrew": "שלום עולם",
    "Arabic": "مرحبا بالعالم",
    "decomposed": "Za\u0307ba e\u0301",
    "signs": "€ 5 ≥ 3",
}


def read(html: str) -> str:
    pages = pypdfium2.PdfDocument(printed(html, {}, None, None))
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize(
    "form",
    ["<p>{}</p>", "<table><tr><td>{}</td><td>b</td></tr></table>", "<pre>{}</pre>", "<p><b>a</b> {} <i>c</i></p>"],
)
def test_every_letter_is_kept(words: str, form: str):
    found = unicodedata.normalize("NFC", read(f"<html><body>{form.format(words)}</body></html>"))
    # Between Latin words, the reader gives words of the other direction from left to right.
    assert not [word for word in unicodedata.normalize("NFC", words).split() if word not in found]


def test_markup_stays_what_it_is():
    page = "<html><head><style>p { color: red }</style></head><body><!-- ł --><p class='ą'>Łódź &lt;b&gt; &amp; x</p></body></html>"
    found = with_fonts(page)
    assert "<style>p { color: red }</style>" in found
    assert "<!-- ł --><p class='ą'><span" in found
    assert "&lt;b&gt; &amp; x" in found
    assert read(page) == "Łódź <b> & x"


def test_a_page_that_every_viewer_can_show_is_left_alone():
    page = "<html><body><p>Crème brûlée &copy; “quoted” – 5&nbsp;€</p></body></html>"
    assert with_fonts(page) == page


def test_what_only_steers_letters_is_left_out():
    assert read("<html><body><p>ł\u200bó\u00add\ufeffź</p></body></html>") == "łódź"


@pytest.mark.parametrize(("words", "is_right"), [("שלום world", True), ("مرحبا بالعالم", True), ("Łódź שלום", False)])
@pytest.mark.parametrize("form", ["<p>{}</p>", "<p><b>{}</b></p>", "<h2>{}</h2>", "<div class='a'>{}</div>"])
def test_what_is_written_from_the_right_begins_there(form: str, words: str, *, is_right: bool):
    page = pypdfium2.PdfDocument(printed(f"<html><body>{form.format(words)}</body></html>", {}, None, None))[0]
    left, right = _span(page)
    assert (page.get_width() - right < left) == is_right


def _span(page: Any) -> tuple[float, float]:
    textpage = page.get_textpage()
    boxes = [textpage.get_charbox(index) for index in range(textpage.count_chars())]
    placed = [box for box in boxes if box[2] > box[0]]
    return min(box[0] for box in placed), max(box[2] for box in placed)


def test_an_alignment_that_the_page_gives_is_kept():
    page = '<html><body><p style="text-align: center">שלום</p></body></html>'
    assert "text-align: right" not in with_fonts(page)


def test_texts_without_spaces_may_break_anywhere(monkeypatch: pytest.MonkeyPatch):
    from pipelex.inference.documents import letters

    def any_font(letter: str) -> str:
        return "letters0"

    monkeypatch.setattr(letters, "_font_of", any_font)
    found = letters.with_fonts("<html><body><p style='color: red'>日本語</p><td>漢字</td><p>ł</p></body></html>")
    assert re.findall(r"<(\w+)[^>]*-pdf-word-wrap: CJK", found) == ["p", "td"]
    assert "color: red" in found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ꙮ\U00013080", "egyptian hieroglyph"),
        ("नमस्ते", "does not shape Devanagari"),
        ("வணக்கம்", "does not shape Tamil"),
    ],
)
def test_a_letter_that_cannot_be_printed_is_a_failure(words: str, said: str):
    with pytest.raises(PipelexError) as caught:
        printed(f"<html><body><p>Łódź {words}</p></body></html>", {}, None, None)
    assert caught.value.code == "pipe.template_render_failed"
    assert said in caught.value.report.detail
