"""Files of every kind in a prompt, and what each provider is sent of them."""

import base64
import binascii
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any, cast

import docx
import openpyxl
import pytest
from PIL import Image

from pipelex.content import Json
from pipelex.errors import PipelexError
from pipelex.inference import Inference
from pipelex.inference.chat.attachments.takes import Takes
from pipelex.inference.chat.provider import ChatProvider
from pipelex.inference.providers import factory
from pipelex.pipes.effects.requests import LLMPrompt
from pipelex.reading.plain import plain_size
from tests.inference.chat.test_providers import SPOKEN, Spoken, at, inference, spoken, stub
from tests.support.documents import pdf
from tests.support.jobs import text_job
from tests.support.openai_server import OpenAIStub
from tests.support.pictures import WHITE, flipped, noise, picture, saved, turned

__all__ = ["inference", "spoken", "stub"]

FEW = ("openai", "xai", "anthropic", "google", "groq", "bedrock", "mistral")
few_clients = pytest.mark.parametrize("spoken", [one for one in SPOKEN if one.sdk in FEW], ids=str)
one_client = pytest.mark.parametrize("spoken", [one for one in SPOKEN if one.sdk == "openai"], ids=str)


def deep() -> bytes:
    """A TIFF of sixteen bits: what is red in the others is dark."""
    image = Image.new("I;16", (200, 120), 40_000)
    image.paste(900, (0, 0, 100, 60))
    return saved(image, "TIFF")


def heic() -> bytes:
    """A HEIC of 64 by 64 pixels, upper half red; made by another encoder, for ours only reads."""
    return base64.b64decode(HEIC)


HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAAEQAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xy"
    "bmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAExt"
    "ZGF0AAAAQCgBrxOAgDhTVEf//qzTr/3Dnn/w25QP+Crf002SPrSp/+MhpObid4EAB/rqRCP9YGtRonfsXdwIlgpD+34AeUw="
)

IMAGES: dict[str, Any] = {
    "tiff": lambda: saved(picture(), "TIFF", compression="tiff_lzw"),
    "bmp": lambda: saved(picture(), "BMP"),
    "cmyk": lambda: saved(picture(mode="CMYK"), "JPEG", quality=95),
    "cmyk-tiff": lambda: saved(picture(mode="CMYK"), "TIFF"),
    "turned": turned,
    "avif": lambda: saved(picture(), "AVIF", quality=95),
    "jp2": lambda: saved(picture(), "JPEG2000"),
    "palette": lambda: saved(picture(mode="P"), "PNG"),
    "deep": deep,
    "webp": lambda: saved(picture(), "WEBP", lossless=True),
    "moving": lambda: saved(picture(), "GIF", save_all=True, append_images=[Image.new("RGB", (200, 120), "blue")]),
}


def data_url(data: bytes, mime_type: str = "application/octet-stream") -> str:
    return f"data:{mime_type};base64,{base64.b64encode(data).decode()}"


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, Any]", value).values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from strings(each)


