"""The meaning of a provider's failures, for retries and for people, in one place.

LiteLLM also maps failures by status and by phrases, and pydantic-ai passes the status on. Neither distinguishes lasting
failures from passing ones, nor says why no connection was made: see "Libraries and hand-written code" in
docs/architecture.md.
"""

import re
from collections.abc import Iterable
from typing import Any

from pipelex.errors import ErrorCategory, InputError, PipelexError
from pipelex.inference.calls.connections import PROXY_WANTS_CREDENTIALS, connection_failure
from pipelex.inference.calls.facts import Facts, retry_after
from pipelex.inference.calls.guard import AnswerDamaged, AnswerRefused, RedirectRefused
from pipelex.language.blueprints import ModelFamily

_CONTENT_FILTER = re.compile(
    r"(?i)content[_ ]filter|content[_ ]policy|content management policy|safety system|flagged|requires moderation"
    r"|violat\w+ .{0,60}?(polic|guideline)"
)
_CONTEXT = re.compile(
    r"(?i)context_length_exceeded|exceed_context_size|maximum context length|context (window|size|length)"
    r"|prompt is too long|too many (input )?tokens"
)
_QUOTA = re.compile(r"(?i)quota_exceeded|billing")
_NO_MONEY = re.compile(
    r"(?i)insufficient_quota|billing_hard_limit|credit balance|insufficient (funds|credits?|balance)"
)

_RATE = re.compile(
    r"(?i)per[-_ ]?(second|minute|hour)|requests[-_ ]per|tokens[-_ ]per[-_ ]?min|rate[-_ ]limit|\b[rt]pm\b"
)
"""The words by which a limit is one of a rate, whatever else the message says of quotas and plans."""
_BY_DAY = re.compile(r"(?i)per[-_ ]?(day|month)|daily|monthly")
_WRONG_KEY = re.compile(
    r"(?i)api[-_ ]key[-_ ](not[-_ ]valid|invalid|expired)|(invalid|incorrect|wrong)[-_ ]api[-_ ]key|api key not (valid|found)"
)
_NO_MODEL = re.compile(
    r"(?i)invalid[-_ ]model\b|model[-_ ]not[-_ ]found|unknown[-_ ]model|model identifier is invalid"
    r"|not a valid model|on-demand throughput"
    r"|\bmodel\b.{0,80}?\b(does not exist|(is|was) not found|decommissioned|retired|no longer (available|supported))"
)
_LACKS = re.compile(
    r"(?i)((does|do)(n't| not)|not|no endpoints found that) support (the )?"
    r"(image|vision|audio|video|file|pdf|document|multi-?modal|tool|function|structured|json|response[_ ]format)"
)
"""The words by which a model lacks a capability, whatever the status."""
_ABOVE_RATE = re.compile(r"(?i)request too large .{0,200}?(per[-_ ]min|[rt]pm)")
"""The words by which one request exceeds what a whole minute allows, so that it never passes."""

_REWORD = "Change the inputs or the prompt, or name another model."
_URL_REFUSED = re.compile(r"(?i)private/internal|blocked for security|protocol .* is not allowed")
_INCAPABLE = re.compile(r"(?i)not supported|not support\b|unsupported|only .* (is|are) supported")


def classify_provider_error(
    exc: BaseException,
    *,
    provider: str,
    model: str,
    secrets: Iterable[str] = (),
    variables: Iterable[str] = (),
    family: ModelFamily = "llm",
) -> PipelexError:
    """The meaning of a provider's failed call.

    Args:
        exc: the exception of the client library; a `PipelexError` is returned unchanged.
        provider: the backend's id.
        model: the model's handle.
        secrets: texts that must not appear in the message.
        variables: the environment variables that hold the provider's credentials, for the advice.
        family: the model's family.
    """
    if isinstance(exc, PipelexError):
        return exc
    facts = Facts(exc, provider, model, family, tuple(secrets), tuple(variables))
    guard = next((cause for cause in facts.chain if isinstance(cause, AnswerRefused)), None)
    if guard is not None:
        return _guarded(facts, guard)
    is_answered = facts.status not in (None, PROXY_WANTS_CREDENTIALS) or facts.has(*_KINDS)
    return _by_status(facts) if is_answered else _without_status(facts)


