"""The engine in memory is an orchestrator like the others: it has what the port has, and means by it what they mean."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelex.direct._orchestrator import DirectOrchestrator
from pipelex.errors import PipelexError
from pipelex.mistral_workflows.orchestrator import MistralOrchestrator
from pipelex.orchestration import OrchestratedRun, Orchestrator, RunFilter, RunRequest, RunState
from pipelex.pipes.calls import PipeCall, RunIdentity, RunOptions
from pipelex.temporal.client.orchestrator import TemporalOrchestrator
from tests.durable.memory_orchestrator import MemoryOrchestrator, MemoryRun
from tests.durable.test_parity import WAYS, engine_of
from tests.support.methods import DESCRIBE_ALL
from tests.support.openai_server import OpenAIStub
from tests.support.project import Project, write_project


def members(protocol: type[Any]) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize(
    "orchestrator", [DirectOrchestrator, TemporalOrchestrator, MistralOrchestrator, MemoryOrchestrator]
)
def test_every_orchestrator_has_what_the_port_has(orchestrator: type[Any]) -> None:
    assert not {name for name in members(Orchestrator) if not hasattr(orchestrator, name)}
    assert not {name for name in members(OrchestratedRun) if not hasattr(MemoryRun, name)}


async def test_a_run_in_memory(tmp_path: Path) -> None:
    with OpenAIStub() as stub:
        stub.on(matches="Describe", text="sea")
        await _lived(write_project(tmp_path, stub=stub.url))


async def _lived(project: Project) -> None:
    async with project.app("direct") as app:
        method = app.load(project.method(DESCRIBE_ALL))
        pipe = method.pipe().ref
        call = PipeCall(pipe=pipe, inputs=method.read_inputs({"words": ["a", "b"]}, pipe))
        orchestrator = MemoryOrchestrator(engine_of(app, WAYS[0]), {})
        await orchestrator.connect()
        await orchestrator.check_workers(timedelta())
        request = RunRequest(method.library, call, RunIdentity(run_id="one"), RunOptions())
        run = (await orchestrator.start(request)).run
        assert (await run.describe()).state is RunState.RUNNING
        assert (await run.result()).stuff is not None
        assert await (await orchestrator.attach("one")).ended(timedelta(seconds=1)) is RunState.COMPLETED
        assert [each.pipe for each in await orchestrator.list(RunFilter(state=RunState.COMPLETED))] == [pipe]
        with pytest.raises(PipelexError, match="ended already"):
            await run.cancel()
        with pytest.raises(PipelexError, match="no run 'two'"):
            await orchestrator.attach("two")
        await orchestrator.aclose()
