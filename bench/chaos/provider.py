"""The stand-in for a provider: it gives each label its one right answer, and records who asked for it, and when."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from bench.chaos.runs import answer, label_of, run_of
from tests.support.dialects import key_of
from tests.support.openai_server import OpenAIStub, Reply, prompt_text

STORMY: Final = 0.7
"""The share of the requests that a storm hits."""
TIMEOUT_SECONDS: Final = 3.0
"""How long a request hangs before the provider's gateway times out, in seconds."""


@dataclass
class Call:
    """One request."""

    label: str
    worker: str
    """The API key of the request, which identifies the worker's process."""
    arrived: float
    ended: float | None = None
    """When the answer was sent, or turned out to have no recipient."""
    fault: str | None = None
    """What the provider did instead of answering."""

    @property
    def run(self) -> str:
        return run_of(self.label)


class Provider(OpenAIStub):
    """A model server that fails on demand: in a storm, it fails most requests.

    Args:
        seed: the seed of the delays and of the faults that a storm brings.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.strays: list[str] = []
        """Prompts without a label."""
        self.is_stormy = False
        self._seed = seed
        self._asked: dict[str, int] = {}
        self._here = threading.local()

    def arrived(self, path: str, headers: Mapping[str, str], body: Any) -> tuple[Reply, str]:
        prompt = prompt_text(body)
        label = label_of(prompt)
        if label is None:
            self.strays.append(prompt)
            self._here.call = None
            return Reply(status=418), prompt
        call = Call(label, key_of(dict(headers)) or "", time.monotonic())
        with self._lock:
            time_asked = self._asked[label] = self._asked.get(label, 0) + 1
            chance = Random(f"{self._seed} {label} {time_asked}")
            delay = chance.uniform(0.05, 1.0)
            reply = _right(label, delay, wants_object=bool(body.get("tools")))
            if self.is_stormy and chance.random() < STORMY:
                call.fault, reply = self._storm(chance, reply)
            self.calls.append(call)
        self._here.call = call
        return reply, prompt

    def left(self) -> None:
        call: Call | None = self._here.call
        if call is not None:
            call.ended = time.monotonic()

    def _storm(self, chance: Random, right: Reply) -> tuple[str, Reply]:
        faults = {
            "429": Reply(status=429, headers={"retry-after": "1"}),
            "500": Reply(status=500),
            "503": Reply(status=503),
            "no answer": Reply(fault="closed"),
            "garbage": Reply(fault="garbage"),
            "half an answer": Reply(text=right.text, object=right.object, fault="truncated"),
            "time-out": Reply(status=504, delay=TIMEOUT_SECONDS),
        }
        name = chance.choice(list(faults))
        return name, faults[name]


def _right(label: str, delay: float, *, wants_object: bool) -> Reply:
    if wants_object:
        return Reply(object={"code": answer(label)}, delay=delay)
    return Reply(text=answer(label), delay=delay)
