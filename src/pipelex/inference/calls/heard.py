"""The token counts in answers that came, but that could not be used.

A client library that cannot read an answer raises an exception without what the answer cost. The guard of every client
(`calls/guard.py`) hears the bytes of each answer, so the counts are read from there, and only after a failure.
"""

import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, cast

from pipelex.inference.members import table, whole

_TAIL: Final = 16_384
"""The size of the end of an answer that is kept, in bytes; the counts follow the answer itself."""
_USAGE: Final = re.compile(r'(?<!\\)"usage(?:Metadata)?"\s*:\s*(?=\{)')
_INPUT: Final = ("prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount")
_OUTPUT: Final = ("completion_tokens", "output_tokens", "outputTokens", "candidatesTokenCount")
_ADDED_INPUT: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""The counts that Anthropic keeps apart from the input's."""
_DECODER: Final = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class HeardTokens:
    """The token counts of one answer."""

    input: int
    output: int
    cached: int = 0
    """The tokens of the input that came from the provider's cache."""


class Tail:
    """The end of an answer's body."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, piece: bytes) -> None:
        """Take the next piece of the answer."""
        self._kept += piece[-_TAIL:]
        del self._kept[:-_TAIL]

    @property
    def text(self) -> str:
        """The end of the body, as text."""
        return self._kept.decode(errors="replace")


_tails: ContextVar[list[Tail] | None] = ContextVar("pipelex_heard_answers", default=None)


@contextmanager
def listening() -> Generator[list[Tail]]:
    """Keep the ends of the successful answers to the block's requests."""
    tails = list[Tail]()
    token = _tails.set(tails)
    try:
        yield tails
    finally:
        _tails.reset(token)


def tail_of_answer() -> Tail | None:
    """A tail for the next answer; None when nobody listens."""
    tails = _tails.get()
    if tails is None:
        return None
    tails.append(Tail())
    return tails[-1]


def heard_tokens(tails: list[Tail]) -> list[HeardTokens]:
    """The token counts of the answers that tell some."""
    found = (_tokens(tail.text) for tail in tails)
    return [tokens for tokens in found if tokens is not None]


def _tokens(text: str) -> HeardTokens | None:
    for match in reversed(list(_USAGE.finditer(text))):
        try:
            usage: Any = _DECODER.raw_decode(text, match.end())[0]
        except (ValueError, RecursionError):
            continue
        counts = cast("Mapping[str, object]", usage)
        apart = sum(whole(counts.get(name)) or 0 for name in _ADDED_INPUT)
        given, written = (
            _first(counts, _INPUT) + apart,
            _first(counts, _OUTPUT) + _first(counts, ("thoughtsTokenCount",)),
        )
        if given or written:
            return HeardTokens(given, written, min(given, _cached(counts)))
    return None


def _cached(counts: Mapping[str, object]) -> int:
    inside = table(counts.get("prompt_tokens_details"))
    names = ("cache_read_input_tokens", "cacheReadInputTokens", "cachedContentTokenCount")
    return _first(counts, names) or whole(inside.get("cached_tokens")) or 0


def _first(counts: Mapping[str, object], names: tuple[str, ...]) -> int:
    return next((found for name in names if (found := whole(counts.get(name)))), 0)
