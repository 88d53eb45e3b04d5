"""Compares two runs: their results, their costs, the time of each pipe, and the methods that they ran."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelex.content.stuff import Absence, Json, Stuff
from pipelex.errors import ErrorReport, PipelexError
from pipelex.orchestration import OrchestratedRun, RunDescription
from pipelex.pipes.trace import PipeTrace, pipes_of
from pipelex.pipes.usage import cost_of


@dataclass(frozen=True)
class PipeFigures:
    """The totals of all runs of one pipe within a run."""

    runs: int = 0
    seconds: float = 0.0
    """Their total duration, in seconds."""
    cost: float | None = 0.0
    """The cost of the pipe's own calls, in US dollars; None if any price is not known."""
    calls: int = 0
    """The number of the pipe's own model calls."""
    reused: int = 0
    """The number of results that were reused from an earlier run."""


@dataclass(frozen=True)
class ComparedRun:
    """One of two runs that are compared."""

    run: RunDescription
    value: Stuff | Absence | None = None
    """The main result of the run; None if it has none."""
    error: ErrorReport | None = None
    cost: float | None = None
    pipes: Mapping[str, PipeFigures] = field(default_factory=dict[str, PipeFigures])
    """Code of a pipe → its figures, in the order in which the pipes began."""
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    """Code of a pipe → the fingerprint of its closure; empty if the orchestrator does not provide the method."""
    texts: Mapping[str, Mapping[str, Json]] = field(default_factory=dict[str, Mapping[str, Json]])
    """Code of a pipe → its own table, without the tables of the pipes it runs."""


@dataclass(frozen=True)
class RunDiff:
    """The differences between two runs."""

    first: ComparedRun
    second: ComparedRun

    @property
    def is_same_output(self) -> bool:
        """Whether both runs have the same main result."""
        return self.first.value == self.second.value

    @property
    def changed_pipes(self) -> list[str]:
        """The pipes whose own tables differ, and those that only one of the methods has."""
        before, after = self.first.texts, self.second.texts
        codes = dict.fromkeys([*before, *after])
        return [code for code in codes if (code in before) != (code in after) or self.changed_members(code)]

    def changed_members(self, code: str) -> list[tuple[str, Json, Json]]:
        """The members of a pipe that differ: name, before, after."""
        before, after = self.first.texts.get(code, {}), self.second.texts.get(code, {})
        names = list(dict.fromkeys([*before, *after]))
        if before and after and not (before.get("description") and after.get("description")):
            names = [name for name in names if name != "description"]  # an engine may not keep the entry pipe's
        return [(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]

    @property
    def pipes(self) -> list[str]:
        """The codes of the pipes that either run ran."""
        return list(dict.fromkeys([*self.first.pipes, *self.second.pipes]))


async def compared(run: OrchestratedRun) -> ComparedRun:
    """Read a run for a comparison.

    Raises:
        PipelexError: the orchestrator does not answer.
    """
    described, root = await run.describe(), await run.trace()
    value, error = None, None
    if described.state.has_ended:
        try:
            value = (await run.result()).value
        except PipelexError as failed:
            error = failed.report
    versions, texts = await _method(run)
    return ComparedRun(described, value, error, cost_of(root.usage), figures_of(root), versions, texts)


async def _method(run: OrchestratedRun) -> tuple[dict[str, str], dict[str, Mapping[str, Json]]]:
    try:
        library = (await run.source()).library
    except PipelexError:  # the orchestrator does not provide the method
        return {}, {}
    versions = {pipe.code: library.closure(ref).fingerprint for ref, pipe in library.pipes.items()}
    texts: dict[str, Mapping[str, Json]] = {
        pipe.code: pipe.blueprint.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        for pipe in library.pipes.values()
    }
    return versions, texts


def figures_of(root: PipeTrace) -> dict[str, PipeFigures]:
    """The figures of every pipe in a tree, by its code."""
    found: dict[str, PipeFigures] = {}
    for pipe in pipes_of(root):
        code = pipe.pipe.rpartition(".")[2] or pipe.type
        before = found.get(code, PipeFigures())
        usages = pipe.own_usage
        cost = cost_of(usages)
        found[code] = PipeFigures(
            before.runs + 1,
            before.seconds + (pipe.seconds or 0.0),
            None if cost is None or before.cost is None else before.cost + cost,
            before.calls + sum(usage.calls for usage in usages),
            before.reused + sum(effect.kept_from is not None for effect in pipe.effects),
        )
    return found
