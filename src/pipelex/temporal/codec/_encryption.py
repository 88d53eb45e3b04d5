"""Encryption of payloads with AES-256-GCM, so that equal payloads give equal bytes.

A payload in the store has the name of its content, so the same document must encrypt to the same bytes wherever it is
sent from. The nonce is therefore not drawn by chance but derived from what is encrypted, as deterministic authenticated
encryption does (Rogaway and Shrimpton 2006, RFC 5297): HMAC-SHA256 of the plaintext under a key of its own, cut to the 96
bits of a GCM nonce (NIST SP 800-38D). Two keys are derived from the configured one by HKDF-SHA256 (RFC 5869), one for the
nonce and one for AES. Equal nonces then mean equal plaintexts, but for a chance of 2^-33 after 2^32 different payloads, the
number up to which SP 800-38D lets one key be used.

The trade: whoever reads the history or the store sees which payloads are equal, and about how long each is; nothing else.
The id of the key is authenticated with the payload.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from temporalio.api.common.v1 import Payload

from pipelex.errors import ConfigurationError, ErrorCategory, Location, PipelexError
from pipelex.temporal.config import EncryptionConfig

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENCODING: Final = b"binary/encrypted"
KEY_ID: Final = "encryption-key-id"
"""Of the metadata of an encrypted payload."""

_CIPHER: Final = "encryption-cipher"
_AES_GCM: Final = b"AES-256-GCM"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TABLE: Final = "temporal.payload_codec_config.encryption"


@dataclass(frozen=True)
class Key:
    """One key and the name it is known by."""

    id: str
    secret: bytes = field(repr=False)
    variable: str
    """Where it came from, for messages."""

    def encrypt(self, data: bytes) -> bytes:
        """Nonce and ciphertext; the same data gives the same bytes."""
        nonce = hmac.digest(self._nonce_key, data, "sha256")[:_NONCE_BYTES]
        return nonce + self._aes.encrypt(nonce, data, self._bound)

    def decrypt(self, data: bytes) -> bytes:
        """The inverse of `encrypt`.

        Raises:
            PipelexError: it was encrypted with another key of that name, or altered.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], self._bound)
        except (InvalidTag, ValueError):
            raise _unreadable(
                f"a payload was encrypted with another key '{self.id}' than the one in {self.variable}, or altered",
                f"Set {self.variable} to the key that was in use when the run was started.",
            ) from None

    @property
    def _bound(self) -> bytes:
        return b"pipelex payload v1:" + self.id.encode()

    @cached_property
    def _nonce_key(self) -> bytes:
        return self._derived("nonce")

    @cached_property
    def _aes(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._derived("encryption"))

    def _derived(self, purpose: str) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"pipelex payload {purpose} v1".encode()).derive(self.secret)


@dataclass(frozen=True)
class Encryption:
    """Encrypts payloads with one key, and decrypts those of several.

    Args:
        key: for new payloads; None where nothing is encrypted.
        known: every key that payloads may have been encrypted with, by id.
    """

    key: Key | None = None
    known: Mapping[str, Key] = field(default_factory=dict[str, Key])

    @classmethod
    def configured(cls, config: EncryptionConfig | None, environ: Mapping[str, str]) -> "Encryption":
        """As `[temporal.payload_codec_config.encryption]` says.

        Raises:
            ConfigurationError: a variable is not set or holds no key, or the library is not installed.
        """
        if config is None:
            return cls()
        try:
            import cryptography  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ImportError:
            raise ConfigurationError(
                "payloads are to be encrypted, and the library for it is not installed",
                advice='Install it: pip install "pipelex[temporal]"',
                location=Location(field=_TABLE),
            ) from None
        key = _read(config.key_id, config.key_env, f"{_TABLE}.key_env", environ)
        former = [
            _read(id_, variable, f"{_TABLE}.decrypt_keys.{id_}", environ)
            for id_, variable in config.decrypt_keys.items()
        ]
        return cls(key, {each.id: each for each in (key, *former)})

    def encrypt(self, payload: Payload) -> Payload:
        """The payload, encrypted as a whole."""
        if self.key is None:
            return payload
        data = self.key.encrypt(payload.SerializeToString(deterministic=True))
        metadata = {"encoding": ENCODING, _CIPHER: _AES_GCM, KEY_ID: self.key.id.encode()}
        return Payload(metadata=metadata, data=data)

    def decrypt(self, payload: Payload) -> Payload:
        """The inverse of `encrypt`, for a payload whose encoding is `ENCODING`.

        Raises:
            PipelexError: no key of its name is known here, or not the right one.
        """
        id_ = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = self.known.get(id_)
        if key is None:
            known = f"known here: {', '.join(self.known)}" if self.known else "none is known here"
            raise _unreadable(
                f"a payload is encrypted with the key '{id_}'; {known}",
                f'Set key_id and key_env in [{_TABLE}], or, for a former key, decrypt_keys."{id_}", and the variable.',
            )
        return Payload.FromString(key.decrypt(payload.data))


def _read(id_: str, variable: str, setting: str, environ: Mapping[str, str]) -> Key:
    text = environ.get(variable, "").strip()
    advice = f"Set it to 32 bytes in base64 or hex, the same on every worker and client: {variable}=$(openssl rand -base64 32)"
    if not text:
        detail = f"{setting}: the environment variable {variable}, which holds the key '{id_}' of payloads, is not set"
        raise ConfigurationError(detail, advice=advice, location=Location(field=setting))
    secret = _secret(text)
    if secret is None:
        detail = f"{setting}: the environment variable {variable} does not hold a key of 32 bytes in base64 or hex"
        raise ConfigurationError(detail, advice=advice, location=Location(field=setting))
    return Key(id_, secret, variable)


def _secret(text: str) -> bytes | None:
    try:
        if len(text) == 2 * _KEY_BYTES:
            return bytes.fromhex(text)
        found = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    return found if len(found) == _KEY_BYTES else None


def _unreadable(detail: str, advice: str) -> PipelexError:
    return PipelexError(
        "runtime.misconfigured",
        detail,
        category=ErrorCategory.CONFIGURATION,
        params={"component": "payload_encryption"},
        advice=advice,
    )
