"""Requests to a provider over plain HTTP, with failures classified like those of language models.

The SDKs of OCR and search providers follow redirects with the prompt and decode without a limit; some retry on their
own.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.surrogates import mended_json
from pipelex.inference.calls.guard import AnswerRefused, ToldFailure, guarded
from pipelex.inference.calls.logical import current_ledger, request_headers
from pipelex.inference.calls.model_call import ModelCall
from pipelex.inference.calls.tls import tls_of
from pipelex.pipes.models import ModelUsage

if TYPE_CHECKING:
    import httpx


class HttpRefusal(Exception):
    """An answer with a status of failure, in the shape that `classify_provider_error` reads."""

    def __init__(self, response: "httpx.Response") -> None:
        super().__init__(f"status {response.status_code}")
        self.status_code = response.status_code
        self.headers = dict(response.headers)
        try:
            self.body: Json = response.json()
        except (ValueError, RecursionError):
            self.body = response.text[:300]


@dataclass(frozen=True)
class HttpCall:
    """A call of a model over plain HTTP."""

    call: ModelCall
    auth: Mapping[str, str] = field(repr=False)
    """The headers that carry the key."""
    _ranks: Iterator[int] = field(default_factory=count, init=False, repr=False, compare=False)
    """The ranks of the requests that one job sends."""

    @classmethod
    def authorized(cls, call: ModelCall, scheme: str = "Bearer") -> "HttpCall":
        """A call whose key goes into the header `Authorization`, after a scheme."""
        key = call.backend.table.api_key
        return cls(call, {"Authorization": f"{scheme} {key}"} if key else {})

    def endpoint(self, default: str | None = None) -> str:
        """The backend's address, without a slash at its end.

        Raises:
            PipelexError: the backend has no address.
        """
        backend = self.call.backend
        found = backend.table.endpoint or default
        if not found:
            detail = f"the backend {backend.id!r} has no endpoint"
            raise self.call.unavailable(
                "endpoint_missing", detail, f"Set 'endpoint' of [{backend.id}] in backends.toml."
            )
        return found.rstrip("/")

    async def post(
        self, url: str, json: Json, usage: Callable[[dict[str, Any]], ModelUsage] | None = None
    ) -> dict[str, Any]:
        """Send a JSON body, and return the JSON object of the answer.

        Args:
            url: the address.
            json: the body.
            usage: returns what an answer cost. The call's ledger counts it at once, even if the answer is refused later.

        Raises:
            PipelexError: the provider refused or failed, classified, or answered something else.
        """
        answer = self.read(await self.send("POST", url, json=json))
        if usage is not None:
            current_ledger().spend(usage(answer))
        return answer

    async def send(self, method: str, url: str, *, json: Json = None) -> "httpx.Response":
        """Send one request, and return its successful response.

        Raises:
            PipelexError: the provider refused or failed, classified.
        """
        import httpx

        failure: PipelexError
        try:
            # The client's own limit is for each read: an answer that drips would hold the call for ever.
            pool = httpx.AsyncClient(timeout=self.call.seconds, verify=tls_of(self.call.backend))
            async with asyncio.timeout(self.call.seconds), guarded(pool, self.call.max_bytes) as client:
                headers = {
                    **self.call.entry.table.headers,
                    **self.auth,
                    **(self._key() if method == "POST" else {}),
                }
                response = await client.request(method, url, json=json, headers=headers)
            if response.is_success:
                return response
            raise HttpRefusal(response)
        except (
            HttpRefusal,
            AnswerRefused,
            ToldFailure,
            httpx.HTTPError,
            httpx.InvalidURL,
            TimeoutError,
            ImportError,
            ValueError,
        ) as error:
            failure = self.call.failure(error)
        raise failure

    def _key(self) -> dict[str, str]:
        return request_headers(self.call.backend, self.call.entry.handle, str(next(self._ranks)))

    def read(self, response: "httpx.Response") -> dict[str, Any]:
        """The answer's JSON object.

        Raises:
            PipelexError: the answer is not a JSON object.
        """
        try:
            found = mended_json(response.json())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.garbled("not_a_json_object")
        return cast("dict[str, Any]", found)

    def garbled(self, defect: str, said: str = "") -> PipelexError:
        """The error for an answer that lacks something."""
        return self.call.garbled(defect, said)

    def same_host(self, url: str, endpoint: str) -> str:
        """An address from the provider's answer, if it is on the endpoint's host, because the key is sent there.

        Raises:
            PipelexError: `security.provider_url_refused`.
        """
        try:
            told, own = urlsplit(url), urlsplit(endpoint)
        except ValueError:
            raise self.garbled("malformed_address") from None
        if (told.scheme, told.netloc) != (own.scheme, own.netloc):
            provider = self.call.backend.id
            raise PipelexError(
                "security.provider_url_refused",
                f"{provider!r} sent us to another host, {told.hostname!r}, which must not get its key",
                category=ErrorCategory.CONTENT,
                params={"provider": provider},
                provider=provider,
                model=self.call.entry.handle,
            )
        return url
