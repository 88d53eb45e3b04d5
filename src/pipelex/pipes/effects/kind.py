"""The description of a kind of effect, and a single effect of a kind."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Literal, TypeVar

from pipelex.language.blueprints import ModelFamily, ModelPurpose
from pipelex.language.references import Reference
from pipelex.library import Library
from pipelex.pipes.calls import Reuse, RunOptions
from pipelex.pipes.effects.jobs import ModelJob
from pipelex.pipes.models import ResolvedModel
from pipelex.pipes.spans import Attributes
from pipelex.pipes.wire import Wire

Q = TypeVar("Q", bound=Wire)
R = TypeVar("R", bound=Wire)

RoutingKey = Literal[ModelFamily, "function"]
"""What an effect is routed by: the handle of a model of that family, or the function's name."""

_PIPE: Final = re.compile(r"(?:^| · )pipe=([^\s\[]+)")


def _nothing(_: Any) -> Mapping[str, Any]:
    return {}


def _no_subject(_: Any) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class EffectKind(Generic[Q, R]):
    """One kind of effect: its request and result types, and everything else that all effects of the kind share."""

    activity: str
    """The documented name of the effect in Temporal, configuration files and traces."""
    request: type[Q]
    result: type[R]
    job: type[Wire]
    """The type of the job that a performer gets: the request itself, or the request with a model (a `ModelJob`)."""
    mock: "Callable[[Q, Library, RunOptions], R] | None"
    """The function that makes up the result in a dry run; None if the effect is performed in dry runs, too."""
    compute: Callable[[Library, Q], R] | None = None
    """The function that computes the result from the library and the request alone, without any I/O; None if a
    performer is needed. Pipes do small computations themselves, and use the effect for what would take too long in
    their own code."""

    family: ModelFamily | None = None
    """The family of the model that performs it; None if it needs no model."""
    purpose: ModelPurpose = "text"
    """The purpose whose default applies when the pipe names no model."""
    is_paid: bool = False
    """Whether a provider may charge for it, so its result is kept for further attempts."""

    routing_key: RoutingKey | None = None
    """What it is routed by besides its name; None for nothing else."""
    key: Callable[[Q], str] | None = None
    """The function that returns the routing key of an effect without a model."""
    group: str | None = None
    """The name of a table of routes that it shares with other kinds."""
    runners: tuple[str, ...] = ()
    """The names, after `runner-`, of the built-in worker scopes that perform it."""
    is_crafting: bool = True
    """Whether it generates content, and so belongs to the tasks pack `crafting`."""

    what: Callable[[Q], str]
    """A description in a few words for people, which never contains prompt text."""
    details: Callable[[Q], Mapping[str, str]] = field(default=_nothing)
    """Further members of its summary."""
    model_word: str = "model"
    """The word for the model in the summary."""

    operation: str | None = None
    """The name of its operation in spans, by OpenTelemetry's conventions. None if its requests have their own spans,
    and it has none."""
    span_subject: Callable[[Q], str | None] = field(default=_no_subject)
    """What the span's name has after the operation, if no model performs it."""
    span_details: Callable[[Q], Attributes] = field(default=_nothing)
    """Further attributes of its span, which never have any content of a run."""
    span_content: Callable[[Q], Mapping[str, str]] = field(default=_nothing)
    """The attributes of its span that are set only if content is captured."""
    is_composed: bool = False
    """Whether it consists of calls that have their own spans and usage."""

    def summary(self, pipe: str, request: Q, model: ResolvedModel | None, item: int | None = None) -> str:
        """One line for people: `LLM object · pipe=read_invoice[3] · class=Invoice · model=gpt-4o-mini`."""
        rank = "" if item is None else f"[{item}]"
        members = {"pipe": f"{Reference.parse(pipe).code}{rank}", **self.details(request)}
        if model is not None:
            members[self.model_word] = model.handle
        elif self.key is not None and self.routing_key is not None:
            members[self.routing_key] = self.key(request)
        return " · ".join([self.what(request), *(f"{name}={value}" for name, value in members.items())])

    def effect(self, pipe: str, request: Q, model: ResolvedModel | None, item: int | None = None) -> "Effect[R]":
        """The effect that a request asks for.

        Args:
            pipe: reference of the pipe that asks.
            request: the request.
            model: the model that performs it; None if the kind needs no model.
            item: the rank of the item that the pipe runs on; None if it is not run by a batch.
        """
        job = self.job.of(request, model) if model is not None and issubclass(self.job, ModelJob) else request
        key = None if self.key is None else self.key(request)
        return Effect(self, job, self.summary(pipe, request, model, item), model, key)


def pipe_named_in(summary: str) -> str | None:
    """The code of the pipe that the summary of an effect names."""
    found = _PIPE.search(summary)
    return None if found is None else found[1]


@dataclass(frozen=True)
class Effect(Generic[R]):
    """A job to perform outside the pipe's own code."""

    kind: EffectKind[Any, R]
    job: Wire
    summary: str
    """One line for people: what, for which pipe, with which model; never any prompt text."""
    model: ResolvedModel | None = None
    key: str | None = None
    """The routing key of an effect without a model: a function's name."""

    def reusing(self, reuse: Reuse | None) -> "Effect[R]":
        """The effect, with the run whose result it may reuse. Computed effects are always computed again."""
        if reuse is None or self.kind.compute is not None:
            return self
        return replace(self, job=self.job.model_copy(update={"reuse": reuse}))

    @property
    def activity(self) -> str:
        """The documented name of its kind."""
        return self.kind.activity

    @property
    def result(self) -> type[R]:
        """The type of its result."""
        return self.kind.result
