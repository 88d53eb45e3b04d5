"""The places where a command looks for runs: the records of this machine, and a durable orchestrator."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import typer

from pipelex.cli._shared.keys import JSON_KEY, ORCHESTRATOR_KEY
from pipelex.cli._shared.loops import Interrupted, interruptible
from pipelex.cli._shared.progress import notice
from pipelex.cli._shared.session import open_app
from pipelex.errors import PipelexError
from pipelex.orchestration import IN_PROCESS, EngineUnavailable, RunDescription, RunFilter, chosen_name

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunHandle

T = TypeVar("T")

_NOT_FOUND = "run.not_found"


@dataclass
class RunPlaces:
    """The runtimes that know the runs of a command; the durable one is opened only when it is needed."""

    ctx: typer.Context
    server: str | None
    here: "Pipelex | None"
    """The runtime that knows the runs of this machine's processes; None if another orchestrator was asked for."""
    is_there_meant: bool
    """Whether flags or settings choose the durable orchestrator. If not, it is asked as well, but may be away."""
    _there: "Pipelex | None" = None
    notes: list[str] = field(default_factory=list[str])
    """Notes for people about places that could not be asked."""
    if_interrupted: str | None = None
    """The message about the run to print if an interruption ends the command."""

    @classmethod
    def of(cls, ctx: typer.Context, server: str | None) -> "RunPlaces":
        """The places that the options and the settings choose."""
        chosen: str | None = ctx.meta.get(ORCHESTRATOR_KEY)
        if server is not None or chosen not in (None, IN_PROCESS):
            return cls(ctx, server, None, is_there_meant=True)
        here = open_app(ctx, orchestrator=IN_PROCESS)
        return cls(ctx, server, here, chosen is None and chosen_name(here.settings) != IN_PROCESS)

    @property
    def has_there(self) -> bool:
        """Whether a durable orchestrator may also have runs."""
        return self.ctx.meta.get(ORCHESTRATOR_KEY) != IN_PROCESS

    @property
    def there(self) -> "Pipelex":
        """The runtime that knows durable runs."""
        if self._there is None:
            chosen = self.ctx.meta.get(ORCHESTRATOR_KEY)
            self._there = open_app(self.ctx, server=self.server, orchestrator=chosen, durable=True, connects=True)
        return self._there

    def follows(self, app: "Pipelex", run_id: str) -> None:
        """Note the run that the command waits for, so that a message can say what an interruption does to it."""
        self.if_interrupted = (
            f"Run {run_id} continues. Follow it with: pipelex runs watch {run_id}"
            if app.orchestrator.is_durable
            else f"Run {run_id} was cancelled. Continue without paying twice: pipelex runs retry {run_id}"
        )

    def asks(self, app: "Pipelex", run_id: str) -> None:
        """Note the run that is about to be started: until the engine has answered, nobody knows whether it is there."""
        self.follows(app, run_id)
        if app.orchestrator.is_durable:
            self.if_interrupted = f"Run {run_id} may have been started. See: pipelex runs show {run_id}"

    # --- asking -------------------------------------------------------------------------------------------------------

    async def attach(self, given: str) -> "tuple[Pipelex, RunHandle]":
        """The run that has an id, or whose id begins so, and the runtime that knows it.

        Raises:
            PipelexError: there is no such run, or there are several.
        """
        from pipelex.runner.finding import beginning_with, only_one

        candidates: list[RunDescription] = []
        not_here: PipelexError | None = None
        if self.here is not None:
            try:
                return self.here, await _exactly(self.here, given)
            except PipelexError as missing:
                if missing.code != _NOT_FOUND:
                    raise
                candidates = await beginning_with(self.here.orchestrator, given)
                if not self.has_there and not candidates:
                    raise
                not_here = missing
        if self.here is not None and candidates and not self.is_there_meant:
            return self.here, await _exactly(self.here, only_one(given, candidates).run_id)
        try:
            return await self._attached_there(given, candidates)
        except PipelexError as wrong:
            raise _nowhere(not_here, wrong, is_there_meant=self.is_there_meant) from None

    async def _attached_there(self, given: str, candidates: list[RunDescription]) -> "tuple[Pipelex, RunHandle]":
        from pipelex.runner.finding import beginning_with, only_one

        try:
            return self.there, await _exactly(self.there, given)
        except EngineUnavailable:
            if not candidates:
                raise
            others: list[RunDescription] = []
        except PipelexError as missing:
            if missing.code != _NOT_FOUND:
                raise
            others = await beginning_with(self.there.orchestrator, given)
            if not others and not candidates:
                raise
        meant = only_one(given, [*candidates, *others])
        place = self.here if self.here is not None and meant in candidates else self.there
        return place, await _exactly(place, meant.run_id)

    async def list(self, wanted: RunFilter) -> "list[tuple[Pipelex, RunDescription]]":
        """The newest runs that the filter takes, from all places, each with the runtime that knows it.

        Raises:
            PipelexError: a place that flags or settings choose does not answer.
        """
        found: list[tuple[Pipelex, RunDescription]] = []
        if self.here is not None:
            found += [(self.here, run) for run in await self.here.orchestrator.list(wanted)]
        if self.has_there:
            try:
                found += [(self.there, run) for run in await self.there.orchestrator.list(wanted)]
            except PipelexError as failed:
                is_misuse = failed.report.facts.domain == "input" and not found
                if self.is_there_meant or is_misuse:
                    raise
                self.notes.append(f"Only runs of this machine's processes are listed: {failed.report.detail}")
        return sorted(found, key=lambda each: each[1].started, reverse=True)[: wanted.limit]

    async def aclose(self) -> None:
        """Close the connections."""
        for app in (self.here, self._there):
            if app is not None:
                await app.aclose()