_KINDS = (
    "ModelQuotaExceededError", "ModelRateLimitError", "ModelAuthenticationError", "ModelContextWindowExceededError",
    "ModelUnavailableError", "ModelServerError", "ToldFailure",
)  # fmt: skip
"""The classes that a client raises for a failure reported inside a successful response."""


def _guarded(facts: Facts, guard: AnswerRefused) -> PipelexError:
    """An answer that was refused unread: the same request would get the same answer."""
    provider, model = facts.provider, facts.model
    if isinstance(guard, AnswerDamaged):
        return invalid_response(provider, model, "unreadable", str(guard))
    if isinstance(guard, RedirectRefused):
        code, params = "security.provider_url_refused", {"provider": provider}
        detail = f"{provider!r} answered the request for {model!r} with {guard}, and redirects are not followed"
        advice = f"Set 'endpoint' of [{provider}] in backends.toml to the address that it redirects to."
        category = ErrorCategory.CONFIGURATION
    else:
        code, params = "provider.response_invalid", {"provider": provider, "defect": "too_large"}
        detail = f"the answer of {provider!r} for {model!r} was not read: {guard}"
        advice = "Ask for less at a time, or raise 'max_answer_bytes' of [inference]."
        category = ErrorCategory.CONTENT
    return PipelexError(code, detail, category=category, params=params, provider=provider, model=model, advice=advice)


def _is_quota(facts: Facts) -> bool:
    """Whether the quota is used up. A failure that says when to come back is a rate limit, whatever else it says."""
    if facts.speaks_of(_NO_MONEY) or facts.status == 402:
        return True
    if facts.speaks_of(_RATE) and not facts.speaks_of(_BY_DAY):
        return False
    is_limit = facts.status == 429 or facts.has("ModelQuotaExceededError")
    spoken_of = facts.has("ModelQuotaExceededError") or facts.speaks_of(_QUOTA)
    return is_limit and spoken_of and (retry_after(facts) is None or facts.speaks_of(_BY_DAY))


def _by_status(facts: Facts) -> PipelexError:
    status, provider, model = facts.status or 0, facts.provider, facts.model
    if _is_quota(facts):
        return facts.error(
            "provider.quota_exhausted",
            ErrorCategory.CAPACITY,
            f"the account at {provider!r} has no quota left",
            advice=f"Check the plan and the billing of the account at {provider!r}.",
            provider=provider,
        )
    if status in (413, 429) and facts.speaks_of(_ABOVE_RATE):
        return _unfit(facts)
    if status == 429 or facts.has("ModelRateLimitError", "ModelQuotaExceededError"):
        return _rate_limited(facts)
    if status < 500 and status != 401 and facts.speaks_of(_CONTENT_FILTER):
        detail = f"the model {model!r} refused the content"
        return facts.error("model.content_refused", ErrorCategory.CONTENT, detail, advice=_REWORD, model=model)
    is_wrong_key = status in (0, 400) and facts.speaks_of(_WRONG_KEY)
    if status in (401, 403) or is_wrong_key or facts.has("ModelAuthenticationError"):
        return _refused(facts)
    if facts.has("ModelContextWindowExceededError") or (status < 500 and facts.speaks_of(_CONTEXT)):
        return facts.error(
            "model.context_exceeded",
            ErrorCategory.CONTENT,
            f"the prompt is longer than the model {model!r} can read",
            advice="Shorten the inputs, split them into batches, or name a model with a longer context.",
            model=model,
        )
    if status in (0, 400, 404, 415, 422) and facts.speaks_of(_LACKS):
        return facts.error(
            "model.capability_unsupported",
            ErrorCategory.CONFIGURATION,
            f"{provider!r} says that {model!r} does not support this request",
            advice="Name another model, or correct 'inputs' and 'structure_method' of the model's entry in "
            f"backends/{provider}.toml.",
            model=model,
            capability=facts.said,
        )
    if status == 404 or (status in (0, 400, 422) and facts.speaks_of(_NO_MODEL)):
        return facts.error(
            "model.unavailable",
            ErrorCategory.CONFIGURATION,
            f"{provider!r} does not know the model of {model!r}",
            advice=f"Check 'model_id' in backends/{provider}.toml and 'endpoint' of [{provider}] in backends.toml.",
            model=model,
            model_type=facts.family,
            reason="unknown_at_provider",
        )
    if status in (408, 504):
        return _timeout(facts)
    if status in _PASSING or status >= 500 or facts.has("ModelUnavailableError", "ModelServerError", "ToldFailure"):
        return _failed(facts)
    return _unfit(facts)


