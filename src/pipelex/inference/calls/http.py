"""Requests to a provider over plain HTTP, with its failures classified as those of language models are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pipelex.content.stuff import Json
from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.classify import classify_provider_error, invalid_response
from pipelex.inference.calls.idempotency import request_headers
from pipelex.inference.deck.catalog import Backend, ModelEntry
from pipelex.pipes.models import Family

if TYPE_CHECKING:
    import httpx


class _Refused(Exception):
    """An answer that is not a success, in the shape `classify_provider_error` reads."""

    def __init__(self, response: "httpx.Response") -> None:
        super().__init__(f"status {response.status_code}")
        self.status_code = response.status_code
        self.headers = dict(response.headers)
        try:
            self.body: Json = response.json()
        except ValueError:
            self.body = response.text[:300]


@dataclass(frozen=True)
class Provider:
    """One model of one backend, reached over HTTP."""

    entry: ModelEntry
    backend: Backend
    auth: Mapping[str, str] = field(repr=False)
    """The headers that carry the key."""
    timeout: float = 600.0
    """Seconds for one request."""
    family: Family = "extract"
    _ranks: Iterator[int] = field(default_factory=count, init=False, repr=False, compare=False)
    """Ranks of what one job sends."""

    def endpoint(self, default: str | None = None) -> str:
        """The backend's address, without a slash at its end.

        Raises:
            PipelexError: it has none.
        """
        found = self.backend.table.endpoint or default
        if not found:
            raise PipelexError(
                "model.unavailable",
                f"the backend {self.backend.id!r} has no endpoint",
                category=ErrorCategory.CONFIGURATION,
                params={"model": self.entry.handle, "model_type": self.family, "reason": "endpoint_missing"},
                provider=self.backend.id,
                model=self.entry.handle,
                advice=f"Set 'endpoint' of [{self.backend.id}] in backends.toml.",
            )
        return found.rstrip("/")

    async def send(self, method: str, url: str, *, json: Json = None) -> "httpx.Response":
        """One request; the answer is a success.

        Raises:
            PipelexError: the provider refused or failed, classified.
        """
        import httpx

        failure: PipelexError
        try:
            async with httpx.AsyncClient(timeout=self.timeout) as client:
                headers = {**self.entry.table.headers, **self.auth, **(self._key() if method == "POST" else {})}
                response = await client.request(method, url, json=json, headers=headers)
            if response.is_success:
                return response
            raise _Refused(response)
        except (_Refused, httpx.HTTPError, httpx.InvalidURL) as error:
            failure = classify_provider_error(
                error,
                provider=self.backend.id,
                model=self.entry.handle,
                secrets=[self.backend.table.api_key or ""],
                variables=self.backend.variables,
            )
        if "model_type" in failure.report.params:
            failure = failure.with_report(params={**failure.report.params, "model_type": self.family})
        raise failure

    def _key(self) -> dict[str, str]:
        return request_headers(self.backend, self.entry.handle, str(next(self._ranks)))

    def read(self, response: "httpx.Response") -> dict[str, Any]:
        """The answer's JSON object.

        Raises:
            PipelexError: it is not one.
        """
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.garbled("not_a_json_object")
        return cast("dict[str, Any]", found)

    def garbled(self, defect: str, said: str = "") -> PipelexError:
        """The answer lacks what an answer has."""
        return invalid_response(self.backend.id, self.entry.handle, defect, said)

    def same_host(self, url: str, endpoint: str) -> str:
        """An address the provider told, if it is its own: the key goes there.

        Raises:
            PipelexError: `security.provider_url_refused`.
        """
        told, own = urlsplit(url), urlsplit(endpoint)
        if (told.scheme, told.netloc) != (own.scheme, own.netloc):
            raise PipelexError(
                "security.provider_url_refused",
                f"{self.backend.id!r} sent us to another host, {told.hostname!r}, which is not asked with its key",
                category=ErrorCategory.CONTENT,
                params={"provider": self.backend.id},
                provider=self.backend.id,
                model=self.entry.handle,
            )
        return url


def check_credentials(entry: ModelEntry, missing: tuple[str, ...], family: Family = "extract") -> None:
    """Raise `model.unavailable` when the environment lacks what the backend needs."""
    if missing:
        raise PipelexError(
            "model.unavailable",
            f"the model {entry.handle!r} needs {', '.join(missing)} in the environment",
            category=ErrorCategory.CONFIGURATION,
            params={"model": entry.handle, "model_type": family, "reason": "credentials_missing"},
            provider=entry.backend,
            model=entry.handle,
            advice=f"Set {missing[0]}, or name a model of another backend.",
        )


def table(value: object) -> dict[str, Any]:
    """A member of an answer that should be an object; empty when it is something else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def tables(value: object) -> list[dict[str, Any]]:
    """A member of an answer that should be a list of objects, without what is something else."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
