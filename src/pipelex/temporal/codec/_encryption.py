"""Encrypts payloads with AES-256-GCM so that equal payloads of a run become equal bytes.

The store names a payload after its content, so the same document must encrypt to the same bytes wherever it is sent
from. The nonce is therefore not random, but derived from the plaintext, as in deterministic authenticated encryption
(Rogaway and Shrimpton 2006, RFC 5297). It is the HMAC-SHA256 of the plaintext under a key of its own, cut to the 96
bits of a GCM nonce (NIST SP 800-38D). HKDF-SHA256 (RFC 5869) derives two keys from the configured one: one for the
nonce and one for AES. Equal nonces then mean equal plaintexts. The probability of an exception is 2^-33 after 2^32
different payloads, the number up to which SP 800-38D allows the use of one key.

The price of this is that somebody who reads the history or the store sees which payloads of a run are equal, and
roughly how long each one is, but nothing else. The id of the key is authenticated with the payload.

The run is authenticated, too, so a payload of one run cannot be moved into another. Otherwise somebody without a key,
but with the right to write to the namespace, could have it decrypted there. The run is the workflow id up to its first
slash, which all pipes of a run share. So a value is still stored only once, however many children read it, and
histories can be replayed. Equal values of different runs are stored once for each run.

The run is written beside the ciphertext, so the codec server can decrypt a payload without knowing the run. Workers and
clients know the run in which they read, and refuse a payload of another. The nonce is derived from the run as well,
because a nonce must never be used with two different texts of associated data. Payloads that an earlier release wrote,
or that were written without a known run, are not bound to a run and can still be read.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

from temporalio.api.common.v1 import Payload

from pipelex.config.distribution import install_command
from pipelex.errors import ConfigurationError, ErrorCategory, Location, PipelexError
from pipelex.temporal.config import EncryptionConfig
from pipelex.temporal.workflow.refusals import malformed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENCODING: Final = b"binary/encrypted"
KEY_ID: Final = "encryption-key-id"
"""The metadata field of a payload that has the id of its key."""
RUN: Final = "encryption-run"
"""The metadata field of a payload that has the run it is bound to."""

_CIPHER: Final = "encryption-cipher"
_AES_GCM: Final = b"AES-256-GCM"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TABLE: Final = "temporal.payload_codec_config.encryption"


@dataclass(frozen=True)
class Key:
    """An encryption key with its id."""

    id: str
    secret: bytes = field(repr=False)
    variable: str
    """The name of the variable that the key came from, for messages."""

    def encrypt(self, data: bytes, run: bytes | None) -> bytes:
        """The nonce followed by the ciphertext. Both are the same for the same data of the same run.

        Args:
            data: the plaintext.
            run: the run that the data is bound to; None for no run.
        """
        associated = self._associated(run)
        told = data if run is None else associated + b"\0" + data
        nonce = hmac.digest(self._nonce_key, told, "sha256")[:_NONCE_BYTES]
        return nonce + self._aes.encrypt(nonce, data, associated)

    def decrypt(self, data: bytes, run: bytes | None) -> bytes:
        """The inverse of `encrypt`.

        Raises:
            PipelexError: the data was encrypted with another key of the same id, or was altered.
        """
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], self._associated(run))
        except (InvalidTag, ValueError):
            raise _unreadable(
                f"a payload was encrypted with another key '{self.id}' than the one in {self.variable}, or altered",
                f"Set {self.variable} to the key that was in use when the run was started.",
            ) from None

    def _associated(self, run: bytes | None) -> bytes:
        """The data that is authenticated with a payload: the id of the key, and the run."""
        bound = b"pipelex payload v1:" + self.id.encode()
        return bound if run is None else bound + b"\0" + run

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
    """Encrypts payloads with one key, and decrypts payloads of several keys.

    Args:
        key: the key for new payloads; None encrypts nothing.
        known: every key that payloads may have been encrypted with, by id.
        is_required: whether payloads that are not encrypted are refused.
    """

    key: Key | None = None
    known: Mapping[str, Key] = field(default_factory=dict[str, Key])
    is_required: bool = False

    @classmethod
    def configured(cls, config: EncryptionConfig | None, environ: Mapping[str, str]) -> "Encryption":
        """The encryption that `[temporal.payload_codec_config.encryption]` describes.

        Raises:
            ConfigurationError: a variable is not set or holds no key, or the library is not installed.
        """
        if config is None:
            return cls()
        try:
            import cryptography  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ImportError:
            raise ConfigurationError(
                "payloads must be encrypted, but the library for it is not installed",
                advice=f"Install it: {install_command('temporal')}",
                location=Location(field=_TABLE),
            ) from None
        key = _read(config.key_id, config.key_env, f"{_TABLE}.key_env", environ)
        former = [
            _read(id_, variable, f"{_TABLE}.decrypt_keys.{id_}", environ)
            for id_, variable in config.decrypt_keys.items()
        ]
        return cls(key, {each.id: each for each in (key, *former)}, is_required=config.is_required)

    def encrypt(self, payload: Payload, run: str | None = None) -> Payload:
        """The payload, encrypted as a whole; unchanged if there is no key for new payloads.

        Args:
            payload: the payload.
            run: the run that the payload is bound to; None for no run.
        """
        if self.key is None:
            return payload
        bound = None if run is None else run.encode()
        data = self.key.encrypt(payload.SerializeToString(deterministic=True), bound)
        metadata = {"encoding": ENCODING, _CIPHER: _AES_GCM, KEY_ID: self.key.id.encode()}
        return Payload(metadata=metadata if bound is None else {**metadata, RUN: bound}, data=data)

    def require(self, payload: Payload) -> None:
        """Refuse a payload that is not encrypted, if encryption is required.

        Raises:
            PipelexError: encryption is required, and the payload is not empty (`request.malformed`).
        """
        if self.is_required and payload.data:
            raise malformed(
                "a payload is not encrypted, but this worker accepts only encrypted ones "
                f"([{_TABLE}] is_required = true)",
                "not_encrypted",
            )

    def decrypt(self, payload: Payload, run: str | None = None) -> Payload:
        """The inverse of `encrypt`, for a payload whose encoding is `ENCODING`.

        Args:
            payload: an encrypted payload.
            run: the run in which the payload is read; None if it is not known.

        Raises:
            PipelexError: the key with the payload's id is missing here or is a different one
                (`runtime.misconfigured`), or the payload belongs to another run (`request.malformed`).
        """
        bound = payload.metadata.get(RUN)
        if bound is not None and run is not None and bound != run.encode():
            raise malformed("an encrypted payload belongs to another run than the one it is found in", "other_run")
        id_ = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = self.known.get(id_)
        if key is None:
            known = f"known here: {', '.join(self.known)}" if self.known else "none is known here"
            raise _unreadable(
                f"a payload is encrypted with the key '{id_}'; {known}",
                f'Set key_id and key_env in [{_TABLE}], or, for a former key, decrypt_keys."{id_}", and the variable.',
            )
        return Payload.FromString(key.decrypt(payload.data, bound))


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