def _nowhere(not_here: PipelexError | None, wrong: PipelexError, *, is_there_meant: bool) -> PipelexError:
    """The failure to find a durable run, extended by what the search on this machine found.

    Args:
        not_here: the failure to find the run in the records of this machine; None if these were not asked.
        wrong: the failure of the durable orchestrator.
        is_there_meant: whether flags or settings choose the durable orchestrator.
    """
    if not_here is None:
        return wrong
    if wrong.code == _NOT_FOUND:
        return wrong.with_report(detail=f"{wrong.report.detail}, and none in those of this machine's processes")
    if not isinstance(wrong, EngineUnavailable):
        return wrong
    if is_there_meant:
        return wrong.with_report(detail=f"{wrong.report.detail}; {not_here.report.detail}")
    # While the server is away, nobody knows whether there is such a durable run, so the message must not deny it.
    said = wrong if wrong.code == "runtime.unavailable" else not_here
    detail = f"{not_here.report.detail}; durable runs cannot be looked up: {wrong.report.detail}"
    return said.with_report(detail=detail, advice=f"{not_here.report.what_to_do} For durable ones: `pipelex dev`.")


async def _exactly(app: "Pipelex", run_id: str) -> "RunHandle":
    from pipelex.runner import RunHandle

    run = await app.orchestrator.attach(run_id)
    return RunHandle(app.orchestrator, run, (await run.describe()).pipe)


def with_places(ctx: typer.Context, server: str | None, work: Callable[[RunPlaces], Awaitable[T]]) -> T:
    """Do some work with runs. SIGINT ends the work, and leaves durable runs alone."""
    places = RunPlaces.of(ctx, server)

    async def run() -> T:
        try:
            return await interruptible(_awaited(work(places)))
        finally:
            await places.aclose()

    try:
        return asyncio.run(run())
    except Interrupted as interrupted:
        words = "" if places.if_interrupted is None else f" {places.if_interrupted}"
        notice(f"Interrupted.{words}", is_json=bool(ctx.meta.get(JSON_KEY)))
        raise typer.Exit(interrupted.exit_code) from None


def with_run(ctx: typer.Context, server: str | None, run_id: str, work: "Callable[[RunHandle], Awaitable[T]]") -> T:
    """Do some work with one run."""

    async def attached(places: RunPlaces) -> T:
        _, handle = await places.attach(run_id)
        return await work(handle)

    return with_places(ctx, server, attached)


async def _awaited(work: Awaitable[T]) -> T:
    return await work
