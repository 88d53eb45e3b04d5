"""A submitter's process: `python -m bench.chaos.submitter ROOT NAME WINDOW`, in a project's folder.

It starts the runs of `NAME.json` as the driver releases them, a window of them at a time, and records in `NAME.journal`
which it has started. It may be killed at any moment: run ids are fixed, so starting a run again attaches to it.
"""

import asyncio
import json
import sys
from pathlib import Path

from bench.chaos.runs import PlannedRun
from pipelex.errors import PipelexError
from pipelex.runner import Method, Pipelex

RELEASED = "released"
"""The file that holds the number of runs that each submitter may have started."""
PATIENCE = 100
"""How often a submitter tries to start a run, or to ask about one, while no server answers."""


async def main(root: Path, name: str, window: int) -> None:
    runs = [
        PlannedRun(run["id"], run["kind"], tuple(run["words"]))
        for run in json.loads((root / f"{name}.json").read_text(encoding="utf-8"))
    ]
    async with Pipelex(orchestrator="temporal") as app:
        method = app.load(root / "method.mthds")
        with (root / f"{name}.journal").open("a+", encoding="utf-8") as journal:
            journal.seek(0)
            waiting = iter(enumerate(runs, len(journal.read().split())))

            async def work() -> None:
                for number, run in waiting:
                    while number >= released(root / RELEASED):
                        await asyncio.sleep(0.1)
                    await submit(method, run)
                    journal.write(run.id + "\n")
                    journal.flush()
                    await ended(app, run)

            await asyncio.gather(*(work() for _ in range(window)))


def release_to(file: Path, number: int) -> None:
    """Allow every submitter to have started so many runs."""
    part = file.with_suffix(".part")
    part.write_text(str(number), encoding="utf-8")
    part.replace(file)


def released(file: Path) -> int:
    return int(file.read_text(encoding="utf-8")) if file.exists() else 0


async def submit(method: Method, run: PlannedRun) -> None:
    for attempt in range(PATIENCE):
        try:
            await method.start(run.inputs, pipe=run.kind, run_id=run.id)
            return
        except PipelexError as failed:
            await bear(failed, attempt)


async def ended(app: Pipelex, run: PlannedRun) -> None:
    """Wait until a run has ended, successfully or not; the driver judges it."""
    for attempt in range(PATIENCE):
        try:
            await (await app.attach(run.id)).result()
            return
        except PipelexError as failed:
            if failed.report.code != "runtime.unavailable":
                return
            await bear(failed, attempt)


async def bear(failed: PipelexError, attempt: int) -> None:
    """Wait a little when no server answers; raise any other failure, and the one of the last attempt."""
    if failed.report.code != "runtime.unavailable" or attempt == PATIENCE - 1:
        raise failed
    await asyncio.sleep(0.3)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