def sent_files(stub: OpenAIStub) -> list[bytes]:
    """The files in the last request, whatever the protocol."""
    found: list[bytes] = []
    for text in strings(stub.requests[-1].body):
        payload = text.partition(";base64,")[2] or text
        try:
            data = base64.b64decode(payload, altchars=b"-_" if {"-", "_"} & set(payload) else None, validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(data) > 30:
            found.append(data)
    return found


async def asked(inference: Inference, stub: OpenAIStub, prompt: LLMPrompt) -> list[bytes]:
    stub.on("look", text="seen")
    assert (await inference.chat.generate_text(at(text_job("", prompt=prompt)))).text == "seen"
    return sent_files(stub)


def limits(spoken: Spoken) -> Takes:
    """The declaration of the client's class."""
    made: Any = factory("llm", spoken.sdk, "maker")
    found: Takes = made.takes
    return found


@pytest.mark.matrix(each=2, fast=22)
@few_clients
@pytest.mark.parametrize("kind", IMAGES)
async def test_images_of_every_kind(spoken: Spoken, stub: OpenAIStub, inference: Inference, kind: str) -> None:
    prompt = LLMPrompt(user="look at [Image 1]", images=({"url": data_url(IMAGES[kind]())},))
    (data,) = await asked(inference, stub, prompt)
    image = Image.open(BytesIO(data))
    assert image.get_format_mimetype() in limits(spoken).image_types
    assert getattr(image, "n_frames", 1) == 1
    assert image.mode in ("1", "L", "LA", "P", "RGB", "RGBA")
    assert image.size == (200, 120)
    corner, other = (image.convert("RGB").getpixel(place) for place in ((20, 20), (180, 100)))
    if kind == "deep":
        assert (corner, other) == ((0, 0, 0), WHITE)
        return
    assert isinstance(corner, tuple)
    assert isinstance(other, tuple)
    assert corner[0] > 150 > corner[1], corner
    assert min(other) > 200, other


@cache
def huge(form: str) -> bytes:
    noise = Image.effect_noise((650, 500), 90).resize((5200, 4000), Image.Resampling.NEAREST).convert("RGB")
    return saved(noise, form)


@pytest.mark.slow
@pytest.mark.parametrize("spoken", [one for one in SPOKEN if one.sdk in ("openai", "groq", "bedrock")], ids=str)
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
async def test_huge_images_are_scaled(spoken: Spoken, stub: OpenAIStub, inference: Inference, form: str) -> None:
    prompt = LLMPrompt(user="look", images=({"url": data_url(huge(form))},))
    (data,) = await asked(inference, stub, prompt)
    image, takes = Image.open(BytesIO(data)), limits(spoken)
    assert len(data) <= takes.image_bytes
    assert max(image.size) <= takes.image_side
    assert max(image.size) >= 1000
    assert image.width / image.height == pytest.approx(1.3, rel=0.01)


@few_clients
async def test_what_fits_goes_as_it_is(spoken: Spoken, stub: OpenAIStub, inference: Inference) -> None:
    given = [saved(picture(), "PNG"), saved(picture(), "JPEG"), saved(picture(mode="L"), "JPEG")]
    images: tuple[dict[str, Json], ...] = tuple({"url": data_url(data)} for data in given)
    assert await asked(inference, stub, LLMPrompt(user="look", images=images)) == given


@one_client
async def test_every_page_of_a_fax(spoken: Spoken, stub: OpenAIStub, inference: Inference) -> None:
    fax = saved(picture(mode="1"), "TIFF", save_all=True, append_images=[Image.new("1", (200, 120))] * 2)
    found = await asked(inference, stub, LLMPrompt(user="look", images=({"url": data_url(fax)},)))
    assert [Image.open(BytesIO(data)).size for data in found] == [(200, 120)] * 3


@one_client
async def test_heic(spoken: Spoken, stub: OpenAIStub, inference: Inference) -> None:
    pytest.importorskip("pi_heif")
    (data,) = await asked(inference, stub, LLMPrompt(user="look", images=({"url": data_url(heic())},)))
    image = Image.open(BytesIO(data)).convert("RGB")
    upper, lower = image.getpixel((32, 10)), image.getpixel((32, 54))
    assert isinstance(upper, tuple)
    assert isinstance(lower, tuple)
    assert upper[0] > 180 > upper[1]
    assert min(lower) > 200


def word() -> bytes:
    document, buffer = docx.Document(), BytesIO()
    document.add_heading("Tides", 1)
    document.add_paragraph("High water at 10:15.")
    document.save(buffer)
    return buffer.getvalue()


def sheet() -> bytes:
    book, buffer = openpyxl.Workbook(), BytesIO()
    assert book.active is not None
    book.active.append(["berth", "depth"])
    book.active.append(["B1", 7])
    book.save(buffer)
    return buffer.getvalue()


DOCUMENTS: dict[str, tuple[Any, str, list[str]]] = {
    "docx": (word, "", ["# Tides", "High water at 10:15."]),
    "xlsx": (sheet, "", ["| berth | depth |", "| B1 | 7 |"]),
    "csv": (lambda: b"berth;depth\nB1;7\n", "text/csv", ["| berth | depth |", "| B1 | 7 |"]),
    "html": (lambda: b"<html><body><h1>Tides</h1><script>x()</script><p>At 10", "text/html", ["# Tides", "At 10"]),
    "txt": (lambda: "Höchststand".encode("utf-16"), "text/plain", ["Höchststand"]),
    "md": (lambda: b"# Tides\n\n- at 10\n", "text/markdown", ["# Tides", "- at 10"]),
    "eml": (lambda: b"From: a@b.test\nSubject: Tides\n\nAt 10.\n", "message/rfc822", ["Subject: Tides", "At 10."]),
    "json": (lambda: b'{"tide": "high"}', "application/json", ['{"tide": "high"}']),
}


@pytest.mark.matrix(each=2, fast=18)
@few_clients
@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_documents_are_read_alike_for_all(
    spoken: Spoken, stub: OpenAIStub, inference: Inference, kind: str
) -> None:
    made, mime_type, lines = DOCUMENTS[kind]
    content: dict[str, Json] = {"url": data_url(made(), mime_type or "application/octet-stream")}
    assert await asked(inference, stub, LLMPrompt(user="look at [Document 1]", documents=(content,))) == []
    told = "\n".join(strings(stub.requests[-1].body))
    for line in lines:
        assert line in told
    assert told.count("-----BEGIN FILE") == told.count("-----END FILE") == 1
    assert "x()" not in told


@one_client
async def test_bytes_behind_an_image_do_no_harm(spoken: Spoken, stub: OpenAIStub, inference: Inference) -> None:
    given = saved(picture(), "JPEG") + b"\0trailer of a camera"
    assert await asked(inference, stub, LLMPrompt(user="look", images=({"url": data_url(given)},))) == [given]


@pytest.mark.matrix(fast=8)
@few_clients
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "input.file_type_unsupported"),
        (b"\x1f\x8b\x08" + bytes(80), "input.file_type_unsupported"),
        (b"RIFF\x24\x00\x00\x00WAVE" + bytes(40), "input.file_type_unsupported"),
        (saved(picture(), "TIFF")[:200], "input.file_unreadable"),
        (saved(picture(), "PNG")[:-40], "input.file_unreadable"),
        (flipped(saved(noise(), "PNG")), "input.file_unreadable"),
        (saved(noise(), "JPEG")[:-900], "input.file_unreadable"),
        (saved(noise(), "WEBP")[:-900], "input.file_unreadable"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "input.file_unreadable"),
        (b"BM" + (60).to_bytes(4, "little") + bytes(54), "input.file_unreadable"),
    ],
    ids=["doc", "gzip", "audio", "cut", "cut-png", "damaged-png", "cut-jpeg", "cut-webp", "svg", "broken"],
)
async def test_what_nobody_takes_is_refused_alike(
    spoken: Spoken, stub: OpenAIStub, inference: Inference, data: bytes, code: str
) -> None:
    prompt = LLMPrompt(user="look", documents=({"url": data_url(data)},))
    with pytest.raises(PipelexError) as failed:
        await inference.chat.generate_text(at(text_job("", prompt=prompt)))
    assert failed.value.code == code
    assert not failed.value.report.is_retryable
    assert not stub.requests


