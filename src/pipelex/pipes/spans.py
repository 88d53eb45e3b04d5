"""Spans of what happens in a run. Without an observer, nothing is created or imported.

A process that is observed has installed an `Observer`. The names and attributes of spans are the same for every
orchestrator: those of runs and pipes are defined here, and those of provider calls in `pipelex.inference`. Spans
contain no content of a run unless the observer captures it.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Protocol

from pipelex.library import Pipe
from pipelex.pipes.calls import PipeCall, RunIdentity, RunOptions
from pipelex.pipes.models import ModelUsage
from pipelex.pipes.usage import Meter

Attributes = Mapping[str, str | bool | int | float | Sequence[str] | None]
"""The attributes of a span; names without a value are left out."""


class Span(Protocol):
    """A span that is open."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        ...


class Observer(Protocol):
    """Makes spans. It records an exception that leaves a span's block by its code, never by its text."""

    @property
    def captures_content(self) -> bool:
        """Whether spans also contain prompts and answers."""
        ...

    @property
    def is_replay_safe(self) -> bool:
        """Whether replaying a block from a workflow's history does not make a second span."""
        ...

    def span(self, name: str, attributes: Attributes, *, is_call: bool = False) -> AbstractContextManager[Span]:
        """A span around a block, as a child of the current span.

        Args:
            name: the name; it must have few different values.
            attributes: the attributes that are known at the start.
            is_call: whether the span is a request to another service.
        """
        ...


class _NoSpan:
    def set(self, attributes: Attributes) -> None:
        """Do nothing: there is no observer."""


_nothing = nullcontext(_NoSpan())
_observers: list[Observer] = []


def install(observer: Observer) -> None:
    """Use an observer for this process from now on; it replaces an earlier one."""
    _observers[:] = [observer]


def uninstall() -> None:
    """Undo `install`."""
    _observers.clear()


def observer() -> Observer | None:
    """The observer of this process; None if there is none."""
    return _observers[0] if _observers else None


def span(name: str, attributes: Attributes, *, is_call: bool = False) -> AbstractContextManager[Span]:
    """See `Observer.span`."""
    return _observers[0].span(name, attributes, is_call=is_call) if _observers else _nothing


@contextmanager
def of_pipe(
    pipe: Pipe, call: PipeCall, run: RunIdentity, options: RunOptions, meter: Meter, *, is_replayed: bool = False
) -> Generator[None]:
    """The span of a pipe run, around the block that runs it. The entry pipe's span is inside that of the whole run.

    Args:
        pipe: the pipe that runs.
        call: the call, with its place in the run.
        run: the owner of the run.
        options: the options of the run.
        meter: read at the end for what was used.
        is_replayed: whether the block may be replayed from a workflow's history.
    """
    watching = observer()
    if watching is None or (is_replayed and not watching.is_replay_safe):
        yield
        return
    with ExitStack() as opened:
        spans: list[Span] = []
        if not call.path:
            told = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": pipe.ref}
            told |= {"pipelex.run.id": run.run_id, "pipelex.run.mode": options.mode}
            whose = {"session.id": run.session_id, "user.id": run.user_id}
            spans.append(opened.enter_context(watching.span(f"invoke_workflow {pipe.code}", {**told, **whose})))
        told = {"pipelex.pipe.ref": pipe.ref, "pipelex.pipe.type": pipe.type, "pipelex.run.id": run.run_id}
        path = "/".join(call.path) or None
        spans.append(
            opened.enter_context(watching.span(f"{pipe.type} {pipe.code}", {**told, "pipelex.pipe.path": path}))
        )
        try:
            yield
        finally:
            for each in spans:
                each.set(used(meter.total))


def used(usages: Iterable[ModelUsage]) -> Attributes:
    """The total usage of several calls, as attributes; the cost is set only if every price is known.

    The names differ from OpenTelemetry's conventions, under which the usage of a caller would be counted twice.
    """
    known = list(usages)
    costs = [usage.cost_usd for usage in known]
    return {
        "pipelex.usage.calls": sum(usage.calls for usage in known),
        "pipelex.usage.input_tokens": sum(usage.input_tokens for usage in known),
        "pipelex.usage.output_tokens": sum(usage.output_tokens for usage in known),
        "pipelex.usage.cached_tokens": sum(usage.cached_tokens for usage in known),
        "pipelex.usage.cost_usd": None if None in costs else sum(cost for cost in costs if cost is not None),
    }
