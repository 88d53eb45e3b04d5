"""Spans of what happens in a run, for whoever watches it: nothing is made, nor imported, while nobody does.

A process that is watched has installed an `Observer`. What a span is called and what it tells is written once for every
orchestrator: of runs and pipes here, of calls to providers in `pipelex.inference`. None tells any content of a run,
unless the observer captures it.
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
        """Tell more."""
        ...


class Observer(Protocol):
    """Whoever makes spans. A failure that leaves a span's block is told by its code, never by its text."""

    @property
    def captures_content(self) -> bool:
        """Whether prompts and answers are told, too."""
        ...

    @property
    def is_replay_safe(self) -> bool:
        """Whether a block that is run again from a workflow's history gives no second span."""
        ...

    def span(self, name: str, attributes: Attributes, *, is_call: bool = False) -> AbstractContextManager[Span]:
        """A span around a block, inside the span that is open around it.

        Args:
            name: the name, of few different values.
            attributes: the attributes that are known when it begins.
            is_call: another service is asked.
        """
        ...


class _NoSpan:
    def set(self, attributes: Attributes) -> None:
        """Nobody watches."""


_nothing = nullcontext(_NoSpan())
_observers: list[Observer] = []


def install(observer: Observer) -> None:
    """Have an observer see what happens in this process from now on, instead of the one before."""
    _observers[:] = [observer]


def uninstall() -> None:
    """Undo `install`."""
    _observers.clear()


def observer() -> Observer | None:
    """Whoever watches this process."""
    return _observers[0] if _observers else None


def span(name: str, attributes: Attributes, *, is_call: bool = False) -> AbstractContextManager[Span]:
    """See `Observer.span`."""
    return _observers[0].span(name, attributes, is_call=is_call) if _observers else _nothing


@contextmanager
def of_pipe(
    pipe: Pipe, call: PipeCall, run: RunIdentity, options: RunOptions, meter: Meter, *, is_replayed: bool = False
) -> Generator[None]:
    """The span of one pipe run around the block that runs it; the entry pipe's is inside the whole run's.

    Args:
        pipe: the pipe that runs.
        call: the call, with its place in the run.
        run: the owner of the run.
        options: the options of the run.
        meter: asked at the end for what was used.
        is_replayed: the block may be run again from a history.
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
    """The usage of several calls together; the cost only where every price is known.

    The names are not those of the conventions: what a caller used would be counted there a second time.
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
