"""What happened in a run, as a tree of pipes with their effects: the same picture from every orchestrator."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import Meter

Status = Literal["running", "completed", "failed", "cancelled"]


@dataclass
class EffectTrace:
    """One effect of a pipe: a model call, an extraction, a rendering."""

    name: str
    """The activity's name, for example `act_llm_gen_text`."""
    summary: str
    started: datetime | None = None
    ended: datetime | None = None
    status: Status = "running"
    attempts: int = 1
    queue: str | None = None
    """The task queue it ran on; None in-process."""
    usage: ModelUsage | None = None
    """What it used; None for what uses no model, and for what did not succeed."""


@dataclass
class PipeTrace:
    """One pipe run with what it did, in the order it began."""

    id: str
    """The workflow's id; in-process, the id the workflow would have."""
    pipe: str
    type: str
    started: datetime | None = None
    ended: datetime | None = None
    status: Status = "running"
    effects: list[EffectTrace] = field(default_factory=list[EffectTrace])
    children: list["PipeTrace"] = field(default_factory=list["PipeTrace"])

    @property
    def usage(self) -> tuple[ModelUsage, ...]:
        """What the pipe and everything below it used, one entry per model."""
        meter = Meter()
        waiting: list[PipeTrace] = [self]
        while waiting:
            trace = waiting.pop(0)
            meter.add(effect.usage for effect in trace.effects if effect.usage is not None)
            waiting.extend(trace.children)
        return meter.total

    @property
    def seconds(self) -> float | None:
        """How long the pipe ran, where both ends are known."""
        return _seconds(self.started, self.ended)


def _seconds(started: datetime | None, ended: datetime | None) -> float | None:
    return None if started is None or ended is None else (ended - started).total_seconds()
