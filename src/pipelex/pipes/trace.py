"""The trace of a run, as a tree of pipes with their effects, which is the same for every orchestrator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pipelex.content.stuff import Absence, Stuff
from pipelex.errors import ErrorReport
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import Meter
from pipelex.pipes.wire import Wire


class RunState(StrEnum):
    """The state of a run, one of its pipes or an effect, with the names of the MTHDS protocol."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TERMINATED = "TERMINATED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def has_ended(self) -> bool:
        """Whether it is no longer running."""
        return self is not RunState.RUNNING

    @property
    def words(self) -> str:
        """The state for people, for example `timed out`."""
        return self.value.lower().replace("_", " ")


@dataclass
class EffectTrace:
    """One effect of a pipe: a model call, an extraction, a rendering."""

    name: str
    """The activity's name, for example `act_llm_gen_text`."""
    summary: str
    started: datetime | None = None
    ended: datetime | None = None
    status: RunState = RunState.RUNNING
    attempts: int = 1
    until: datetime | None = None
    """The time of the next attempt, while the effect waits for it in this process."""
    queue: str | None = None
    """The task queue it ran on; None in-process."""
    usage: tuple[ModelUsage, ...] = ()
    """The usage of its answers, one entry for each model, including failed attempts."""
    job: Wire | None = None
    """The job; None unless the run is watched in this process."""
    error: ErrorReport | None = None
    """The failure, if it is known here."""
    result: Wire | None = None
    """The result of the effect, under the same condition as `job`."""
    kept_from: str | None = None
    """The run whose result was reused; None if the effect was performed."""


@dataclass
class PipeTrace:
    """One pipe run with its effects and children, in the order in which they began."""

    id: str
    """The workflow's id; in-process, the id that the workflow would have."""
    pipe: str
    type: str
    started: datetime | None = None
    ended: datetime | None = None
    status: RunState = RunState.RUNNING
    effects: list[EffectTrace] = field(default_factory=list[EffectTrace])
    children: list["PipeTrace"] = field(default_factory=list["PipeTrace"])
    inputs: Mapping[str, Stuff] = field(default_factory=dict[str, Stuff])
    """The inputs of the pipe; empty unless the run is watched in this process."""
    output: Stuff | Absence | None = None
    """The output of the pipe, under the same condition."""
    error: ErrorReport | None = None
    """The failure, if it is known here."""
    is_gone: bool = False
    """Whether the server has removed the pipe's history. How it ended is then known from the pipe that ran it."""
    told_usage: tuple[ModelUsage, ...] = ()
    """The usage in the outcome of the pipe, if its history is gone."""

    @property
    def own_usage(self) -> tuple[ModelUsage, ...]:
        """The usage of the pipe without the pipes that it ran, or with them if its history is gone."""
        return (*(usage for effect in self.effects for usage in effect.usage), *self.told_usage)

    @property
    def usage(self) -> tuple[ModelUsage, ...]:
        """The usage of the pipe and everything below it, one entry for each model."""
        meter = Meter()
        waiting: list[PipeTrace] = [self]
        while waiting:
            trace = waiting.pop(0)
            meter.add(trace.own_usage)
            waiting.extend(trace.children)
        return meter.total

    @property
    def seconds(self) -> float | None:
        """The duration of the pipe in seconds; None unless both ends are known."""
        return _seconds(self.started, self.ended)


def _seconds(started: datetime | None, ended: datetime | None) -> float | None:
    return None if started is None or ended is None else (ended - started).total_seconds()


def counts_of(root: PipeTrace) -> tuple[int, int, int]:
    """The numbers of pipes in a tree that are running, that completed, and that ended otherwise."""
    states = [pipe.status for pipe in pipes_of(root)]
    running, completed = states.count(RunState.RUNNING), states.count(RunState.COMPLETED)
    return running, completed, len(states) - running - completed


def pipes_of(root: PipeTrace) -> Iterator[PipeTrace]:
    """The pipes of a tree, in the order in which they began."""
    waiting = [root]
    while waiting:
        trace = waiting.pop()
        yield trace
        waiting.extend(reversed(trace.children))
