import asyncio
import hashlib
import json
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from pipelex.config import load_settings
from pipelex.errors import ConfigurationError, ErrorCategory, PipelexError
from pipelex.storage import Storage
from tests.support.bucket import KEYS, Bucket
from tests.support.http_stub import Answer, Received, http_stub

PNG = b"\x89PNG\r\n\x1a\n and so on"
SHA = hashlib.sha256(PNG).hexdigest()


def opened(tmp_path: Path, environ: dict[str, str] | None = None, **values: Any) -> Storage:
    overrides = {f"runtime.storage.{key.replace('__', '.')}": value for key, value in values.items()}
    settings = load_settings(cwd=tmp_path, environ={"HOME": str(tmp_path)}, overrides=overrides)
    return Storage.open(settings.runtime.storage, tmp_path, environ)


@pytest.mark.parametrize("method", ["local", "in_memory"])
async def test_what_is_put_can_be_got(tmp_path: Path, method: str):
    storage = opened(tmp_path, method=method)

    blob = await storage.put(PNG, filename="view.png")

    assert blob.uri == f"pipelex-storage://{SHA}.png"
    assert (blob.mime_type, blob.size, blob.sha256, blob.filename) == ("image/png", len(PNG), SHA, "view.png")
    assert blob.content() == {"url": blob.uri, "mime_type": "image/png", "filename": "view.png"}
    assert await storage.get(blob.uri) == PNG
    assert await storage.exists(blob.uri)
    assert storage.mime_type(blob.uri) == "image/png"
    assert await storage.public_url(blob.uri) is None


async def test_two_stores_on_one_folder_understand_each_other(tmp_path: Path):
    blob = await opened(tmp_path).put(PNG)

    assert await opened(tmp_path).get(blob.uri) == PNG


async def test_same_bytes_are_stored_once_and_whole(tmp_path: Path):
    storage = opened(tmp_path, local__path="blobs")
    first = await storage.put(PNG, filename="a.png")
    file = tmp_path / "blobs" / f"{SHA}.png"
    before = file.stat().st_mtime_ns

    second = await storage.put(PNG, filename="b.png")

    assert second.uri == first.uri
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [file.name]
    assert file.stat().st_mtime_ns == before


async def test_a_blob_cut_short_is_written_again(tmp_path: Path):
    storage = opened(tmp_path, local__path="blobs")
    blob = await storage.put(PNG)
    (tmp_path / "blobs" / f"{SHA}.png").write_bytes(PNG[:4])

    await storage.put(PNG)

    assert await storage.get(blob.uri) == PNG


async def test_format_of_keys(tmp_path: Path):
    storage = opened(tmp_path, uri_format="runs/{hash}/file.{extension}")

    blob = await storage.put(b"%PDF-1.7", mime_type="application/pdf")

    assert blob.uri == f"pipelex-storage://runs/{blob.sha256}/file.pdf"
    assert await storage.get(blob.uri) == b"%PDF-1.7"


@pytest.mark.parametrize("uri_format", ["{extension}", "{hash}.{name}", "../{hash}", "/{hash}", "{hash", "{hash} x"])
def test_formats_that_cannot_name_blobs(tmp_path: Path, uri_format: str):
    with pytest.raises(ConfigurationError) as caught:
        opened(tmp_path, uri_format=uri_format)
    assert "runtime.storage.uri_format" in caught.value.report.detail


@pytest.mark.parametrize(
    "uri",
    [
        "pipelex-storage://../../etc/passwd",
        f"pipelex-storage://../{SHA}.png",
        f"pipelex-storage:///{SHA}.png",
        f"pipelex-storage://a//{SHA}.png",
        f"pipelex-storage://{SHA[:-1]}.png",
        "pipelex-storage://",
        f"other://{SHA}.png",
        f"{SHA}.png",
        f"pipelex-storage://.hidden/{SHA}",
    ],
)
async def test_uris_that_are_not_ours(storage: Storage, uri: str):
    with pytest.raises(PipelexError) as caught:
        await storage.get(uri)
    assert caught.value.code == "input.reference_not_found"


async def test_a_blob_that_is_gone(storage: Storage):
    uri = f"pipelex-storage://{SHA}.png"

    assert not await storage.exists(uri)
    with pytest.raises(PipelexError) as caught:
        await storage.get(uri)
    assert caught.value.code == "input.reference_not_found"
    assert uri in str(caught.value)


async def test_a_blob_that_was_altered(tmp_path: Path):
    storage = opened(tmp_path, local__path="blobs")
    blob = await storage.put(PNG)
    (tmp_path / "blobs" / f"{SHA}.png").write_bytes(PNG + b"!")

    with pytest.raises(PipelexError) as caught:
        await storage.get(blob.uri)
    assert caught.value.report.params["reason"] == "hash_mismatch"


async def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    storage = opened(tmp_path, local__path="file/blobs")

    with pytest.raises(PipelexError) as caught:
        await storage.put(PNG)
    assert caught.value.code in ("runtime.unavailable", "runtime.misconfigured")
    assert "file/blobs" in str(caught.value)


