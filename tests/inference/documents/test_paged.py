"""Printed PDFs keep every letter, shaped as its script is written, and their text can be read back."""

import asyncio
import ctypes
import re
import unicodedata
from collections.abc import Iterable, Sequence
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image
from pypdf import PdfReader

from pipelex.errors import PipelexError
from pipelex.inference.documents import DocumentAsk
from pipelex.inference.documents.apart import print_apart
from pipelex.inference.documents.fonts import packaged_files
from pipelex.inference.documents.paged import faces
from pipelex.inference.documents.paged.markup import marked
from pipelex.inference.documents.pdf import printed
from pipelex.inference.documents.provider import Pictures
from pipelex.pipes.effects.requests import DocumentRequest, TreeFile
from pipelex.storage import Loaded

uharfbuzz: Any = import_module("uharfbuzz")

WORDS = {
    "Polish": "Zażółć gęślą jaźń",
    "Czech": "Příliš žluťoučký kůň",
    "Turkish": "İstanbul'da ığüşçö",
    "Vietnamese": "Tiếng Việt rất đẹp Nguyễn Thị Phượng",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα Ἀρχὴ",
    "Russian": "Съешь ещё этих мягких булок",
    "Hebrew": "חשבונית מספר עבור",
    "Arabic": "فاتورة رقم لشركة بمبلغ السلام عليكم",
    "Persian": "صورتحساب گچ پژ کتاب",
    "Urdu": "یہ ایک ٹیسٹ ہے",
    "Devanagari": "क्षत्रिय विद्यार्थी हिन्दी श्री",
    "Bengali": "বাংলা কেমন স্ট্রিং ক্ষমা",
    "Tamil": "தமிழ் மொழி கொடுக்கோ",
    "Telugu": "తెలుగు క్షమ",
    "Thai": "น้ำใจที่ดี ภาษาไทย",
    "Khmer": "ភាសាខ្មែរ ស្ត្រី",
    "Burmese": "မြန်မာဘာသာ",
    "simplified Chinese": "发票号码：骨直角今令",
    "traditional Chinese": "發票號碼：骨直角今令",
    "Japanese": "請求書ひらがなカタカナ",
    "Korean": "청구서 번호 한국어",
    "Georgian": "ქართული ენა",
    "Armenian": "Հայերեն լեզու",
    "Amharic": "አማርኛ ቋንቋ",
    "signs": "€ ≥ ∑ ∫ ∞ ℝ → ✓ ✗ ☐ ★ ─ │",
    "emoji": "😀 🎉 ❤",
    "decomposed": "Za\u0307ba e\u0301",
}
SHAPED = {
    "NotoSansDevanagari": "क्षत्रिय हिन्दी",
    "NotoSansBengali": "স্ট্রিং ক্ষমা",
    "NotoSansTamil": "கொடுக்கோ",
    "NotoSansTelugu": "క్షమ",
    "NotoSansKhmer": "ស្ត្រី",
    "NotoSansMyanmar": "မြန်မာ",
    "IBMPlexSansArabic-Regular": "فاتورة السلام",
    "NotoSansThai": "น้ำ",
}


FORM = (
    "<h2>{0}</h2><p>a <b>{0}</b> <i>{0}</i></p><ul><li>{0}</li></ul><table><tr><th>{0}</th><td>b</td></tr></table>"
    "<pre>{0}</pre><p>{1}</p>"
)
BOLD = ["Zażółć", "Ξεσκεπάζω", "Съешь ещё", "हिन्दी", "發票", "فاتورة"]
RIGHT = {
    "<p>שלום Acme 12.50 עולם</p>": True,
    "<h2>مرحبا</h2>": True,
    "<p><b>שלום</b> a</p>": True,
    "<div class='a'>مرحبا</div>": True,
    "<p>Łódź שלום</p>": False,
}


async def _none(urls: Sequence[str]) -> Pictures:
    return {}


