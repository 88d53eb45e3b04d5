"""One place that says what a provider's failure means, for retries and for people."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from pipelex.errors import ErrorCategory, PipelexError

_SECRET = re.compile(
    r"(?i)\b(sk|pk|rk|gsk|xai|key|ghp|hf|AIza)[-_][A-Za-z0-9*._-]{6,}|\bAIza[A-Za-z0-9_-]{10,}"
    r"|(?<=bearer )\S+|(?<=api[-_]key[=: ])\S+"
)
_CONTENT_FILTER = re.compile(r"(?i)content_filter|content_policy|content management policy|safety system|flagged")
_CONTEXT = re.compile(
    r"(?i)context_length_exceeded|exceed_context_size|maximum context length|context (window|size|length)"
    r"|prompt is too long|too many (input )?tokens"
)
_QUOTA = re.compile(
    r"(?i)insufficient_quota|quota_exceeded|billing|credit balance|insufficient (funds|credits?|balance)"
)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without API keys: the given ones, and whatever looks like one."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return _SECRET.sub("***", text)


def classify_provider_error(
    exc: BaseException,
    *,
    provider: str,
    model: str,
    secrets: Iterable[str] = (),
    variables: Iterable[str] = (),
) -> PipelexError:
    """What a failed call of a provider means.

    Args:
        exc: what the client library raised; a `PipelexError` is returned as it is.
        provider: the backend's id.
        model: the model's handle.
        secrets: texts that must not appear in the message.
        variables: the environment variables that hold the provider's credentials, for the advice.
    """
    if isinstance(exc, PipelexError):
        return exc
    facts = _Facts(exc, provider, model, tuple(secrets), tuple(variables))
    return _by_status(facts) if facts.status is not None else _without_status(facts)


class _Facts:
    """What a client library's exception tells, whichever library it is."""

    def __init__(
        self, exc: BaseException, provider: str, model: str, secrets: tuple[str, ...], variables: tuple[str, ...]
    ) -> None:
        self.exc = exc
        self.provider = provider
        self.model = model
        self.variables = variables
        self.secrets = secrets
        self.chain = list(_causes(exc))
        self.status = next((s for e in self.chain if isinstance(s := getattr(e, "status_code", None), int)), None)
        self.headers = next((h for e in self.chain if (h := _headers(e))), dict[str, str]())
        self.code = next((c for e in self.chain if (c := _code(e))), "")
        self.body = " ".join(str(found) for e in self.chain if (found := getattr(e, "body", None)))
        self.said = redacted(_said(self.chain), secrets)

    def has(self, *names: str) -> bool:
        """Whether the exception or one of its causes is of a class, or a subclass of one, with these names."""
        return any(kind.__name__ in names for e in self.chain for kind in type(e).__mro__)

    def speaks_of(self, pattern: re.Pattern[str]) -> bool:
        return bool(pattern.search(f"{self.code} {self.body} {self.said}"))

    def error(
        self,
        code: str,
        category: ErrorCategory,
        detail: str,
        *,
        advice: str | None = None,
        retry_after: float | None = None,
        **params: Any,
    ) -> PipelexError:
        said = f": {self.said}" if self.said else ""
        return PipelexError(
            code,
            f"{detail}{said}",
            category=category,
            advice=advice,
            params=params,
            provider=self.provider,
            model=self.model,
            status=self.status,
            request_id=self.headers.get("x-request-id") or self.headers.get("request-id"),
            retry_after=retry_after,
        )


def _by_status(facts: _Facts) -> PipelexError:
    status, provider, model = facts.status or 0, facts.provider, facts.model
    if facts.has("ModelQuotaExceededError") or status == 402 or (status == 429 and facts.speaks_of(_QUOTA)):
        return facts.error(
            "provider.quota_exhausted",
            ErrorCategory.CAPACITY,
            f"the account at {provider!r} has no quota left",
            advice=f"Check the plan and the billing of the account at {provider!r}.",
            provider=provider,
        )
    if status == 429:
        return _rate_limited(facts)
    if status in (401, 403):
        return _refused(facts)
    if status < 500 and facts.speaks_of(_CONTENT_FILTER):
        return refused_content(facts.provider, model, facts.said)
    if facts.has("ModelContextWindowExceededError") or (400 <= status < 500 and facts.speaks_of(_CONTEXT)):
        return facts.error(
            "model.context_exceeded",
            ErrorCategory.CONTENT,
            f"the prompt is longer than the model {model!r} can read",
            advice="Shorten the inputs, split them into batches, or name a model with a longer context.",
            model=model,
        )
    if status == 404:
        return facts.error(
            "model.unavailable",
            ErrorCategory.CONFIGURATION,
            f"{provider!r} knows no model for {model!r}",
            advice=f"Check 'model_id' in backends/{provider}.toml and 'endpoint' of [{provider}] in backends.toml.",
            model=model,
            model_type="llm",
            reason="unknown_at_provider",
        )
    if status in (408, 504):
        return _timeout(facts)
    if status in (409, 425) or status >= 500:
        return _failed(facts)
    return facts.error(
        "provider.failed",
        ErrorCategory.CONTENT if status in (400, 413, 415, 422) else ErrorCategory.CONFIGURATION,
        f"{provider!r} refused the request for {model!r} with status {status}",
        advice="The same request would be refused again: change what the pipe sends, or the model's entry.",
        provider=provider,
        status=status,
    )


def _rate_limited(facts: _Facts) -> PipelexError:
    return facts.error(
        "provider.rate_limited",
        ErrorCategory.TRANSIENT,
        f"{facts.provider!r} limits the rate of requests for {facts.model!r}",
        advice="Lower the concurrency, or ask the provider for a higher limit.",
        retry_after=_retry_after(facts),
        provider=facts.provider,
        model=facts.model,
    )