@pytest.mark.parametrize(("method", "key"), [("s3", "s3.bucket"), ("gcp", "gcp.bucket"), ("azure", "azure.container")])
def test_object_stores_need_a_name(tmp_path: Path, method: str, key: str):
    with pytest.raises(ConfigurationError) as caught:
        opened(tmp_path, method=method)
    assert f"runtime.storage.{key}" in str(caught.value)


@pytest.mark.slow
def test_a_process_that_used_a_store_ends_well(tmp_path: Path):
    """A store's threads must not call into an interpreter that is on its way out."""
    program = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        from pipelex.config._sections import StorageSettings
        from pipelex.storage import Storage
        async def once():
            storage = Storage.open(StorageSettings(), Path({str(tmp_path)!r}))
            return await storage.get((await storage.put(b"bytes")).uri)
        print(asyncio.run(once()))
        """
    )
    for _ in range(6):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "b'bytes'\n"), done.stderr


# --- S3 ---------------------------------------------------------------------------------------------------------------


def s3(tmp_path: Path, endpoint: str, environ: dict[str, str]) -> Storage:
    return opened(tmp_path, environ, method="s3", s3__bucket="runs", s3__prefix="blobs", s3__endpoint=endpoint)


async def test_s3(tmp_path: Path):
    bucket = Bucket()
    async with http_stub(bucket) as stub:
        storage = s3(tmp_path, stub.url, KEYS)

        blob = await storage.put(PNG)
        await storage.put(PNG)

        assert await storage.get(blob.uri) == PNG
        assert not await storage.exists(f"pipelex-storage://{'0' * 64}.png")
        assert bucket.objects == {f"/runs/blobs/{SHA}.png": (PNG, "image/png")}
        assert [request.method for request in stub.requests].count("PUT") == 1


async def test_s3_signs_urls_for_a_while(tmp_path: Path):
    storage = s3(tmp_path, "http://127.0.0.1:1", KEYS)

    url = await storage.public_url(f"pipelex-storage://{SHA}.png", expires_in=timedelta(minutes=5))

    assert url is not None
    assert url.startswith(f"http://127.0.0.1:1/runs/blobs/{SHA}.png?")
    assert "X-Amz-Expires=300" in url
    assert "a-very-secret-key" not in url


async def test_s3_that_refuses_the_key(tmp_path: Path):
    async with http_stub(Bucket()) as stub:
        storage = s3(tmp_path, stub.url, {**KEYS, "AWS_ACCESS_KEY_ID": "AKIAOTHER"})

        with pytest.raises(PipelexError) as caught:
            await storage.put(PNG)
    assert caught.value.code == "runtime.misconfigured"
    assert caught.value.report.category is ErrorCategory.CONFIGURATION
    assert "a-very-secret-key" not in str(caught.value)
    assert "a-very-secret-key" not in repr(storage)


async def test_s3_that_is_down(tmp_path: Path):
    storage = s3(tmp_path, "http://127.0.0.1:1", KEYS)

    with pytest.raises(PipelexError) as caught:
        await storage.get(f"pipelex-storage://{SHA}.png")
    assert caught.value.code == "runtime.unavailable"
    assert caught.value.report.is_retryable
    assert "'runs'" in str(caught.value)


def test_s3_in_a_region(tmp_path: Path):
    storage = opened(tmp_path, KEYS, method="s3", s3__bucket="runs", s3__region="eu-west-1")

    url = asyncio.run(storage.public_url(f"pipelex-storage://{SHA}.png"))

    assert url is not None
    assert url.startswith(f"https://s3.eu-west-1.amazonaws.com/runs/{SHA}.png?")


# --- Google Cloud Storage and Azure -----------------------------------------------------------------------------------


async def test_gcp(tmp_path: Path):
    key = json.dumps({"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""})

    def answer(request: Received) -> Answer:
        return Answer(status=200 if request.method == "PUT" else 404, headers={"etag": '"1"'})

    async with http_stub(answer) as stub:
        values = {"gcp__bucket": "runs", "gcp__prefix": "blobs", "gcp__endpoint": stub.url}
        await opened(tmp_path, {"GOOGLE_SERVICE_ACCOUNT_KEY": key}, method="gcp", **values).put(PNG)

    (put,) = (request for request in stub.requests if request.method == "PUT")
    assert unquote(put.path) == f"/runs/blobs/{SHA}.png"


async def test_azure(tmp_path: Path):
    values = {"azure__account": "harbour", "azure__container": "runs", "azure__prefix": "blobs"}
    storage = opened(tmp_path, {"AZURE_STORAGE_ACCOUNT_KEY": "a2V5"}, method="azure", **values)

    url = await storage.public_url(f"pipelex-storage://{SHA}.png")

    assert url is not None
    assert url.startswith(f"https://harbour.blob.core.windows.net/runs/blobs/{SHA}.png?")
