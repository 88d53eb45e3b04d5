"""Encryption, compression and the store behind the data converter, without a server."""

import base64
import secrets
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from pipelex.durable.stored import StoredPayload
from pipelex.errors import PipelexError
from pipelex.temporal.codec import data_converter, in_run, store_value
from pipelex.temporal.config import connection, parse_temporal_config
from pipelex.temporal.workflow.large_inputs import PARTS
from pipelex.temporal.workflow.references import is_reference, reference_payload
from tests.support.project import Project, write_project

TABLE = "temporal.payload_codec_config"
KEYS = {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in ("OLD", "NEW")}
TEXT = "a secret of the harbour. " * 100


def converter_of(root: Path, environ: dict[str, str] | None = None, **values: Any) -> DataConverter:
    (root / ".env").write_text("".join(f"{name}={value}\n" for name, value in (environ or {}).items()))
    settings = project_in(root).settings({f"{TABLE}.{name.replace('__', '.')}": each for name, each in values.items()})
    config = parse_temporal_config(settings)
    return data_converter(config, settings, connection(config, settings))


def project_in(root: Path) -> Project:
    if not (root / ".pipelex").exists():
        return write_project(root, stub="http://127.0.0.1:1/v1")
    return Project(root, "tests")


def encrypting(root: Path, id_: str = "new", variable: str = "NEW", **values: Any) -> DataConverter:
    return converter_of(root, KEYS, encryption__key_id=id_, encryption__key_env=variable, **values)


async def test_equal_values_are_equal_when_encrypted_and_different_ones_are_not(tmp_path: Path) -> None:
    converter = encrypting(tmp_path, is_enabled=False)
    first, second, other = await converter.encode([TEXT, TEXT, TEXT + "!"])
    assert first == second
    assert first.data[:12] != other.data[:12]
    assert b"secret" not in first.SerializeToString()
    assert first.metadata["encryption-key-id"] == b"new"
    assert await converter.decode([first, other]) == [TEXT, TEXT + "!"]


async def test_what_a_former_key_encrypted_can_be_read(tmp_path: Path) -> None:
    (old,) = await encrypting(tmp_path, "old", "OLD").encode([TEXT])
    rotated = encrypting(tmp_path, encryption__decrypt_keys={"old": "OLD"})
    (new,) = await rotated.encode([TEXT])
    assert new != old
    assert await rotated.decode([old, new]) == [TEXT, TEXT]


async def test_a_key_that_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    (old,) = await encrypting(tmp_path, "old", "OLD").encode([TEXT])
    with pytest.raises(PipelexError, match=r"key 'old'; known here: new") as unknown:
        await encrypting(tmp_path).decode([old])
    assert unknown.value.code == "runtime.misconfigured"
    with pytest.raises(PipelexError, match="none is known here"):
        await converter_of(tmp_path).decode([old])
    with pytest.raises(PipelexError, match="another key 'old' than the one in NEW"):
        await encrypting(tmp_path, "old", "NEW").decode([old])


async def test_the_id_of_the_key_is_bound_to_the_payload(tmp_path: Path) -> None:
    converter = encrypting(tmp_path, encryption__decrypt_keys={"twin": "NEW"})
    (payload,) = await converter.encode([TEXT])
    payload.metadata["encryption-key-id"] = b"twin"
    with pytest.raises(PipelexError, match="or altered"):
        await converter.decode([payload])


async def test_a_payload_belongs_to_its_run_and_all_pipes_of_it(tmp_path: Path) -> None:
    converter = encrypting(tmp_path, is_enabled=False)
    root, child = (in_run(converter, "default", id_) for id_ in ("monday", "monday/2-summarize"))
    (payload,) = await root.encode([TEXT])
    assert (await child.encode([TEXT])) == [payload], "what children share is stored once"
    assert await child.decode([payload]) == [TEXT]
    assert await converter.decode([payload]) == [TEXT], "the codec server does not know the run"
    for other in ("tuesday", "monda", "monday2/2-summarize"):
        with pytest.raises(ApplicationError, match="belongs to another run"):
            await in_run(converter, "default", other).decode([payload])


async def test_a_payload_cannot_be_told_to_belong_to_another_run(tmp_path: Path) -> None:
    converter = encrypting(tmp_path, is_enabled=False)
    (payload,) = await in_run(converter, "default", "monday").encode([TEXT])
    (same,) = await in_run(converter, "default", "tuesday").encode([TEXT])
    assert payload.data[:12] != same.data[:12], "no nonce serves two runs"
    payload.metadata["encryption-run"] = b"tuesday"
    with pytest.raises(PipelexError, match="or altered"):
        await in_run(converter, "default", "tuesday").decode([payload])
    del payload.metadata["encryption-run"]
    with pytest.raises(PipelexError, match="or altered"):
        await in_run(converter, "default", "tuesday").decode([payload])


async def test_what_was_encrypted_before_runs_were_bound_can_be_read(tmp_path: Path) -> None:
    converter = encrypting(tmp_path, is_enabled=False)
    (payload,) = await converter.encode([TEXT])
    assert "encryption-run" not in payload.metadata
    assert await in_run(converter, "default", "monday").decode([payload]) == [TEXT]


async def test_plain_payloads_are_refused_where_encryption_is_required(tmp_path: Path) -> None:
    plain = await converter_of(tmp_path, is_enabled=False).encode([TEXT, None, 3])
    packed = await converter_of(tmp_path, is_enabled=False, compression="zstd").encode([TEXT])
    values = Payload(metadata={"encoding": PARTS}, data=b"")
    required = encrypting(tmp_path, is_enabled=False, encryption__is_required=True)
    assert await required.decode(await required.encode([TEXT, None])) == [TEXT, None]
    for payload in (plain[0], plain[2], packed[0], Payload(metadata=values.metadata, data=b"x")):
        with pytest.raises(ApplicationError, match="is not encrypted"):
            await required.decode([payload])
    assert await encrypting(tmp_path, is_enabled=False).decode(plain) == [TEXT, None, 3]


