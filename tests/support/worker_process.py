"""A worker of the working directory's project: `python -m tests.support.worker_process READY_FILE`."""

import asyncio
import sys
from pathlib import Path

from pipelex.runner import Pipelex
from tests.support.project import worker_of


async def main() -> None:
    app = Pipelex(orchestrator="temporal")
    async with worker_of(app):
        Path(sys.argv[1]).write_text("ready", encoding="utf-8")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