_PASSING = (0, 409, 424, 425, 498)
"""The statuses of refusals that may pass: a lock, a stumbling model (AWS), a request too early, no capacity (Groq)."""


def _unfit(facts: Facts) -> PipelexError:
    """A refusal of what was sent: the same request would be refused again."""
    status = facts.status or 0
    return facts.error(
        "provider.failed",
        ErrorCategory.CONTENT if status in (400, 413, 415, 422, 429) else ErrorCategory.CONFIGURATION,
        f"{facts.provider!r} refused the request for {facts.model!r} with status {status}",
        advice="The same request would be refused again: change what the pipe sends, or the model's entry.",
        provider=facts.provider,
        status=status,
    )


def _rate_limited(facts: Facts) -> PipelexError:
    return facts.error(
        "provider.rate_limited",
        ErrorCategory.TRANSIENT,
        f"{facts.provider!r} limits the rate of requests for {facts.model!r}",
        advice="Lower the concurrency, or ask the provider for a higher limit.",
        retry_after=retry_after(facts),
        provider=facts.provider,
        model=facts.model,
    )


def _refused(facts: Facts) -> PipelexError:
    named = " or ".join(facts.variables) or f"'api_key' of [{facts.provider}] in backends.toml"
    is_known = facts.status == 403
    return facts.error(
        "provider.credential_refused",
        ErrorCategory.CONFIGURATION,
        f"{facts.provider!r} "
        + ("does not allow this with these credentials" if is_known else "refused the credentials"),
        advice=f"Check {named}, and what its account may do." if is_known else f"Check {named}.",
        provider=facts.provider,
    )


def _failed(facts: Facts) -> PipelexError:
    status = facts.status or 0
    is_away = status in (502, 503, 529) or facts.has("ModelUnavailableError")
    common: dict[str, Any] = {"retry_after": retry_after(facts), "provider": facts.provider}
    told = f"status {status}" if status else "reported in its answer"
    if is_away:
        detail = f"{facts.provider!r} is not available for {facts.model!r} ({told})"
        return facts.error("provider.unavailable", ErrorCategory.TRANSIENT, detail, **common)
    detail = f"{facts.provider!r} failed on a request for {facts.model!r} ({told})"
    return facts.error("provider.failed", ErrorCategory.TRANSIENT, detail, status=status, **common)


def _timeout(facts: Facts) -> PipelexError:
    return facts.error(
        "provider.timeout",
        ErrorCategory.TRANSIENT,
        f"{facts.provider!r} did not answer in time for {facts.model!r}",
        retry_after=retry_after(facts),
        provider=facts.provider,
    )


_GARBAGE = (
    "UnexpectedModelBehavior", "JSONDecodeError", "DecodingError", "ValidationError", "APIResponseValidationError",
    "ResponseValidationError", "UnknownApiResponseError", "ResponseParserError", "UnicodeDecodeError",
)  # fmt: skip
_STUMBLED = ("AssertionError", "AttributeError", "IndexError", "KeyError", "RecursionError", "TypeError")
"""The exceptions of clients that take an answer apart without checking its shape or its depth."""
_UNREAD = re.compile("integer string conversion|^Invalid (input data|data type)|^string argument should contain only")
"""Python's messages about a whole number of thousands of digits and about base64; a client's about JSON's shape."""
_NO_CREDENTIALS = (
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "ProfileNotFound", "DefaultCredentialsError", "RefreshError",
)  # fmt: skip


