"""The codec server, which decodes and encodes payloads for the Temporal UI and the `temporal` command.

Both send payloads as JSON to `/encode` and `/decode`. The UI gets stored payloads from `/download`, and asks `/decode`
to leave references to them alone (`preserveStorageRefs=true`), so that a page does not contain megabytes.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.temporal.codec._codec import PipelexCodec
from pipelex.temporal.codec._http import Request, Response, serve_http, text_response
from pipelex.temporal.codec._limits import Allowance
from pipelex.temporal.codec._values import store_of
from pipelex.temporal.codec._wire import json_of_payloads, payloads_of_json
from pipelex.temporal.config import MAX_PAYLOAD_BYTES
from pipelex.temporal.workflow.references import of_reference

SHOWN: Final = 1_000_000
"""The size in bytes up to which the UI shows a stored payload like any other; for a larger one, it shows a button."""

_AT_ONCE: Final = 2
"""The number of requests that are handled at a time. Others wait, so that memory does not grow with their number."""

_SAID: Final = 1_000
"""The maximum length, in characters, of a failure's detail in a response."""

_STATUS: Final = {
    "request.malformed": HTTPStatus.BAD_REQUEST,
    "request.too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
"""Code of a failure → its status; all other failures have the status 422."""

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_TOLD_HEADERS: Final = "authorization, authorization-extras, content-type, x-namespace"


@dataclass
class CodecServer:
    """Decodes and encodes payloads with the keys and the store of a data converter.

    Args:
        converter: the data converter.
        host: the address to listen on.
        port: the port to listen on; 0 picks a free one.
        origins: the origins of web pages whose scripts may use the server, such as the UI's `http://localhost:8233`.
    """

    converter: DataConverter
    host: str = "127.0.0.1"
    port: int = 0
    origins: Collection[str] = ()
    _server: asyncio.Server | None = field(default=None, init=False)
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE), init=False)

    @property
    def url(self) -> str:
        """The address that the UI and the `temporal` command take as codec endpoint."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            PipelexError: the address cannot be listened on.
        """
        try:
            self._server = await serve_http(self._answer, self.host, self.port)
        except OSError as error:
            raise PipelexError(
                "runtime.misconfigured",
                f"the codec server cannot listen on {self.host}:{self.port}: {error.strerror}",
                category=ErrorCategory.CONFIGURATION,
                params={"component": "codec_server"},
                advice="Name another port.",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening. Open connections stay until their clients close them, or until they are idle for too long."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _answer(self, request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and origin not in self.origins:
            return text_response(
                HTTPStatus.FORBIDDEN, f"scripts from {origin} are not allowed here; see --allow-origin"
            )
        if self.host in LOOPBACK and _host_of(request) not in LOOPBACK:
            # A host name of the internet that was made to resolve to this machine (DNS rebinding).
            return text_response(HTTPStatus.FORBIDDEN, "use the address that this server listens on")
        response = await self._done(request)
        return response if origin is None else _for_page(response, origin, request)

    async def _done(self, request: Request) -> Response:
        effect = request.path.rpartition("/")[2]  # the path before it names the namespace
        if effect not in ("encode", "decode", "download"):
            return text_response(HTTPStatus.NOT_FOUND, "the paths are /encode, /decode and /download")
        if request.method == "OPTIONS":
            return Response(HTTPStatus.NO_CONTENT)
        if request.method != "POST":
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, [b"POST only\n"], {"allow": "POST, OPTIONS"})
        is_sparing = effect == "decode" and parse_qs(request.query).get("preserveStorageRefs") == ["true"]
        try:
            async with self._turns:
                body = await self._recoded(effect, request.body, is_sparing=is_sparing)
        except PipelexError as failed:
            return text_response(_STATUS.get(failed.code, HTTPStatus.UNPROCESSABLE_ENTITY), _sentences(failed))
        return Response(HTTPStatus.OK, body, {"content-type": "application/json"})

    async def _recoded(self, effect: str, body: bytes, *, is_sparing: bool) -> list[bytes]:
        payloads = await asyncio.to_thread(payloads_of_json, body)
        if effect == "encode":
            found = await self._encoded(payloads)
        else:
            allowance = Allowance.of(self._most_decoded)
            found = [await self._decoded(payload, allowance, is_sparing=is_sparing) for payload in payloads]
        return await asyncio.to_thread(json_of_payloads, found)

    @property
    def _most_decoded(self) -> int:
        """The maximum size, in bytes, of all that one request may have decoded; it is the limit of a single payload."""
        codec = self.converter.payload_codec
        return codec.limit if isinstance(codec, PipelexCodec) else MAX_PAYLOAD_BYTES

    async def _encoded(self, payloads: list[Payload]) -> list[Payload]:
        codec = self.converter.payload_codec
        return payloads if codec is None else await codec.encode(payloads)

    async def _decoded(self, payload: Payload, allowance: Allowance, *, is_sparing: bool) -> Payload:
        store, codec = store_of(self.converter), self.converter.payload_codec
        stored = of_reference(payload)
        if stored is not None and store is not None and not (is_sparing and stored.size > SHOWN):
            allowance.take(stored.size)
            payload = await store.get(stored)
        if isinstance(codec, PipelexCodec):
            return await codec.decoded(payload, most=SHOWN if is_sparing else None, allowance=allowance)
        return payload if codec is None else (await codec.decode([payload]))[0]


def _sentences(failed: PipelexError) -> str:
    report = failed.report.without_folders()
    detail = report.detail  # it may repeat what was sent
    return f"{detail if len(detail) <= _SAID else detail[: _SAID - 1] + '…'}\n{report.advice or ''}"


def _host_of(request: Request) -> str:
    host = request.headers.get("host", "")
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _for_page(response: Response, origin: str, request: Request) -> Response:
    headers = {
        **response.headers,
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "vary": "origin",
    }
    if request.method == "OPTIONS":
        headers |= {
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": _TOLD_HEADERS,
            "access-control-max-age": "600",
        }
        if request.headers.get("access-control-request-private-network") == "true":
            headers["access-control-allow-private-network"] = "true"
    return Response(response.status, response.body, headers)
