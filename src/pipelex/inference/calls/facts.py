"""Facts in a client library's exception, whichever library it is.

Each client reads some of the forms of `Retry-After` (of 13: pydantic-ai 8, openai and LiteLLM 7), and none reads it
from an answer's text.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.errors.hidden import MASK, without_secrets
from pipelex.language.blueprints import ModelFamily

_SECRET = re.compile(
    r"(?i)\b(sk|pk|rk|gsk|xai|key|ghp|hf|AIza)[-_][A-Za-z0-9*._-]{6,}|\bAIza[A-Za-z0-9_-]{10,}"
    r"|(?<=bearer )\S+|(?<=api[-_]key[=: ])\S+"
)
_REQUEST_IDS = (
    "x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "mistral-correlation-id", "x-goog-request-id",
)  # fmt: skip


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without API keys: neither the given ones, nor anything that looks like one."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    return _SECRET.sub(MASK, without_secrets(text))


class Facts:
    """The facts in a client library's exception, whichever library it is."""

    def __init__(
        self,
        exc: BaseException,
        provider: str,
        model: str,
        family: ModelFamily,
        secrets: tuple[str, ...],
        variables: tuple[str, ...],
    ) -> None:
        self.exc = exc
        self.provider = provider
        self.model = model
        self.family: ModelFamily = family
        self.variables = variables
        self.secrets = secrets
        self.chain = list(_causes(exc))
        self.roots = list(_roots(exc))
        """The exception and everything that led to it, even if the client hides it; sockets and certificates lie deep.
        """
        self.status = next((s for e in self.chain if (s := _status(e)) is not None), None)
        self.headers = next((h for e in self.chain if (h := _headers(e))), dict[str, str]())
        self.code = next((c for e in self.chain if (c := _code(e))), "")
        self.body = " ".join(_text(found) for e in self.chain if (found := getattr(e, "body", None)))
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
            request_id=self._request_id(),
            retry_after=retry_after,
        )

    def _request_id(self) -> str | None:
        found = next((self.headers[name] for name in _REQUEST_IDS if self.headers.get(name)), None)
        return None if found is None else redacted(_short(found), self.secrets)