def _is_unread(facts: Facts) -> bool:
    return facts.has("ValueError") and bool(_UNREAD.search(facts.said))


def _attachment(facts: Facts) -> PipelexError | None:
    """The failure of an image or document that the client fetches itself, because the provider takes no URLs."""
    if facts.has("ModelAPIError"):
        return None
    said = facts.said
    if _URL_REFUSED.search(said):
        detail = f"a URL in the prompt is refused: {said}"
        return InputError("security.input_url_refused", detail, target_class="private", reason="address_refused")
    if facts.has("HTTPStatusError") or said.startswith("DNS resolution failed"):
        status = getattr(getattr(facts.exc, "response", None), "status_code", 500)
        category = ErrorCategory.TRANSIENT if status >= 500 or status == 429 else ErrorCategory.CONTENT
        detail = f"a URL in the prompt cannot be fetched: {said}"
        return PipelexError("input.url_unreachable", detail, category=category)
    return None


def _without_status(facts: Facts) -> PipelexError:
    provider, model = facts.provider, facts.model
    unsent = None if _is_unread(facts) else connection_failure(facts)
    if unsent is not None:
        return unsent
    if facts.has("ModelTimeoutError", "ModelRequestTimeout", "TimeoutException", "TimeoutError", "APITimeoutError"):
        return _timeout(facts)
    if facts.has("ContentFilterError"):
        return refused_content(provider, model, facts.said)
    if facts.has(*_NO_CREDENTIALS):
        return _refused(facts)
    attachment = _attachment(facts)
    if attachment is not None:
        return attachment
    if facts.has(*_GARBAGE, *_STUMBLED) or type(facts.exc).__name__ == "ModelAPIError" or _is_unread(facts):
        return invalid_response(provider, model, "unreadable", "" if facts.has(*_STUMBLED) else facts.said)
    if facts.has("NotImplementedError", "UserError", "RuntimeError") and _INCAPABLE.search(facts.said):
        return facts.error(
            "model.capability_unsupported",
            ErrorCategory.CONFIGURATION,
            f"the client of {provider!r} cannot send this to {model!r}",
            advice="Name a model of another backend, or another 'sdk' in the model's entry.",
            model=model,
            capability=facts.said,
        )
    if facts.has("UserError", "NoRegionError", "NotImplementedError"):
        return facts.error(
            "runtime.misconfigured",
            ErrorCategory.CONFIGURATION,
            f"the client of {provider!r} rejected the request for {model!r}",
            advice=f"Check [{provider}] in backends.toml and the model's entry in backends/{provider}.toml.",
            component="inference",
        )
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
        f"calling {model!r} of {provider!r} failed unexpectedly ({type(facts.exc).__name__})",
    )


def invalid_response(provider: str, model: str, defect: str, said: str = "") -> PipelexError:
    """The error for an answer that cannot be used."""
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
    """The error for content that the model, or its provider's filter, refused."""
    more = f": {said}" if said else ""
    return PipelexError(
        "model.content_refused",
        f"the model {model!r} refused the content{more}",
        category=ErrorCategory.CONTENT,
        params={"model": model},
        provider=provider,
        model=model,
        advice=_REWORD,
    )


def truncated_output(provider: str, model: str, max_tokens: int | None, output_tokens: int) -> PipelexError:
    """The error for an answer that stopped at the limit of tokens."""
    limit = f"max_tokens = {max_tokens}" if max_tokens is not None else "the model's own limit"
    params: dict[str, Any] = {"model": model, "output_tokens": output_tokens}
    if max_tokens is not None:
        params["max_tokens"] = max_tokens
    return PipelexError(
        "model.output_truncated",
        f"the answer of {model!r} was cut off after {output_tokens} tokens by {limit}",
        category=ErrorCategory.CONTENT,
        params=params,
        provider=provider,
        model=model,
        advice="Raise 'max_tokens' in the model settings, or ask for less at a time.",
    )
