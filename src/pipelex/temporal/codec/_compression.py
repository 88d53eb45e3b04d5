"""Compression of payloads with Zstandard (RFC 8878)."""

from typing import Final

from temporalio.api.common.v1 import Payload

from pipelex.errors import ConfigurationError, ErrorCategory, Location, PipelexError

ENCODING: Final = b"binary/zstd"
WORTH_IT: Final = 512
"""Bytes below which a payload is left readable."""

_LEVEL: Final = 3
_LARGEST: Final = 2_147_483_647
"""Of any protobuf message; what claims to be longer is no payload."""


def require_zstd() -> None:
    """Say what to install where the library is missing.

    Raises:
        ConfigurationError: it is missing.
    """
    try:
        import zstandard  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise ConfigurationError(
            "payloads are compressed with zstd, and the library for it is not installed",
            advice='Install it: pip install "pipelex[temporal]"',
            location=Location(field="temporal.payload_codec_config.compression"),
        ) from None


def compress(payload: Payload) -> Payload:
    """The payload, compressed as a whole; as it is where it is short, or would not get shorter."""
    import zstandard

    if payload.ByteSize() < WORTH_IT:
        return payload
    data = zstandard.ZstdCompressor(level=_LEVEL).compress(payload.SerializeToString(deterministic=True))
    packed = Payload(metadata={"encoding": ENCODING}, data=data)
    return packed if packed.ByteSize() < payload.ByteSize() else payload


def decompress(payload: Payload) -> Payload:
    """The inverse of `compress`, for a payload whose encoding is `ENCODING`.

    Raises:
        ConfigurationError: the library is missing.
        PipelexError: it is damaged.
    """
    require_zstd()
    import zstandard

    try:
        if zstandard.frame_content_size(payload.data) > _LARGEST:
            raise zstandard.ZstdError("it is too long")
        return Payload.FromString(zstandard.ZstdDecompressor().decompress(payload.data))
    except zstandard.ZstdError as error:
        raise PipelexError(
            "runtime.misconfigured",
            f"a compressed payload is damaged: {error}",
            category=ErrorCategory.CONFIGURATION,
            params={"component": "payload_compression"},
        ) from None
