"""A worker process of another engine: `python -m bench.engines.worker agent|graph STUB_URL READY_FILE TARGET`."""

import asyncio
import sys
from importlib import import_module
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from bench.engines.stub import set_address


async def main(module: str, stub: str, ready: Path, target: str) -> None:
    set_address(stub)
    loaded = import_module(f"bench.engines.{module}")
    client = await Client.connect(target, plugins=[loaded.plugin()])
    async with Worker(client, task_queue=module, workflows=[loaded.WORKFLOW]):
        ready.write_text("ready", encoding="utf-8")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]))
