"""The stored files of values, saved in a folder under their own names."""

from pathlib import Path
from typing import Any

import pytest

from pipelex.storage import Storage, files_of, safe_name, save_files


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Rechnung für Ana.pdf", "Rechnung für Ana.pdf"),
        ("報告 №1.docx", "報告 №1.docx"),
        ("../../.bashrc", "_.._.bashrc"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\Windows\\win.ini", "C_Windows_win.ini"),
        ("con.pdf", "_con.pdf"),
        ("LPT1", "_LPT1"),
        (" .hidden. ", "hidden"),
        ("a\x00b\nc.pdf", "a_b_c.pdf"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("..", ""),
    ],
)
def test_names_that_every_file_system_takes(name: str, safe: str):
    assert safe_name(name) == safe


def test_long_names_keep_their_extension():
    for name in ("x" * 500 + ".pdf", "報" * 300 + ".pdf"):
        assert len(safe_name(name).encode()) <= 200
        assert safe_name(name).endswith(".pdf")


async def test_files_keep_their_names_and_repeated_ones_get_numbers(storage: Storage, tmp_path: Path):
    async def content(data: bytes, **members: Any) -> dict[str, Any]:
        return {"url": (await storage.put(data, mime_type="application/pdf")).uri, **members}

    first, second, other = await content(b"1", filename="a.pdf"), await content(b"2", filename="A.pdf"), None
    other = await content(b"3", filename="notes")
    nameless = await content(b"4")
    value = {"list": [first, second, first], "deep": {"x": {"y": other}}, "bare": nameless, "text": first["url"]}
    saved = await save_files(files_of(value), storage, tmp_path / "files")
    names = {path.name: path.read_bytes() for path in saved.paths}
    (hashed,) = names.keys() - {"a.pdf", "A_2.pdf", "notes.pdf"}
    assert names == {"a.pdf": b"1", "A_2.pdf": b"2", "notes.pdf": b"3", hashed: b"4"}
    assert hashed == f"{nameless['url'].partition('://')[2][:12]}.pdf"
    assert saved.with_paths(value) == {
        "list": [{**first, "url": "files/a.pdf"}, {**second, "url": "files/A_2.pdf"}, {**first, "url": "files/a.pdf"}],
        "deep": {"x": {"y": {**other, "url": "files/notes.pdf"}}},
        "bare": {"url": f"files/{hashed}"},
        "text": first["url"],
    }


async def test_links_are_written_as_markdown_takes_them(storage: Storage, tmp_path: Path):
    blob = await storage.put(b"x", mime_type="text/plain")
    value = {"url": blob.uri, "filename": "a (b) ü.txt"}
    saved = await save_files(files_of(value), storage, tmp_path / "files")
    assert saved.with_links(value) == {**value, "url": "files/a%20%28b%29%20%C3%BC.txt"}


async def test_what_the_storage_does_not_have_keeps_its_address(storage: Storage, tmp_path: Path):
    value = {"url": f"pipelex-storage://{'0' * 64}.pdf", "filename": "a.pdf"}
    saved = await save_files(files_of(value), storage, tmp_path / "files")
    assert [(file.filename, failed.code) for file, failed in saved.missing.items()] == [
        ("a.pdf", "input.reference_not_found")
    ]
    assert saved.with_paths(value) == value
    assert not (tmp_path / "files").exists()


def test_only_addresses_of_the_storage_are_files():
    assert not files_of(
        {"url": "https://example.com/a.pdf"}, [{"url": "data:text/plain,x"}], {"url": "pipelex-storage://../x"}, "x", 3
    )
