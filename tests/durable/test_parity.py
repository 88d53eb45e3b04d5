"""The parity cases through `durable` over an engine in memory: the seam between a run and its engine is real.

Every case gives what the in-process orchestrator gives, and each workflow's history replays to the same commands. Each
case runs in two of the ways. A third of the cases also run in the others; with `--matrix all`, all of them do.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from pipelex.durable.dispatch import Dispatcher
from pipelex.durable.limits import EngineLimits
from pipelex.inference import EffectPerformer, performers
from pipelex.runner import Pipelex
from pipelex.temporal.config import parse_temporal_config
from tests.durable.memory_engine import LIMITS, MemoryEngine
from tests.durable.memory_orchestrator import MemoryOrchestrator
from tests.support.parity_cases import Case, Seen, check, check_agreement, load_cases, run_case, stub_of
from tests.support.project import write_project


@dataclass(frozen=True)
class Way:
    """A way to run a method on an engine in memory."""

    name: str
    child_workflows: Literal["every_pipe", "controllers"] = "every_pipe"
    has_store: bool = True
    is_identity_known: bool = True
    limits: EngineLimits = LIMITS
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    """Members of the run's options."""


WAYS = (
    Way("every pipe a workflow"),
    Way("leaves inline", child_workflows="controllers", has_store=False, is_identity_known=False),
    Way("slices", options={"slice_size": 2}),
    Way("slices of slices, each going on", limits=replace(LIMITS, slices=2, held_bytes=1), options={"slice_size": 2}),
    Way("slices without a store", has_store=False, limits=replace(LIMITS, held_bytes=1), options={"slice_size": 1}),
)


def engine_of(app: Pipelex, way: Way) -> MemoryEngine:
    routing = parse_temporal_config(app.settings).routing
    dispatcher = Dispatcher(routing, app.inference, "memory", has_store=way.has_store)
    return MemoryEngine(
        dispatcher,
        EffectPerformer(lambda: performers(app.inference)),
        limits=way.limits,
        child_workflows=way.child_workflows,
        is_identity_known=way.is_identity_known,
    )


def few(index: int) -> tuple[Way, ...]:
    """Two ways for a case: the first one, and one of the others in turn."""
    return WAYS[0], WAYS[1 + index % (len(WAYS) - 1)]


CASES = load_cases()
FEW = [pytest.param(case, few(index), id=case.name) for index, case in enumerate(CASES)]
REST = [
    pytest.param(case, tuple(way for way in WAYS if way not in few(index)), id=case.name)
    for index, case in enumerate(CASES)
]


@pytest.mark.matrix(fast=8)
@pytest.mark.parametrize(("case", "ways"), FEW)
async def test_an_engine_in_memory_agrees(case: Case, ways: tuple[Way, ...], tmp_path: Path) -> None:
    await agree(case, ways, tmp_path)


@pytest.mark.slow
@pytest.mark.matrix(each=3)
@pytest.mark.parametrize(("case", "ways"), REST)
async def test_it_agrees_in_every_way(case: Case, ways: tuple[Way, ...], tmp_path: Path) -> None:
    await agree(case, ways, tmp_path)


async def agree(case: Case, ways: tuple[Way, ...], tmp_path: Path) -> None:
    """Run a case in this process and in the given ways, by one app: only its orchestrator differs."""
    seen: dict[str, Seen] = {}
    with stub_of(case) as stub:
        project = write_project(tmp_path, stub=stub.url)
        async with project.app("direct", overrides=case.data.get("settings")) as app:
            seen["direct"] = await run_case(case, app, project, stub)
            await app.orchestrator.aclose()
            for way in ways:
                stub.start_over()
                engine = engine_of(app, way)
                vars(app)["orchestrator"] = MemoryOrchestrator(engine, way.options)
                seen[way.name] = await run_case(case, app, project, stub)
                check(case, seen[way.name])
                for each in engine.runs:
                    await engine.replay(each)
                await app.orchestrator.aclose()
    check_agreement(case, seen)