def apart(html: str) -> bytes:
    """A page as it is printed: in a process of its own."""
    ask = DocumentAsk(DocumentRequest(format="pdf", filename="x", source="html", html=html))
    return asyncio.run(print_apart("pdf", ask, _none))


def pages(bodies: Iterable[str]) -> str:
    return "".join(f"<div style='break-after: page'>{body}</div>" for body in bodies)


@pytest.fixture(scope="module")
def every() -> bytes:
    """A page for each of the scripts."""
    return apart(pages(FORM.format(words, words.replace(" ", "") * 15) for words in WORDS.values()))


def plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).split())


@pytest.mark.matrix(fast=9)
@pytest.mark.parametrize("language", WORDS)
def test_every_letter_is_read_back(every: bytes, language: str):
    page = pypdfium2.PdfDocument(every)[list(WORDS).index(language)]
    found = plain(page.get_textpage().get_text_range())
    counts = {word: found.count(plain(word)) for word in WORDS[language].split()}
    assert {word: count for word, count in counts.items() if count < 6} == {}


@pytest.mark.slow
def test_what_is_bold_is_drawn_bold():
    tags = [("p", "b"), ("p", "h1"), ("td", "th")] * 2
    rows = (
        f"<table><tr><{tag} style='font-size: 40px; text-align: left'>{words}</{tag}></tr></table>"
        for words, pair in zip(BOLD, tags, strict=True)
        for tag in pair
    )
    ink = [_ink(page) for page in pypdfium2.PdfDocument(apart(pages(rows)))]
    assert [bold > 1.1 * usual for usual, bold in zip(ink[::2], ink[1::2], strict=False)] == [True] * len(BOLD)


def _ink(page: Any) -> float:
    return float(sum(255 - value for value in page.render(scale=2).to_pil().convert("L").tobytes()))


def test_each_kind_of_font_is_drawn_as_itself():
    """Also when all letters of the page are found before the fonts with serifs are looked at."""
    kinds = ("sans-serif", "Georgia, serif", "Courier New, monospace")
    page = pypdfium2.PdfDocument(apart("".join(f"<p style='font-family: {kind}'>illi MWMW</p>" for kind in kinds)))[0]
    lines = page.get_textpage()
    names = {_font_of(lines, index) for index in range(lines.count_chars())} - {""}
    assert {"NotoSans", "NotoSerif"} < names
    assert len(names) == len(kinds)


def _font_of(lines: Any, index: int) -> str:
    buffer = ctypes.create_string_buffer(100)
    pypdfium2.raw.FPDFText_GetFontInfo(lines, index, buffer, len(buffer), ctypes.c_int())
    return buffer.value.decode().partition("-")[0]


@pytest.fixture(scope="module")
def shaped() -> bytes:
    return apart(pages(f"<p>{words}</p>" for words in SHAPED.values()))


@pytest.mark.parametrize(("file", "words"), SHAPED.items(), ids=SHAPED)
def test_letters_are_shaped_as_their_script_is_written(shaped: bytes, file: str, words: str):
    """The printed glyphs are those that HarfBuzz gives, and not those of each letter by itself."""
    path = next(each for each in packaged_files() if each.name.startswith(file))
    font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(path))))
    wanted = _glyphs(font, words.split())
    assert wanted != [font.get_nominal_glyph(ord(letter)) for letter in words if letter != " "]
    assert len(_codes(shaped, list(SHAPED).index(file))) == len(wanted)


def _glyphs(font: Any, words: Sequence[str]) -> list[int]:
    found: list[int] = []
    for word in words:
        buffer: Any = uharfbuzz.Buffer()
        buffer.add_str(word)
        buffer.guess_segment_properties()
        uharfbuzz.shape(font, buffer)
        found += [info.codepoint for info in buffer.glyph_infos]
    return found


