import base64
from pathlib import Path

import pytest

from pipelex.errors import PipelexError
from pipelex.storage import FetchPolicy, Storage, load, normalized
from tests.support.http_stub import Answer, http_stub

PNG = b"\x89PNG\r\n\x1a\n and so on"
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()
LOCAL = FetchPolicy(allow_files=True)


async def test_stored_files(storage: Storage):
    blob = await storage.put(b"a;b", mime_type="text/csv")

    found = await load(blob.uri, storage=storage, policy=FetchPolicy())

    assert (found.data, found.mime_type, found.base_url) == (b"a;b", "text/csv", None)


@pytest.mark.parametrize(
    ("url", "data", "mime_type"),
    [
        (DATA_URL, PNG, "image/png"),
        ("DATA:;base64,aGk=", b"hi", "text/plain"),
        ("data:text/markdown,%23%20Title", b"# Title", "text/markdown"),
        ("data:text/plain;charset=utf-8;base64, aGVs bG8=", b"hello", "text/plain"),
        ("data:application/pdf;base64," + base64.b64encode(PNG).decode(), PNG, "image/png"),
    ],
)
async def test_data_urls(storage: Storage, url: str, data: bytes, mime_type: str):
    found = await load(url, storage=storage, policy=FetchPolicy())
    assert (found.data, found.mime_type) == (data, mime_type)


@pytest.mark.parametrize("url", ["data:image/png;base64", "data:image/png;base64,%%%", "data:x;base64,abc"])
async def test_broken_data_urls(storage: Storage, url: str):
    with pytest.raises(PipelexError) as caught:
        await load(url, storage=storage, policy=FetchPolicy())
    assert caught.value.code == "input.file_unreadable"


async def test_local_files_where_they_are_allowed(storage: Storage, tmp_path: Path):
    file = tmp_path / "a note.md"
    file.write_text("# Title")

    found = await load(file.as_uri(), storage=storage, policy=LOCAL)

    assert (found.data, found.mime_type, found.filename) == (b"# Title", "text/markdown", "a note.md")
    assert (await load(str(file), storage=storage, policy=LOCAL)).data == b"# Title"


@pytest.mark.parametrize("url", ["file:///etc/hostname", "/etc/hostname", "FILE:///etc/hostname"])
async def test_local_files_where_they_are_not_allowed(storage: Storage, url: str):
    with pytest.raises(PipelexError) as caught:
        await load(url, storage=storage, policy=FetchPolicy())
    assert caught.value.code == "security.input_url_refused"
    assert caught.value.report.params["target_class"] == "scheme"


async def test_files_that_are_no_files(storage: Storage, tmp_path: Path):
    for url, code in (
        (f"file://{tmp_path}/none", "input.reference_not_found"),
        (f"file://{tmp_path}", "input.file_unreadable"),
        ("file:///dev/zero", "input.file_unreadable"),
        ("file://elsewhere/share/x", "input.file_unreadable"),
    ):
        with pytest.raises(PipelexError) as caught:
            await load(url, storage=storage, policy=LOCAL)
        assert caught.value.code == code, url


async def test_local_files_are_bounded(storage: Storage, tmp_path: Path):
    (tmp_path / "large").write_bytes(b"x" * 101)
    for url in (f"file://{tmp_path}/large", "data:," + "x" * 101):
        with pytest.raises(PipelexError) as caught:
            await load(url, storage=storage, policy=FetchPolicy(allow_files=True, max_bytes=100))
        assert caught.value.code == "input.too_large"


@pytest.mark.parametrize("url", ["ftp://example.com/a", "javascript:alert(1)", "s3://bucket/key"])
async def test_other_schemes(storage: Storage, url: str):
    with pytest.raises(PipelexError) as caught:
        await load(url, storage=storage, policy=LOCAL)
    assert caught.value.code == "security.input_url_refused"


async def test_the_network(storage: Storage):
    async with http_stub(lambda _: Answer(b"<html>", headers={"content-type": "text/html"})) as stub:
        found = await load(f"{stub.url}/a/page", storage=storage, policy=FetchPolicy(is_guarded=False))

    assert (found.data, found.mime_type, found.filename) == (b"<html>", "text/html", None)
    assert found.base_url == f"{stub.url}/a/page"


async def test_contents_move_into_the_store(storage: Storage, tmp_path: Path):
    (tmp_path / "view.png").write_bytes(PNG)
    from_data = await normalized({"url": DATA_URL, "caption": "A view"}, storage=storage, policy=FetchPolicy())
    from_file = await normalized(
        {"url": (tmp_path / "view.png").as_uri(), "filename": "kept.png"}, storage=storage, policy=LOCAL
    )

    assert from_data == {"url": from_file["url"], "caption": "A view", "mime_type": "image/png"}
    assert from_file == {"url": from_data["url"], "filename": "kept.png", "mime_type": "image/png"}
    assert await storage.get(str(from_data["url"])) == PNG


async def test_contents_that_are_elsewhere_stay_as_they_are(storage: Storage):
    blob = await storage.put(PNG)
    for content in ({"url": blob.uri}, {"url": "https://example.com/a.png", "width": 3, "height": 2}):
        assert await normalized(content, storage=storage, policy=FetchPolicy()) == content
