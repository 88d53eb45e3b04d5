"""Facts about runs, in the same form for every orchestrator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pipelex.errors import ErrorReport
from pipelex.pipes.trace import RunState

PATIENCE: Final = timedelta(seconds=3)
"""The time that a task may spend in a queue before it counts as waiting for a worker."""


@dataclass(frozen=True, slots=True)
class RunDescription:
    """A run as lists show it, without its tree of pipes."""

    run_id: str
    workflow_id: str
    """The engine's id of the entry pipe's run; in-process, the run's id."""
    pipe: str
    """The entry pipe's reference, or only its code if the engine knows no more; empty if it knows neither."""
    pipe_type: str
    """The entry pipe's type, for example `PipeSequence`."""
    state: RunState
    started: datetime
    ended: datetime | None = None
    """The time when the run ended; None while it is running."""
    place: str = ""
    """The place where the engine keeps the run, for people; for example `namespace default`."""
    link: str | None = None
    """The address of the run in the engine's own UI, where it is known."""
    unlinked: str = ""
    """What to do to make the address known, as the rest of a sentence; empty if nothing helps."""
    user: str | None = None
    """The user who started it, where that is known."""
    attributes: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, str])
    """The run's own search attributes, including its tags."""
    cost: float | None = None
    """The cost of the run's model calls, in US dollars; None if it is not known or was not asked for."""
    replay_of: str | None = None
    """The run whose results it reuses, if it is a replay."""
    fingerprint: str | None = None
    """The fingerprint of the method that ran, if the orchestrator reports it; it identifies a version of a method."""
    is_interrupted: bool = False
    """Whether the process ended before the run did, so that the state is `CANCELLED`; only for in-process runs."""

    @property
    def words(self) -> str:
        """The state for people."""
        return "interrupted" if self.is_interrupted else self.state.words

    @property
    def pipe_code(self) -> str:
        """The code of the entry pipe."""
        return self.pipe.rpartition(".")[2]

    @property
    def domain(self) -> str:
        """The domain of the entry pipe; empty where it is not known."""
        return self.pipe.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """The filter of a list of runs."""

    state: RunState | None = None
    """The state of the runs; None for any."""
    limit: int = 20
    """The maximum number of runs to list; the newest come first."""
    attributes: Mapping[str, str | Sequence[str]] = field(default_factory=dict[str, str])
    """Search attributes that the runs must have: name → value, or several values that must all be present."""
    pipe: str | None = None
    """The entry pipe, by its reference or its code; None for any."""
    domain: str | None = None
    """The domain of the entry pipe; None for any."""
    user: str | None = None
    """The user who started them; None for anybody."""
    since: datetime | None = None
    """The earliest time of their start; None for any time."""
    cost_above: float | None = None
    """The minimum cost, in US dollars; None for any cost, in which case `RunDescription.cost` may be None."""
    prefix: str = ""
    """The beginning of their ids."""
    replay_of: str | None = None
    """The run that they are replays of; None for any."""

    def takes(self, run: RunDescription) -> bool:
        """Whether the filter matches a run."""
        return (
            self.state in (None, run.state)
            and self.pipe in (None, run.pipe, run.pipe_code)
            and self.domain in (None, run.domain)
            and self.user in (None, run.user)
            and (self.since is None or run.started >= self.since)
            and (self.cost_above is None or (run.cost is not None and run.cost >= self.cost_above))
            and run.run_id.startswith(self.prefix)
            and self.replay_of in (None, run.replay_of)
            and all(_holds(run.attributes.get(name, ()), value) for name, value in self.attributes.items())
        )


def _holds(given: str | Sequence[str], wanted: str | Sequence[str]) -> bool:
    """Whether an attribute has a given value, or all of several given values."""
    values = {given} if isinstance(given, str) else set(given)
    return values >= ({wanted} if isinstance(wanted, str) else set(wanted))


@dataclass(frozen=True, slots=True)
class RunCounts:
    """The number of a run's pipes in each state."""

    running: int = 0
    completed: int = 0
    failed: int = 0
    """Pipes that failed, were cancelled, were terminated or timed out."""


class WaitKind(StrEnum):
    """The reason why a run waits."""

    NO_WORKER = "no_worker"
    """No worker polls the queue in which a task waits."""
    NO_VERSION = "no_version"
    """Only workers of a versioned deployment poll the queue, and none of its versions is current."""
    NOT_TAKEN = "not_taken"
    """Workers poll the queue, but none has taken the task yet."""
    TASK_FAILS = "task_fails"
    """A worker cannot continue the run, because it lacks a key, a store or the right release; the task is repeated."""
    CALL_FAILS = "call_fails"
    """The call of an effect failed, and is retried."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that a run waits for, and that may need somebody to act."""

    kind: WaitKind
    workflow_id: str
    """The engine's id of the pipe run that waits."""
    what: str
    """The name of the activity that is not done, or `workflow task`."""
    detail: str
    """One sentence that says what the run waits for, and why."""
    advice: str | None = None
    """What to do to end the wait."""
    queue: str | None = None
    """The task queue that a worker must poll, if that is what the run waits for."""
    attempt: int | None = None
    """The number of the next attempt, from 1."""
    until: datetime | None = None
    """The time of the next attempt, where it is known."""
    failures: int | None = None
    """The number of failures of the call so far, if it is known."""
    most_failures: int | None = None
    """The number of failures after which the run fails; None if there is no limit or it is not known."""
    deadline: datetime | None = None
    """The latest time at which the wait ends, and the run fails with it, if it is known."""
    report: ErrorReport | None = None
    """The last failure, if the run waits because something failed."""


def failed_call(name: str, pipe: str, report: ErrorReport) -> str:
    """The detail of the wait for a call that failed and is tried again.

    Args:
        name: the activity's name.
        pipe: the id of the pipe run that waits.
        report: the failure.
    """
    return f"{name} of {pipe} failed and is tried again: {report.detail}"


@dataclass(frozen=True, slots=True)
class ReadinessCheck:
    """One thing that runs need, and whether it is there."""

    subject: str
    detail: str
    is_issue: bool = False
    advice: str | None = None
    is_off: bool = False
    """Whether nothing uses it, so that it does not matter if it is missing."""
