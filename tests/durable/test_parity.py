"""The parity cases through `durable` over an engine in memory: the seam between a run and its engine is real.

Every case gives what the in-process orchestrator gives, and each workflow's history replays to the same commands.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from pipelex.runner._settings import options_of

from pipelex.durable.dispatch import Dispatcher
from pipelex.durable.limits import EngineLimits
from pipelex.durable.options import EngineOptions
from pipelex.inference import EffectPerformer, performers
from pipelex.runner import Method, Pipelex, RunResult
from pipelex.runner._result import result_of
from tests.durable.memory_engine import LIMITS, MemoryEngine
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
    dispatcher = Dispatcher(app.temporal_config.routing, app.inference, "memory", has_store=way.has_store)
    return MemoryEngine(
        dispatcher,
        EffectPerformer(lambda: performers(app.inference)),
        limits=way.limits,
        child_workflows=way.child_workflows,
        is_identity_known=way.is_identity_known,
    )


async def run_on(engine: MemoryEngine, way: Way, method: Method, inputs: Any, **chosen: Any) -> RunResult:
    call = await method._call(inputs, chosen["pipe"], mock=chosen["mock"], output_concept=chosen["output_concept"])
    options = options_of(
        method.app.settings,
        is_dry=chosen["dry_run"],
        full_memory=chosen["full_memory"],
        on_item_failure=chosen["on_item_failure"],
    )
    said = {name: getattr(options, name) for name in options.model_fields_set}
    identity = method._identity(None)
    outcome, memory = await engine.execute(method.library, call, identity, EngineOptions(**said, **way.options))
    return result_of(identity.run_id, call.pipe, outcome, memory, None)


@pytest.mark.parametrize("case", load_cases(), ids=lambda case: case.name)
async def test_an_engine_in_memory_agrees(case: Case, tmp_path: Path) -> None:
    seen: dict[str, Seen] = {}
    with stub_of(case) as stub:
        project = write_project(tmp_path / "direct", stub=stub.url)
        async with project.app("direct") as app:
            seen["direct"] = await run_case(case, app, project, stub)
    for way in WAYS:
        with stub_of(case) as stub:
            project = write_project(tmp_path / way.name, stub=stub.url)
            async with project.app("direct") as app:
                engine = engine_of(app, way)

                async def run(method: Method, inputs: Any, **chosen: Any) -> RunResult:
                    return await run_on(engine, way, method, inputs, **chosen)  # noqa: B023

                seen[way.name] = await run_case(case, app, project, stub, run)
        check(case, seen[way.name])
        for each in engine.runs:
            await engine.replay(each)
    check_agreement(case, seen)
