"""Whatever the store, reading a blob stops at a size: its name is a few bytes, and it may be gigabytes."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import AzureStore

from pipelex.errors import PipelexError
from pipelex.storage import MOST_KEPT, FetchPolicy, Storage, load
from tests.storage.test_store import opened, s3
from tests.support.bucket import KEYS, Bucket
from tests.support.http_stub import Answer, HttpStub, Received, http_stub

DATA = bytes(range(256)) * 40
SHA = hashlib.sha256(DATA).hexdigest()
URI = f"pipelex-storage://{SHA}.bin"
GIGABYTES = 4 * 1024**3
STAMP = {"etag": '"1"', "last-modified": "Sat, 01 Aug 2026 00:00:00 GMT"}
GOOGLE = json.dumps({"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""})


def at_s3(tmp_path: Path, stub: HttpStub) -> Storage:
    return s3(tmp_path, stub.url, KEYS)


def at_google(tmp_path: Path, stub: HttpStub) -> Storage:
    environ = {"GOOGLE_SERVICE_ACCOUNT_KEY": GOOGLE}
    return opened(tmp_path, environ, method="gcp", gcp__bucket="runs", gcp__endpoint=stub.url)


def at_azure(tmp_path: Path, stub: HttpStub) -> Storage:
    storage = opened(tmp_path, method="azure", azure__account="harbour", azure__container="runs")
    client = AzureStore(
        "runs", account_name="harbour", account_key="a2V5", endpoint=stub.url, client_options={"allow_http": True}
    )
    vars(storage)["_store"] = client  # no setting leads Azure's client to another address
    return storage


def huge(request: Received) -> Answer:
    """Four gigabytes are announced, and come as long as somebody reads."""
    return Answer(DATA * 1_000, 200, STAMP, length=GIGABYTES)


async def refusal(storage: Storage, most: int, uri: str = URI) -> PipelexError:
    with pytest.raises(PipelexError) as caught:
        await storage.get(uri, most=most)
    return caught.value


@pytest.mark.parametrize("method", ["local", "in_memory"])
async def test_of_a_larger_blob_nothing_is_given(tmp_path: Path, method: str):
    storage = opened(tmp_path, method=method)
    blob = await storage.put(DATA)

    refused = await refusal(storage, len(DATA) - 1, blob.uri)

    assert (refused.code, refused.report.params["limit"], refused.report.params["size"]) == (
        "input.too_large",
        len(DATA) - 1,
        len(DATA),
    )
    assert storage.label in str(refused)
    assert await storage.get(blob.uri, most=len(DATA)) == DATA


async def test_a_sparse_file_of_gigabytes_takes_no_memory(tmp_path: Path):
    storage = opened(tmp_path, local__path="blobs")
    await storage.put(b"makes the folder")
    with (tmp_path / "blobs" / f"{SHA}.bin").open("wb") as file:
        file.truncate(GIGABYTES)

    assert (await refusal(storage, 1_000_000)).report.params["size"] == GIGABYTES


@pytest.mark.parametrize("opening", [at_s3, at_google, at_azure])
async def test_an_object_store_that_announces_gigabytes_is_not_read(
    tmp_path: Path, opening: Callable[[Path, HttpStub], Storage]
):
    async with http_stub(huge) as stub:
        refused = await refusal(opening(tmp_path, stub), 1_000_000)
    assert (refused.code, refused.report.params["size"]) == ("input.too_large", GIGABYTES)


async def test_s3_gives_what_is_not_larger(tmp_path: Path):
    async with http_stub(Bucket()) as stub:
        storage = at_s3(tmp_path, stub)
        blob = await storage.put(DATA)
        assert await storage.get(blob.uri, most=len(DATA)) == DATA
        assert (await refusal(storage, len(DATA) - 1, blob.uri)).code == "input.too_large"


async def test_what_a_content_names_is_read_up_to_the_policy_of_inputs(tmp_path: Path):
    storage = opened(tmp_path)
    blob = await storage.put(DATA)
    with pytest.raises(PipelexError) as caught:
        await load(blob.uri, storage=storage, policy=FetchPolicy(max_bytes=100))
    assert (caught.value.code, caught.value.report.params["limit"]) == ("input.too_large", 100)


@pytest.mark.parametrize("method", ["local", "in_memory"])
async def test_what_is_kept_under_a_name_is_bounded(tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch):
    storage = opened(tmp_path, method=method, local__path="blobs")
    monkeypatch.setattr("pipelex.storage._store.MOST_KEPT", 1_000)
    await storage.keep("results/aa/one.json", b"x" * 1_000)
    await storage.keep("results/aa/two.json", b"x" * 1_001)
    assert await storage.kept("results/aa/one.json") == b"x" * 1_000
    with pytest.raises(PipelexError) as caught:
        await storage.kept("results/aa/two.json")
    assert caught.value.code == "input.too_large"


def test_what_is_kept_fits_a_worker_of_a_gigabyte():
    assert MOST_KEPT <= 128 * 1024 * 1024


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, device])
async def test_what_stands_in_the_folder_and_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]):
    storage = opened(tmp_path, local__path="blobs")
    await storage.put(b"makes the folder")
    make(tmp_path / "blobs" / f"{SHA}.bin")
    refused = await refusal(storage, 1_000_000)
    assert (refused.code, refused.report.params["reason"]) == ("input.file_unreadable", "not_a_file")