def _causes(exc: BaseException) -> Iterable[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _roots(exc: BaseException) -> Iterable[BaseException]:
    waiting, seen = [exc], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner: tuple[BaseException, ...] = getattr(current, "exceptions", ())
        led = (current.__cause__, current.__context__, *inner)
        waiting += [each for each in led if isinstance(each, BaseException)]


def _status(exc: BaseException) -> int | None:
    """The HTTP status of a failure; some clients attach a status of success to an answer that they cannot read."""
    found = getattr(exc, "status_code", None)
    return found if isinstance(found, int) and found >= 400 else None


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
    """The provider's own message if there is one, else the exception's, on one line of limited length."""
    for exc in chain:
        message = _message(_parsed(getattr(exc, "body", None)))
        if message:
            return _readable(message)
    if any(_status(exc) is not None for exc in chain):
        return next((said for exc in chain if (said := _plain(getattr(exc, "body", None)))), "")
    said = _short(str(chain[0]))
    return "" if _INTERNAL.search(said) else said


_INTERNAL = re.compile(
    r"validation errors? for|errors\.pydantic\.dev|object has no attribute|NoneType|status_code: |list index out of range"
    r"|Traceback|\bat 0x[0-9a-f]+|object is not (subscriptable|iterable)|unexpected keyword|Invalid response from"
    r"|Expecting (value|property|')|Unterminated string|Extra data:|line \d+ column \d+|maximum recursion"
    r"|Expected a JSON response|Unexpected response received|Response validation failed|Failed to decode|\{'message'"
    r"|All connection attempts failed|codec can't decode|\bConnection error\.|Response has no '|\bb'|bytearray\("
)
"""Messages of client libraries that are meant for programmers."""
_MARKUP = re.compile(r"(?i)<(!doctype|html|head|body|title|p|h\d|\?xml)\b")
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")


def _plain(body: Any) -> str:
    """The message of a body that is not JSON: its text, or the title of a web page."""
    if not isinstance(body, str | bytes) or _parsed(body) is not None:
        return ""
    return _readable(_text(body).strip())


def _readable(text: str) -> str:
    """The text, or the title of a web page; empty when the text is meant for programmers."""
    if _INTERNAL.search(text):
        return ""
    if not _MARKUP.search(text[:200]):
        return _short(text)
    found = _TITLE.search(text)
    return _short(found[1]) if found else ""


def _message(body: Any) -> str | None:
    """The message in an error body: OpenAI's, Anthropic's and Google's `error.message`, or the bare `message`."""
    if isinstance(body, list) and body:
        return _message(cast("list[Any]", body)[0])
    if not isinstance(body, dict):
        return None
    table = cast("dict[str, Any]", body)
    return next((said for name in _MESSAGES if (said := _sentence(name, table.get(name)))), None)


_MESSAGES = (
    "error", "Error", "errors", "message", "Message", "detail", "details", "error_description", "msg", "title", "reason",
)  # fmt: skip
"""The members of error bodies in which providers and gateways say what is wrong, the most specific ones first."""


def _sentence(name: str, value: Any) -> str | None:
    """The message in a member: a text, an object that holds one, or a list of faults, each with its place."""
    if isinstance(value, str):
        return None if name == "error" and not value.strip() else value.strip() or None
    if isinstance(value, dict):
        return _message(cast("dict[str, Any]", value))
    if not isinstance(value, list):
        return None
    found = [said for item in cast("list[Any]", value)[:3] if (said := _fault(item))]
    return "; ".join(found) or None


def _fault(item: Any) -> str | None:
    """One fault of a list, as FastAPI writes them: `{"loc": ["body", "messages"], "msg": "field required"}`."""
    if isinstance(item, str):
        return item.strip() or None
    said = _message(item)
    place = cast("dict[str, Any]", item).get("loc") if isinstance(item, dict) else None
    if said is None or not isinstance(place, list):
        return said
    return f"{'.'.join(str(each) for each in cast('list[Any]', place))}: {said}"


def _parsed(body: Any) -> Any:
    """An error body as JSON, for a client that passes on its text; None when it is not JSON."""
    if not isinstance(body, str | bytes):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


_RETRY_DELAY = re.compile(
    r"""(?ix) retryDelay['"]?: \s? ['"] (?P<delay>\d+(\.\d+)?) s
    | (re)?try (\s again)? \s in \s ((?P<h>\d+) h)? ((?P<m>\d+) m(?!s))? ((?P<s>\d+(\.\d+)?) \s? (?P<unit>ms|s))? """
)
"""The waits in bodies, for answers without a header: Google's `retryDelay`, and `try again in 7m12.5s` of others."""


_MOST_ASKED = 10 * 365 * 24 * 3600.0
"""The longest wait that is reported, in seconds (ten years); a longer one is cut to it."""


def retry_after(facts: Facts) -> float | None:
    """The wait that the provider asks for, in seconds, from its headers or its message; None when it asks for none."""
    asked = _asked_wait(facts)
    return None if asked is None else min(asked, _MOST_ASKED)


def _asked_wait(facts: Facts) -> float | None:
    millis = facts.headers.get("retry-after-ms")
    if millis is not None:
        seconds = _number(millis)
        if seconds is not None:
            return seconds / 1000
    value = facts.headers.get("retry-after")
    if value is None:
        told = _said_wait(facts)
        if told is not None:
            return told
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


def _said_wait(facts: Facts) -> float | None:
    found = _RETRY_DELAY.search(facts.body)
    if found is None:
        return None
    if found["delay"]:
        return float(found["delay"])
    if not (found["h"] or found["m"] or found["s"]):
        return None
    rest = float(found["s"] or 0) / (1000 if found["unit"] == "ms" else 1)
    return int(found["h"] or 0) * 3600 + int(found["m"] or 0) * 60 + rest


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 else None
