"""The CPU time of calls in-process, compared with OpenAI's bare client: `python -m bench.calls`.

Both send the same requests to the same model server, which answers at once and runs in a process of its own. The two
sides take turns in this process, whose CPU time is compared. `MOST` is the highest ratio that is accepted.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import openai

from tests.support.methods import DESCRIBE_ALL, GREET, sequence_of
from tests.support.processes import process, wait_for_file
from tests.support.project import write_project

MOST: Final = 1.5
"""The most that our CPU time may be, as a multiple of the bare client's."""
_WINDOW: Final = 8
_KEY: Final = "test-key-0123456789"
_ANSWERS: Final = {"Hello": "Good day", "Say": "ok", "Describe": "about a word"}


@dataclass(frozen=True)
class CallScenario:
    """Questions that both sides ask."""

    name: str
    method: str
    inputs: dict[str, Any]
    prompts: Sequence[str]
    window: int
    rounds: int


_WORDS: Final = [f"word{number}" for number in range(100)]
CALL_SCENARIOS: Final = (
    CallScenario("one LLM pipe", GREET, {"name": "Ada"}, ["Hello Ada"], 1, 60),
    CallScenario("sequence of 10", sequence_of(10), {"text": "a"}, ["Say a"] * 10, 1, 20),
    CallScenario("batch of 100", DESCRIBE_ALL, {"words": _WORDS}, [f"Describe {word}." for word in _WORDS], _WINDOW, 5),
)


@dataclass(frozen=True)
class CallRow:
    """One scenario, with the CPU time of each side in milliseconds."""

    name: str
    ours: float
    bare: float

    HEADING: ClassVar[str] = f"{'CPU, ms':16}{'in-process':>12}{'bare client':>12}{'ratio':>8}"

    @property
    def ratio(self) -> float:
        """Our CPU time as a multiple of the bare client's."""
        return self.ours / self.bare

    def __str__(self) -> str:
        verdict = "" if self.ratio <= MOST else f"  above {MOST}×"
        return f"{self.name:16}{self.ours:12,.1f}{self.bare:12,.1f}{self.ratio:7.2f}×{verdict}"


@contextmanager
def model_server(folder: Path) -> Generator[str]:
    """Run the model server in a process of its own, and yield its endpoint."""
    rules = [{"contains": prompt, "replies": [{"text": text}], "cycle": True} for prompt, text in _ANSWERS.items()]
    script, port, log = folder / "rules.json", folder / "port", folder / "server.log"
    script.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    arguments = ["-m", "tests.support.openai_server", "--rules", str(script), "--port-file", str(port)]
    with process(arguments, cwd=folder, environ={}, log=log) as child:
        yield f"http://127.0.0.1:{wait_for_file(port, child, log)}/v1"


async def call_rows(scenarios: Sequence[CallScenario], rounds: int | None = None) -> AsyncGenerator[CallRow]:
    """Measure every scenario, one after the other."""
    with tempfile.TemporaryDirectory() as name, model_server(Path(name)) as url:
        project = write_project(Path(name), stub=url)
        async with project.app("direct") as app, openai.AsyncOpenAI(base_url=url, api_key=_KEY, max_retries=0) as bare:
            for scenario in scenarios:
                method = app.load(project.method(scenario.method))

                async def run_ours(method: Any = method, scenario: CallScenario = scenario) -> None:
                    await method.run(scenario.inputs)

                async def run_bare(scenario: CallScenario = scenario) -> None:
                    await ask_all(bare, scenario)

                ours, floor = await compared(run_ours, run_bare, rounds or scenario.rounds)
                yield CallRow(scenario.name, ours, floor)


async def ask_all(client: openai.AsyncOpenAI, scenario: CallScenario) -> None:
    """Ask the questions of a scenario with the bare client, `window` of them at a time."""
    waiting = iter(scenario.prompts)

    async def work() -> None:
        for prompt in waiting:
            answer = await client.chat.completions.create(
                model="stub", temperature=0.5, messages=[{"role": "user", "content": prompt}]
            )
            assert answer.choices[0].message.content

    await asyncio.gather(*(work() for _ in range(scenario.window)))


async def compared(
    ours: Callable[[], Awaitable[None]], bare: Callable[[], Awaitable[None]], rounds: int
) -> tuple[float, float]:
    """The median CPU time of a round on each side, in milliseconds; the first round is a warm-up."""
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(-1, rounds):
        for side, work in enumerate((ours, bare)):
            before = time.process_time()
            await work()
            if turn >= 0:
                spent[side].append((time.process_time() - before) * 1000)
    return statistics.median(spent[0]), statistics.median(spent[1])


async def main() -> None:
    print(CallRow.HEADING)
    async for row in call_rows(CALL_SCENARIOS):
        print(row, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)
