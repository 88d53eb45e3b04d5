"""A gate before a Temporal server: it ends TLS as a cloud's does, asks for client certificates and checks API keys."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hpack import Decoder, Encoder, NeverIndexedHeaderTuple

from tests.support.serving import serving

SERVER_NAME = "temporal.test"
_DATA, _HEADERS, _RST_STREAM, _CONTINUATION = 0, 1, 3, 9
_CANCEL = (8).to_bytes(4, "big")
UNAVAILABLE, PERMISSION_DENIED, _UNAUTHENTICATED = 14, 7, 16
_END_STREAM, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x4, 0x8, 0x20
_PREFACE = 24
_HEAD = 9


@dataclass(frozen=True)
class Certificates:
    """A CA made for a test, and what it signed; PEM files."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def pair(self, name: str) -> tuple[Path, Path]:
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


def make_certificates(folder: Path) -> Certificates:
    """A CA with a certificate for `SERVER_NAME` and one for a client; one that is over, one for another host, and a
    client's of a CA nobody knows."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, ca = _authority("The CA of a test")
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    _issue(folder, "server", ca, ca_key, ExtendedKeyUsageOID.SERVER_AUTH)
    _issue(folder, "client", ca, ca_key, ExtendedKeyUsageOID.CLIENT_AUTH)
    _issue(folder, "expired", ca, ca_key, ExtendedKeyUsageOID.SERVER_AUTH, until=-datetime.timedelta(minutes=1))
    _issue(folder, "elsewhere", ca, ca_key, ExtendedKeyUsageOID.SERVER_AUTH, names=[x509.DNSName("elsewhere.test")])
    other_key, other = _authority("A CA nobody knows")
    _issue(folder, "stranger", other, other_key, ExtendedKeyUsageOID.CLIENT_AUTH)
    return Certificates(folder)


def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = _builder(subject, subject, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return key, built.add_extension(usage, critical=True).sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    until: datetime.timedelta = datetime.timedelta(hours=1),
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + until)
    )


def _issue(
    folder: Path,
    name: str,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    usage: x509.ObjectIdentifier,
    *,
    until: datetime.timedelta = datetime.timedelta(hours=1),
    names: Sequence[x509.GeneralName] | None = None,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    own = [x509.DNSName(SERVER_NAME), *(x509.IPAddress(ipaddress.ip_address(f"127.0.0.{n}")) for n in (1, 2))]
    signed = (
        _builder(subject, ca.subject, key, until)
        .add_extension(x509.SubjectAlternativeName(own if names is None else names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@dataclass
class Gate:
    """What the gate saw, and what it asks for."""

    target: str = ""
    """Where it listens."""
    api_key: str | None = None
    """When given, requests with another are refused as Temporal Cloud refuses them."""
    refusals: dict[str, int] = field(default_factory=dict[str, int])
    """Name of a call → the gRPC status it is refused with."""
    is_holding: bool = False
    """Whether nothing of the server's reaches the client."""
    is_cut: bool = False
    """Whether nothing of a client's reaches the server; what is sent meanwhile is lost."""
    authorizations: set[str | None] = field(default_factory=set[str | None])
    namespaces: set[str | None] = field(default_factory=set[str | None])
    paths: list[str] = field(default_factory=list[str])
    client_names: set[str] = field(default_factory=set[str])


@asynccontextmanager
async def gate(
    backend: str, certificates: Certificates | None, *, wants_certificate: bool = False, api_key: str | None = None
) -> AsyncGenerator[Gate]:
    """A gate on a free port of 127.0.0.1 while the block runs.

    Args:
        backend: `host:port` of the server behind.
        certificates: of the server's side; None lets plain connections through.
        wants_certificate: refuse clients without a certificate of the CA.
        api_key: see `Gate.api_key`.
    """
    found = Gate(api_key=api_key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            await _Connection(found, reader, writer, backend).run()

    context = None if certificates is None else _context(certificates, wants_certificate=wants_certificate)
    async with serving(serve, context=context) as port:
        found.target = f"127.0.0.1:{port}"
        yield found


def _context(certificates: Certificates, *, wants_certificate: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.pair("server"))
    context.set_alpn_protocols(["h2"])
    if wants_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.ca)
    return context