def _codes(data: bytes, number: int) -> list[str]:
    """The codes of a page's glyphs in fonts of many glyphs: without the spaces."""
    page = PdfReader(BytesIO(data)).pages[number]
    contents: Any = page.get_contents()
    fonts: Any = page["/Resources"]
    wide = {
        name: font.get_object() for name, font in fonts["/Font"].items() if font.get_object()["/Subtype"] == "/Type0"
    }
    codes: list[str] = []
    font = ""
    for name, shown in re.findall(rb"(/f-\S+) 1 Tf|\[(.*?)\]TJ", contents.get_data(), re.DOTALL):
        font = name.decode() or font
        if shown and font in wide:
            codes += [
                code for part in re.findall(rb"<([0-9a-f]*)>", shown) for code in re.findall("....", part.decode())
            ]
    return codes


@pytest.mark.slow
def test_what_is_written_from_the_right_begins_there():
    found = [_begins_at_right(page) for page in pypdfium2.PdfDocument(apart(pages(RIGHT)))]
    assert found[: len(RIGHT)] == list(RIGHT.values())


def _begins_at_right(page: Any) -> bool:
    textpage = page.get_textpage()
    boxes = [textpage.get_charbox(index) for index in range(textpage.count_chars())]
    placed = [box for box in boxes if box[2] > box[0]]
    return page.get_width() - max(box[2] for box in placed) < min(box[0] for box in placed)


@pytest.mark.slow
def test_a_glyph_that_a_font_lacks_is_no_box():
    """A font of the page may lack letters, which the library does not say."""
    rule = "@font-face { font-family: own; src: url(missing.ttf) }"
    with pytest.raises(PipelexError, match="as a box"):
        apart(f"<style>{rule}</style><p style='font-family: own'>\U00013080</p>")


def test_elements_are_told_languages_and_directions_that_they_do_not_tell():
    page = marked(
        "<p>漢字かな</p><p>发票号码</p><p>한국어</p><p lang='zh-Hant'>骨</p><p dir='ltr'>שלום</p>"
        "<table><tr><td>שלום</td><td>a</td></tr></table><style>p { color: red }</style><!-- 漢 --><p>Łódź &lt;b&gt;</p>"
    ).page
    assert page == (
        '<p lang="ja">漢字かな</p><p lang="zh-Hans">发票号码</p><p lang="ko">한국어</p>'
        "<p lang='zh-Hant'>骨</p><p dir='ltr'>שלום</p>"
        '<table dir="rtl"><tr><td>שלום</td><td dir="ltr">a</td></tr></table>'
        "<style>p { color: red }</style><!-- 漢 --><p>Łódź &lt;b&gt;</p>"
    )


@pytest.mark.parametrize(
    ("words", "said", "advice"),
    [
        ("\U00013080", "egyptian hieroglyph", "apt-get install fonts-noto"),
        ("漢字", "'字' (cjk unified ideograph-5b57, U+5B57)", "pip install manimgx-fonts-cjk"),
        ("한", "hangul syllable", "pip install manimgx-fonts-cjk"),
    ],
)
def test_a_letter_that_no_font_has_is_a_failure_that_tells_which_to_install(
    monkeypatch: pytest.MonkeyPatch, words: str, said: str, advice: str
):
    there = [path for path in packaged_files() if "CJK" not in path.name]
    monkeypatch.setattr(faces, "packaged_files", lambda: iter(there))
    monkeypatch.setattr(faces, "installed_files", lambda: iter(()))
    with pytest.raises(PipelexError) as caught:
        printed(f"<html><body><p>Łódź {words}</p></body></html>", {}, None, None)
    assert caught.value.code == "pipe.template_render_failed"
    assert said in caught.value.report.detail
    assert advice in (caught.value.report.advice or "")