@pytest.mark.parametrize("spoken", [one for one in SPOKEN if one.sdk == "bedrock"], ids=str)
async def test_a_pdf_beyond_the_limit_of_its_provider(spoken: Spoken, stub: OpenAIStub, inference: Inference) -> None:
    large = pdf() + b"%" * limits(spoken).pdf_bytes
    prompt = LLMPrompt(user="look", documents=({"url": data_url(large, "application/pdf")},))
    with pytest.raises(PipelexError, match="a PDF for this model may have at most 4,500,000") as failed:
        await inference.chat.generate_text(at(text_job("", prompt=prompt)))
    assert failed.value.code == "input.too_large"


def test_every_client_declares_what_it_takes() -> None:
    for one in SPOKEN:
        made: ChatProvider | Any = factory("llm", one.sdk, "maker")
        assert isinstance(getattr(made, "takes", None), Takes), one.sdk


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (saved(picture(), "PNG"), (200, 120)),
        (saved(picture(mode="P"), "PNG"), (200, 120)),
        (saved(picture(), "JPEG"), (200, 120)),
        (saved(picture(), "JPEG", progressive=True), (200, 120)),
        (saved(picture(mode="CMYK"), "JPEG"), None),
        (turned(), None),
        (saved(picture(), "TIFF"), None),
        (saved(picture(), "JPEG")[:-9], None),
        (saved(picture(), "PNG")[:-12], None),
        (saved(picture(), "PNG") + b"\0", None),
        (b"\xff\xd8\xff", None),
        (b"\xff\xd8\xff" + b"\xff" * 200, None),
        (b"\x89PNG\r\n\x1a\n", None),
    ],
)
def test_the_size_of_plain_images(data: bytes, size: tuple[int, int] | None) -> None:
    assert plain_size(data) == size


@one_client
async def test_a_refused_file_is_named_without_what_it_holds(
    spoken: Spoken, stub: OpenAIStub, inference: Inference
) -> None:
    data = b"\x00\x01\x02 the secret of the harbour"
    prompt = LLMPrompt(user="look", documents=({"url": data_url(data)},))
    with pytest.raises(PipelexError) as failed:
        await inference.chat.generate_text(at(text_job("", prompt=prompt)))
    assert failed.value.code == "input.file_type_unsupported"
    assert base64.b64encode(data).decode()[:12] not in str(failed.value)
    assert "data:application/octet-stream" in str(failed.value)