def _refused(facts: _Facts) -> PipelexError:
    named = " or ".join(facts.variables) or f"'api_key' of [{facts.provider}] in backends.toml"
    return facts.error(
        "provider.credential_refused",
        ErrorCategory.CONFIGURATION,
        f"{facts.provider!r} refused the credentials",
        advice=f"Check {named}.",
        provider=facts.provider,
    )


def _failed(facts: _Facts) -> PipelexError:
    status = facts.status or 0
    is_away = status in (502, 503, 529) or facts.has("ModelUnavailableError")
    common: dict[str, Any] = {"retry_after": _retry_after(facts), "provider": facts.provider}
    if is_away:
        detail = f"{facts.provider!r} is not available for {facts.model!r} (status {status})"
        return facts.error("provider.unavailable", ErrorCategory.TRANSIENT, detail, **common)
    detail = f"{facts.provider!r} failed on a request for {facts.model!r} with status {status}"
    return facts.error("provider.failed", ErrorCategory.TRANSIENT, detail, status=status, **common)


def _timeout(facts: _Facts) -> PipelexError:
    return facts.error(
        "provider.timeout",
        ErrorCategory.TRANSIENT,
        f"{facts.provider!r} did not answer in time for {facts.model!r}",
        retry_after=_retry_after(facts),
        provider=facts.provider,
    )


def _without_status(facts: _Facts) -> PipelexError:
    provider, model = facts.provider, facts.model
    if facts.has("ModelTimeoutError", "ModelRequestTimeout", "TimeoutException", "TimeoutError", "APITimeoutError"):
        return _timeout(facts)
    if facts.has("ContentFilterError"):
        return refused_content(provider, model, facts.said)
    is_garbage = facts.has("UnexpectedModelBehavior", "JSONDecodeError", "DecodingError", "ValidationError")
    if is_garbage or facts.has("APIResponseValidationError"):
        return invalid_response(provider, model, "unreadable", facts.said)
    if facts.has("ModelConnectionError", "TransportError", "APIConnectionError", "ConnectionError", "OSError"):
        return facts.error(
            "provider.unavailable",
            ErrorCategory.TRANSIENT,
            f"the connection to {provider!r} failed",
            advice=f"Check the network and 'endpoint' of [{provider}] in backends.toml.",
            provider=provider,
        )
    return facts.error(
        "runtime.unexpected",
        ErrorCategory.UNKNOWN,
        f"calling {model!r} of {provider!r} failed in an unforeseen way ({type(facts.exc).__name__})",
    )


def invalid_response(provider: str, model: str, defect: str, said: str = "") -> PipelexError:
    """The provider answered with something that is not an answer."""
    more = f": {said}" if said else ""
    return PipelexError(
        "provider.response_invalid",
        f"the answer of {provider!r} for {model!r} cannot be used ({defect}){more}",
        category=ErrorCategory.TRANSIENT,
        params={"provider": provider, "defect": defect},
        provider=provider,
        model=model,
    )


def refused_content(provider: str, model: str, said: str = "") -> PipelexError:
    """The model, or its provider's filter, refused the content."""
    more = f": {said}" if said else ""
    return PipelexError(
        "model.content_refused",
        f"the model {model!r} refused the content{more}",
        category=ErrorCategory.CONTENT,
        params={"model": model},
        provider=provider,
        model=model,
        advice="Change the inputs or the prompt, or name another model.",
    )


def truncated_output(provider: str, model: str, max_tokens: int | None, output_tokens: int) -> PipelexError:
    """The model's answer stopped at the limit of tokens."""
    limit = f"max_tokens = {max_tokens}" if max_tokens is not None else "the model's own limit"
    params: dict[str, Any] = {"model": model, "output_tokens": output_tokens}
    if max_tokens is not None:
        params["max_tokens"] = max_tokens
    return PipelexError(
        "model.output_truncated",
        f"the answer of {model!r} was cut after {output_tokens} tokens by {limit}",
        category=ErrorCategory.CONTENT,
        params=params,
        provider=provider,
        model=model,
        advice="Raise 'max_tokens' in the model settings, or ask for less at a time.",
    )


def _causes(exc: BaseException) -> Iterable[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _headers(exc: BaseException) -> dict[str, str]:
    found: Any = getattr(exc, "headers", None) or getattr(getattr(exc, "response", None), "headers", None)
    if not isinstance(found, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in cast("Mapping[Any, Any]", found).items()}


def _code(exc: BaseException) -> str:
    found = getattr(exc, "provider_error_code", None) or getattr(exc, "code", None)
    kind = getattr(exc, "provider_error_type", None)
    return " ".join(str(word) for word in (found, kind) if isinstance(word, str))


def _said(chain: list[BaseException]) -> str:
    """The provider's own message when there is one, else the exception's, on one line and not too long."""
    for exc in chain:
        body = getattr(exc, "body", None)
        if isinstance(body, dict):
            table = cast("dict[str, Any]", body)
            inner = table.get("error", table)
            message = cast("dict[str, Any]", inner).get("message") if isinstance(inner, dict) else inner
            if isinstance(message, str) and message:
                return _short(message)
    return _short(str(chain[0]))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def _retry_after(facts: _Facts) -> float | None:
    """Seconds the provider asks to wait: milliseconds, seconds or an HTTP date in its headers."""
    millis = facts.headers.get("retry-after-ms")
    if millis is not None:
        seconds = _number(millis)
        if seconds is not None:
            return seconds / 1000
    value = facts.headers.get("retry-after")
    if value is None:
        found = next((r for e in facts.chain if (r := getattr(e, "retry_after", None)) is not None), None)
        return float(found) if isinstance(found, int | float) else None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 else None
