"""The logical call that an attempt belongs to: its facts are the same in all its attempts, and in no other call.

The orchestrator sets it around each attempt (`logical_call`) as a context variable, so that neither the pipes nor the
performers in between know of it. `performers` binds it to the job. Each request then has a key of its own
(`request_headers`), which is the same in every attempt, and different for every further question of the same call.

OpenAI's client names the header for such keys, and changes the key from one question of a conversation to the next;
gateways that speak its protocol rely on it. Other providers document no such header, so they get a key only if their
table of `backends.toml` names one as `idempotency_header`.
"""

import hashlib
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pipelex.inference.calls.ledger import CallLedger

if TYPE_CHECKING:
    from pipelex.inference.deck.catalog import Backend
    from pipelex.pipes.wire import Wire

OPENAI_HEADER = "Idempotency-Key"

_NAMESPACE = uuid.UUID("5b0f3a8e-7d52-4d0c-9d0b-4a6a1f2f9f37")


@dataclass(frozen=True)
class LogicalCall:
    """One call of a run, however many attempts it takes."""

    id: str = ""
    """The id from the orchestrator, the same in every attempt; empty when the call is not identified."""
    job: str = ""
    """The digest of the job, so that the same id with another job is another call."""
    ledger: CallLedger = field(default_factory=CallLedger, compare=False)
    """The ledger of its attempts so far."""
    seconds: float | None = None
    """The time that the orchestrator gives an attempt, in seconds; None when it sets no limit."""

    def key(self, *parts: str) -> str:
        """The key of one of its requests, from the parts that distinguish it from the others: a UUID of version 5."""
        return str(uuid.uuid5(_NAMESPACE, "\0".join((self.id, self.job, *parts))))


_current: ContextVar[LogicalCall | None] = ContextVar("pipelex_logical_call", default=None)


@contextmanager
def logical_call(id: str, ledger: CallLedger | None = None, seconds: float | None = None) -> Generator[None]:
    """Set the logical call of which the block is an attempt.

    Args:
        id: the id of the call, the same in all its attempts and in no other call.
        ledger: the ledger of the call's earlier attempts; a new one when None.
        seconds: the time that the orchestrator gives the attempt; None where it sets none.
    """
    token = _current.set(LogicalCall(id, ledger=ledger or CallLedger(), seconds=seconds))
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def asking(activity: str, job: "Wire") -> Generator[LogicalCall]:
    """Bind the logical call of the block to its job."""
    bound = replace(_current.get() or LogicalCall(), job=digest(activity, job))
    token = _current.set(bound)
    try:
        yield bound
    finally:
        _current.reset(token)


def current_ledger() -> CallLedger:
    """The ledger of the logical call that is under way; without one, a new ledger that is then dropped."""
    call = _current.get()
    return CallLedger() if call is None else call.ledger


def seconds_of_attempt() -> float | None:
    """The time that the orchestrator gives the attempt that is under way, in seconds; None where it sets none."""
    call = _current.get()
    return None if call is None else call.seconds


def digest(activity: str, job: "Wire") -> str:
    """The SHA-256 of a job's request."""
    written = f"{activity}\0{job.model_dump_json(exclude_unset=True, exclude={'reuse'})}"
    return hashlib.sha256(written.encode()).hexdigest()


def request_headers(backend: "Backend", *parts: str, default: str | None = None) -> dict[str, str]:
    """The header with a request's key; empty where the backend takes none, or no logical call is under way.

    Args:
        backend: the backend that is asked.
        parts: the parts that distinguish the request from the others of the same call: model, rank, answers so far.
        default: the header if the backend's table names none; an empty name there means that no header is sent.
    """
    call, header = _current.get(), backend.extra.get("idempotency_header", default)
    return {str(header): call.key(backend.id, *parts)} if call is not None and call.id and header else {}
