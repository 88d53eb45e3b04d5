"""A worker of one benchmark side: `python -m bench.worker ours|floor STUB_URL READY_FILE`, in a project's folder."""

import asyncio
import sys
from pathlib import Path

from pipelex.runner import Pipelex
from tests.support.project import worker_of
from tests.support.temporal import client_of


async def main(side: str, stub: str, ready: Path) -> None:
    app = Pipelex(orchestrator="temporal")
    if side == "ours":
        async with worker_of(app):
            await wait(ready)
        return
    from temporalio.worker import Worker
    from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

    from bench import floor

    floor.STUB["url"] = stub
    restrictions = SandboxRestrictions.default.with_passthrough_modules("openai", "pydantic", "pydantic_core")
    client = await client_of(app)
    async with Worker(
        client,
        task_queue="floor",
        workflows=list(floor.WORKFLOWS),
        activities=[floor.ask],
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
    ):
        await wait(ready)


async def wait(ready: Path) -> None:
    ready.write_text("ready", encoding="utf-8")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