@pytest.mark.parametrize("written", ["", "c2hvcnQ=", "x" * 44, "ab" * 31])
async def test_a_variable_without_a_key_is_named_with_how_to_make_one(tmp_path: Path, written: str) -> None:
    with pytest.raises(PipelexError, match="NEW") as failed:
        converter_of(tmp_path, {"NEW": written}, encryption__key_id="k", encryption__key_env="NEW")
    assert "openssl rand -base64 32" in (failed.value.report.advice or "")


async def test_keys_may_be_hexadecimal(tmp_path: Path) -> None:
    in_hex = {"NEW": base64.b64decode(KEYS["NEW"]).hex()}
    (payload,) = await converter_of(tmp_path, in_hex, encryption__key_id="new", encryption__key_env="NEW").encode([1])
    assert await encrypting(tmp_path).decode([payload]) == [1]


async def test_long_payloads_are_compressed_before_they_are_encrypted(tmp_path: Path) -> None:
    plain = converter_of(tmp_path, is_enabled=False, compression="zstd")
    noise = secrets.token_bytes(1_000)
    short, long, noisy = await plain.encode(["short", TEXT * 500, noise])
    assert (short.metadata["encoding"], long.metadata["encoding"]) == (b"json/plain", b"binary/zstd")
    assert long.ByteSize() < 2_000
    assert noisy.metadata["encoding"] == b"binary/plain"
    assert await converter_of(tmp_path).decode([short, long, noisy]) == ["short", TEXT * 500, noise]
    both = encrypting(tmp_path, is_enabled=False, compression="zstd")
    (secret,) = await both.encode([TEXT * 500])
    assert secret.metadata["encoding"] == b"binary/encrypted"
    assert secret.ByteSize() < 2_000
    assert await encrypting(tmp_path).decode([secret]) == [TEXT * 500]


@pytest.mark.parametrize("compression", ["zstd", None])
async def test_what_becomes_larger_than_the_limit_is_refused(tmp_path: Path, compression: str | None) -> None:
    long = secrets.token_hex(500_000)
    written = await converter_of(tmp_path, is_enabled=False, compression=compression).encode([long])
    small = converter_of(tmp_path, is_enabled=False, max_payload_bytes=500_000)
    with pytest.raises(ApplicationError) as refused:
        await small.decode(written)
    assert (refused.value.type, refused.value.non_retryable) == ("RequestTooLarge", True)
    assert await converter_of(tmp_path, is_enabled=False, max_payload_bytes=2_000_000).decode(written) == [long]


async def test_references_and_foreign_payloads_are_left_alone(tmp_path: Path) -> None:
    converter = encrypting(tmp_path)
    reference = reference_payload(StoredPayload(key="k/" + "0" * 64, size=3))
    assert converter.payload_codec is not None
    assert await converter.payload_codec.encode([reference]) == [reference]
    foreign = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"of another tool")
    assert await converter.payload_codec.decode([foreign, reference]) == [foreign, reference]


async def test_what_is_stored_is_encrypted_and_stored_once(tmp_path: Path) -> None:
    converter = encrypting(tmp_path, size_threshold=1000, storage_prefix="p", storage_provider_config__local__path="s")
    payloads = [*await converter.encode([TEXT]), *await encrypting(tmp_path, size_threshold=1000).encode(["short"])]
    assert [is_reference(payload) for payload in payloads] == [True, False]
    stored = await store_value(converter, TEXT)
    assert payloads[0] == reference_payload(stored)
    (blob,) = (tmp_path / "s" / "p").iterdir()
    assert b"secret" not in blob.read_bytes()
    assert stored == StoredPayload(key=f"p/{blob.name}", size=blob.stat().st_size)


async def test_a_payload_that_is_gone_or_altered_is_named(tmp_path: Path) -> None:
    (payload,) = await converter_of(tmp_path, size_threshold=1000).encode([TEXT])
    reader = converter_of(tmp_path)
    (blob,) = (tmp_path / ".pipelex" / "storage" / "temporal-payloads").iterdir()
    blob.write_bytes(b"x" + blob.read_bytes()[1:])
    with pytest.raises(PipelexError, match="has been altered"):
        await reader.decode([payload])
    blob.unlink()
    with pytest.raises(PipelexError, match=r"is not there: the storage folder .* is not the store") as gone:
        await reader.decode([payload])
    assert gone.value.code == "runtime.misconfigured"
    assert gone.value.report.params == {"component": "payload_storage"}


async def test_a_store_that_is_down_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    converter = converter_of(tmp_path, size_threshold=1000, storage_provider_config__local__path="file/s")
    with pytest.raises(PipelexError, match="file/s") as failed:
        await converter.encode([TEXT])
    assert "payload_codec_config" in (failed.value.report.advice or "")


async def test_a_payload_read_a_moment_ago_is_not_fetched_again(tmp_path: Path) -> None:
    (payload,) = await converter_of(tmp_path, size_threshold=1000).encode([TEXT])
    reader = converter_of(tmp_path)
    assert await reader.decode([payload] * 3) == [TEXT] * 3
    (blob,) = (tmp_path / ".pipelex" / "storage" / "temporal-payloads").iterdir()
    blob.unlink()
    assert await reader.decode([payload]) == [TEXT]
