"""Encryption of payloads with AES-256-GCM, so that equal payloads give equal bytes.

A payload in the store has the name of its content, so the same document must encrypt to the same bytes wherever it is
sent from. The nonce is therefore not drawn by chance but derived from what is encrypted, as deterministic authenticated
encryption does (Rogaway and Shrimpton 2006, RFC 5297): HMAC-SHA256 of the plaintext under a key of its own, cut to the 96
bits of a GCM nonce (NIST SP 800-38D). Two keys are derived from the configured one by HKDF-SHA256 (RFC 5869), one for the
nonce and one for AES. Equal nonces then mean equal plaintexts, but for a chance of 2^-33 after 2^32 different payloads, the
number up to which SP 800-38D lets one key be used.

The trade: whoever reads the history or the store sees which payloads of a run are equal, and about how long each is; nothing
else. The id of the key is authenticated with the payload.

So is the run: a payload that was encrypted in one run cannot stand in another, where whoever may write to the namespace but
has no key could have it read out. The run is the workflow id up to its first slash, which all pipes of a run share, so
that a value is still stored once however many children read it, and histories replay. It stands beside the ciphertext, so
that the codec server can read without being told; who knows in which run it is reading, as workers and clients do, refuses
a payload of another. Equal values of different runs are therefore stored once for each run. The nonce is derived from the
run as well, for a nonce must never serve two different texts of associated data. Payloads that were written before, or where
no run was known, are bound to none, and can still be read.
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
"""The name, in a payload's metadata, of the id of its key."""
RUN: Final = "encryption-run"
"""The name, in a payload's metadata, of the run that it is bound to."""

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
    """The name of the variable that the key came from, for messages."""

    def encrypt(self, data: bytes, run: bytes | None) -> bytes:
        """Nonce and ciphertext; the same data of the same run gives the same bytes.

        Args:
            data: the plaintext.
            run: the run that it is bound to; None where there is none.
        """
        associated = self._associated(run)
        told = data if run is None else associated + b"\0" + data
        nonce = hmac.digest(self._nonce_key, told, "sha256")[:_NONCE_BYTES]
        return nonce + self._aes.encrypt(nonce, data, associated)

    def decrypt(self, data: bytes, run: bytes | None) -> bytes:
        """The inverse of `encrypt`.

        Raises:
            PipelexError: it was encrypted with another key of that name, or altered.
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
    """Encrypts payloads with one key, and decrypts those of several.

    Args:
        key: the key of new payloads; None where nothing is encrypted.
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
                "payloads are to be encrypted, and the library for it is not installed",
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
        """The payload, encrypted as a whole.

        Args:
            payload: the payload.
            run: the run that it is bound to; None where there is none.
        """
        if self.key is None:
            return payload
        bound = None if run is None else run.encode()
        data = self.key.encrypt(payload.SerializeToString(deterministic=True), bound)
        metadata = {"encoding": ENCODING, _CIPHER: _AES_GCM, KEY_ID: self.key.id.encode()}
        return Payload(metadata=metadata if bound is None else {**metadata, RUN: bound}, data=data)

    def require(self, payload: Payload) -> None:
        """Refuse a payload that is not encrypted, where only encrypted ones are taken.

        Raises:
            PipelexError: it is not (`request.malformed`).
        """
        if self.is_required and payload.data:
            raise malformed(
                "a payload is not encrypted, and this worker takes only encrypted ones "
                f"([{_TABLE}] is_required = true)",
                "not_encrypted",
            )

    def decrypt(self, payload: Payload, run: str | None = None) -> Payload:
        """The inverse of `encrypt`, for a payload whose encoding is `ENCODING`.

        Args:
            payload: an encrypted payload.
            run: the run in which it is read; None where that is not known.

        Raises:
            PipelexError: no key of its name is known here, or not the right one (`runtime.misconfigured`); or it belongs
                to another run (`request.malformed`).
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