class _Connection:
    """One client's connection: frames pass, requests are looked at on the way."""

    def __init__(self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, backend: str) -> None:
        self._gate = gate
        self._reader = reader
        self._writer = writer
        self._backend = backend
        self._decoder = Decoder()
        self._encoder = Encoder()
        self._block = b""
        self._refused: set[int] = set()
        self._taken_back: int | None = None

    async def run(self) -> None:
        peer = cast("dict[str, Sequence[Sequence[tuple[str, str]]]]", self._writer.get_extra_info("peercert") or {})
        for part in peer.get("subject", ()):
            self._gate.client_names |= {value for key, value in part if key == "commonName"}
        host, _, port = self._backend.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        answers = asyncio.create_task(self._answers(reader))
        try:
            writer.write(await self._reader.readexactly(_PREFACE))
            while True:
                head = await self._reader.readexactly(_HEAD)
                body = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                if not self._gate.is_cut and self._passes(head, body):
                    writer.write(head + body)
                    await writer.drain()
                    self._take_back(writer)
        finally:
            answers.cancel()
            writer.close()

    async def _answers(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            while self._gate.is_holding:
                await asyncio.sleep(0.05)
            self._writer.write(data)
            await self._writer.drain()

    def _passes(self, head: bytes, body: bytes) -> bool:
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind in (_HEADERS, _CONTINUATION):
            self._block += _block_of(kind, flags, body)
            if flags & _END_HEADERS:
                is_allowed = self._look(stream)
                self._block = b""
                return is_allowed
        # When one request of a connection is refused for its key, all of them are: the key does not change.
        if kind == _DATA and stream in self._refused:
            return False
        return not (kind in (_HEADERS, _CONTINUATION, _DATA) and self._is_refusing)

    @property
    def _is_refusing(self) -> bool:
        wanted = self._gate.api_key
        return wanted is not None and self._gate.authorizations != {f"Bearer {wanted}"}

    def _look(self, stream: int) -> bool:
        headers = {str(name): str(value) for name, value in self._decoder.decode(self._block)}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        path = headers.get(":path", "")
        self._gate.paths.append(path)
        self._gate.authorizations.add(headers.get("authorization"))
        self._gate.namespaces.add(headers.get("temporal-namespace"))
        if self._is_refusing:
            self._refuse(stream, _UNAUTHENTICATED, "Request unauthorized.")
            return False
        status = self._gate.refusals.get(path.rpartition("/")[2])
        if status is not None:
            self._refuse(stream, status, "The gate says no.")
            # The server's side must see the headers, since both ends compress the later ones with them.
            self._taken_back = stream
            self._refused.add(stream)
        return True

    def _take_back(self, writer: asyncio.StreamWriter) -> None:
        """Have the server forget a request that it saw the headers of."""
        stream, self._taken_back = self._taken_back, None
        if stream is not None:
            writer.write(_frame(_RST_STREAM, 0, stream, _CANCEL))

    def _refuse(self, stream: int, status: int, message: str) -> None:
        answer = {":status": "200", "content-type": "application/grpc"}
        answer |= {"grpc-status": str(status), "grpc-message": message}
        block: bytes = self._encoder.encode([NeverIndexedHeaderTuple(*each) for each in answer.items()])
        self._writer.write(_frame(_HEADERS, _END_STREAM | _END_HEADERS, stream, block))


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def _block_of(kind: int, flags: int, body: bytes) -> bytes:
    if kind == _CONTINUATION:
        return body
    padding = 0
    if flags & _PADDED:
        padding, body = body[0], body[1:]
    if flags & _PRIORITY:
        body = body[5:]
    return body[: len(body) - padding]