@pytest.mark.slow
def test_a_page_reads_no_file_and_no_address_but_those_it_may(tmp_path: Path):
    folder = tmp_path / "method"
    folder.mkdir()
    for place, width in ((tmp_path / "secret.png", 41), (folder / "shown.png", 43)):
        Image.new("RGB", (width, 30), "blue").save(place)
    given = BytesIO()
    Image.new("RGB", (47, 30), "red").save(given, "PNG")
    secret = (tmp_path / "secret.png").as_uri()
    sources = (secret, "http://127.0.0.1:9/x.png", "shown.png", "pipelex-storage://a.png")
    page = "".join(f'<img src="{source}">' for source in sources)
    page += f'<style>@import "{secret}";</style><p>x</p><svg><image href="{secret}"/></svg>'
    outside = f'<p style="background: url({tmp_path}/secret.png)">y</p><object data="../secret.png"></object>'

    async def pictures(urls: Sequence[str]) -> Pictures:
        return {"pipelex-storage://a.png": Loaded(given.getvalue(), "image/png")}

    def of_folder(written: str) -> bytes:
        file = TreeFile(tree="", path="page.html", sha256="")
        request = DocumentRequest(format="pdf", filename="x", source="template_file", file=file)
        return asyncio.run(print_apart("pdf", DocumentAsk(request, written.encode(), folder), pictures))

    images: Any = PdfReader(BytesIO(of_folder(page))).pages[0].images
    widths = {image.image.width for image in images}
    assert widths == {43, 47}
    with pytest.raises(PipelexError, match=r"files outside of its method's folder: .*secret\.png'"):
        of_folder(page + outside)


def printed_below(root: Path, *addresses: str) -> list[int]:
    """The widths of the pictures at these addresses of a page, which is in the folder `page` of a method."""

    async def pictures(urls: Sequence[str]) -> Pictures:
        return {}

    page = "".join(f'<img src="{address}">' for address in addresses)
    file = TreeFile(tree="", path="page/page.html", sha256="")
    request = DocumentRequest(format="pdf", filename="x", source="template_file", file=file)
    data = asyncio.run(print_apart("pdf", DocumentAsk(request, f"<p>a</p>{page}".encode(), root), pictures))
    images: Any = PdfReader(BytesIO(data)).pages[0].images
    return sorted({image.image.width for image in images})


@pytest.fixture
def method(tmp_path: Path) -> Path:
    """A method's folder with pictures of the same name above it, in it, and in and beside the folder of the page."""
    root = tmp_path / "method"
    (root / "page" / "in").mkdir(parents=True)
    (root / "above").mkdir()
    for place, width in ((tmp_path, 41), (root / "page", 43), (root, 47), (root / "above", 53)):
        Image.new("RGB", (width, 30), "blue").save(place / "x.png")
    return root


@pytest.mark.slow
def test_an_address_is_that_of_one_file(method: Path):
    assert printed_below(method, "x.png", "./x.png", "in/../x.png", "../page/x.png") == [43]
    assert printed_below(method, "../x.png", "%2e%2e/x.png", "in/../../x.png") == [47]
    assert printed_below(method, "../above/x.png", "../page/../above/x.png") == [53]


@pytest.mark.slow
@pytest.mark.parametrize(
    "address", ["../../x.png", "%2e%2e/%2e%2e/x.png", "..%2f..%2fx.png", "../" * 40 + "x.png", "/x.png"]
)
def test_an_address_above_the_method_is_never_that_of_another_file(method: Path, address: str):
    with pytest.raises(PipelexError, match=r"files outside of its method's folder: .*x\.png'"):
        printed_below(method, address)


@pytest.mark.slow
def test_links_and_the_same_bytes():
    page = '<p>ą <a href="https://example.invalid/x">link</a></p>'
    data = apart(page)
    links: Any = PdfReader(BytesIO(data)).pages[0]["/Annots"]
    assert [link.get_object()["/A"]["/URI"] for link in links] == ["https://example.invalid/x"]
    assert b"CreationDate" not in data
    assert data == apart(page)


def test_a_page_that_is_mostly_written_from_the_right_begins_there():
    page = marked("<html><body><p>שלום עולם</p><p>Acme</p><ul><li>a</li></ul></body></html>").page
    assert page == (
        '<html><body dir="rtl"><p>שלום עולם</p><p dir="ltr">Acme</p><ul dir="ltr"><li>a</li></ul></body></html>'
    )
