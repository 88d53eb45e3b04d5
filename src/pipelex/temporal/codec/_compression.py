"""Compression of payloads with Zstandard (RFC 8878)."""

from typing import Final

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload

from pipelex.config.distribution import install_command
from pipelex.errors import ConfigurationError, Location
from pipelex.temporal.codec._limits import decoded_limit
from pipelex.temporal.config import MAX_PAYLOAD_BYTES
from pipelex.temporal.workflow.refusals import malformed, too_large

ENCODING: Final = b"binary/zstd"
WORTH_IT: Final = 512
"""The size in bytes below which a payload is not compressed."""

_LEVEL: Final = 3
_WINDOW: Final = 33_554_432
"""The largest window, in bytes, that a payload may ask the decoder to keep; `compress` needs 2 MiB at most."""


def require_zstd() -> None:
    """Check that the library for zstd is installed.

    Raises:
        ConfigurationError: the library is missing; the error says what to install.
    """
    try:
        import zstandard  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ConfigurationError(
            "payloads are compressed with zstd, but the library for it is not installed",
            advice=f"Install it: {install_command('temporal')}",
            location=Location(field="temporal.payload_codec_config.compression"),
        ) from None


def compress(payload: Payload) -> Payload:
    """The payload, compressed as a whole; unchanged if it is short or would not get shorter."""
    import zstandard

    if payload.ByteSize() < WORTH_IT:
        return payload
    data = zstandard.ZstdCompressor(level=_LEVEL).compress(payload.SerializeToString(deterministic=True))
    packed = Payload(metadata={"encoding": ENCODING}, data=data)
    return packed if packed.ByteSize() < payload.ByteSize() else payload


def decompress(payload: Payload, limit: int = MAX_PAYLOAD_BYTES) -> Payload:
    """The inverse of `compress`, for a payload whose encoding is `ENCODING`.

    Args:
        payload: the compressed payload.
        limit: the maximum size of the decompressed payload, in bytes; nothing beyond it is decompressed.

    Raises:
        ConfigurationError: the library is missing.
        PipelexError: the payload is damaged (`request.malformed`) or becomes too large (`request.too_large`).
    """
    require_zstd()
    import zstandard

    most = decoded_limit(len(payload.data), limit)
    try:
        with zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(payload.data) as reader:
            data = reader.read(most + 1)
        if len(data) > most:
            raise too_large(f"{len(payload.data):,} compressed bytes become more than {most:,}", most, len(data))
        return Payload.FromString(data)
    except (zstandard.ZstdError, DecodeError) as error:
        raise malformed(f"a compressed payload is damaged: {error}", "bad_zip") from None
