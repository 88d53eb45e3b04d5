"""One call of one model: its backend, its family, its time limit, and the meaning of its failures."""

from dataclasses import dataclass

from pipelex.errors import ErrorCategory, PipelexError
from pipelex.inference.calls.classify import classify_provider_error, invalid_response
from pipelex.inference.calls.logical import seconds_of_attempt
from pipelex.inference.deck.catalog import Backend, ModelEntry
from pipelex.inference.deck.model_deck import MAX_ANSWER_BYTES, ModelDeck
from pipelex.language.blueprints import ModelFamily
from pipelex.pipes.models import ResolvedModel

SECONDS = 600.0
"""The default time limit of a call, in seconds."""


@dataclass(frozen=True)
class ModelCall:
    """One call of one model of one backend."""

    entry: ModelEntry
    backend: Backend
    family: ModelFamily
    seconds: float = SECONDS
    """The time limit of each request, in seconds."""
    max_bytes: int = MAX_ANSWER_BYTES
    """The maximum size of a decoded answer, in bytes."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must never be shown."""
        return self.backend.secrets

    def failure(self, error: BaseException) -> PipelexError:
        """The error for a failure of the provider, or of its client library."""
        return classify_provider_error(
            error,
            provider=self.backend.id,
            model=self.entry.handle,
            family=self.family,
            secrets=self.secrets,
            variables=self.backend.variables,
        )

    def garbled(self, defect: str, said: str = "") -> PipelexError:
        """The error for an answer that lacks something."""
        return invalid_response(self.backend.id, self.entry.handle, defect, said)

    def unavailable(self, reason: str, detail: str, advice: str) -> PipelexError:
        """The error for a model that this process, as configured, cannot ask."""
        return PipelexError(
            "model.unavailable",
            detail,
            category=ErrorCategory.CONFIGURATION,
            params={"model": self.entry.handle, "model_type": self.family, "reason": reason},
            provider=self.backend.id,
            model=self.entry.handle,
            advice=advice,
        )


def call_of(deck: ModelDeck, model: ResolvedModel, family: ModelFamily, seconds: float = SECONDS) -> ModelCall:
    """A call of a resolved model, even if this process lacks its credentials.

    Args:
        deck: the models of this process.
        model: the model that is asked.
        family: the model's family.
        seconds: the time limit of each request.

    Raises:
        PipelexError: `model.unavailable`: this process does not serve the model.
    """
    entry = deck.entry(model, family)
    limit = _seconds(entry, seconds)
    return ModelCall(entry, deck.catalog.backends[entry.backend], family, limit, deck.max_answer_bytes)


def _seconds(entry: ModelEntry, usual: float) -> float:
    """The time limit of a request: the model's own, within that of a durable attempt, which replaces the default."""
    given, own = seconds_of_attempt(), entry.table.call_timeout
    whole = usual if given is None else given
    if own is None:
        return whole
    return own if given is None else min(own, given)


def check_credentials(deck: ModelDeck, call: ModelCall) -> None:
    """Refuse a call whose backend needs credentials that the environment lacks or that are malformed.

    Raises:
        PipelexError: `model.unavailable`.
    """
    lacks, missing = deck.catalog.lacks(call.entry), deck.catalog.missing(call.entry)
    if lacks:
        instead = "name a model of another backend."
        raise call.unavailable(
            "credentials_missing",
            f"the model {call.entry.handle!r} needs {' and '.join(lacks)}",
            f"Set {missing[0]}, or {instead}" if missing else instead.capitalize(),
        )
    _check_characters(call)


def _check_characters(call: ModelCall) -> None:
    """Refuse a key that no header can carry: each client fails on it in its own way, and some quote it."""
    key = call.backend.table.api_key
    if key is None or (key.isascii() and key.isprintable() and key == key.strip()):
        return
    named = " or ".join(call.backend.variables) or f"'api_key' of [{call.backend.id}] in backends.toml"
    raise call.unavailable(
        "credentials_malformed",
        f"the key of {call.backend.id!r} has a character that no key may have: a space or line break at either end, a"
        " control character, or one beyond ASCII",
        f"Correct {named}: it must be the key alone, on one line.",
    )


def open_call(deck: ModelDeck, model: ResolvedModel, family: ModelFamily, seconds: float = SECONDS) -> ModelCall:
    """A call of a resolved model that can be made from here; see `call_of` and `check_credentials`."""
    call = call_of(deck, model, family, seconds)
    check_credentials(deck, call)
    return call
