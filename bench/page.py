"""The results of benchmarks as lines for a terminal and as the page `docs/benchmarks.md`."""

import json
import os
import platform
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Final

import psutil

from bench.calls import MOST, CallRow
from bench.startup import StartUp
from pipelex.temporal.dev_server import find_binary

RECORDED: Final = Path(__file__).with_name("recorded")
"""The folder with the reports of the soak and of the chaos runs that the page shows, one file each."""

_WIDTH: Final = 120
"""The width of our documents, in characters."""


@dataclass(frozen=True)
class Measure:
    """The cost of one side; times are in milliseconds, sizes in bytes."""

    events: int
    actions: int
    """The number of actions that Temporal Cloud bills."""
    size: int
    wall: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """One scenario."""

    name: str
    ours: Measure
    floor: Measure
    shown: int
    """The bytes of history of the shown floor, which also writes summaries, details and search attributes."""
    in_process: float
    """The wall time without Temporal, in milliseconds."""

    HEADING: ClassVar[str] = (
        f"{'':24}{'events':^22} | {'actions':^18} | {'bytes of history':^30} | {'shown floor':^18} | {'wall, ms':^26} | {'worker CPU, ms':^26} | "
        f"{'in-process':^10}\n"
        f"{'':24}{'ours  floor':^22} | {'ours floor':^18} | {'ours      floor':^30} | {'bytes':^18} | {'ours     floor':^26} | {'ours     floor':^26} | "
        f"{'wall, ms':^10}"
    )

    @property
    def pairs(self) -> list[tuple[float, float]]:
        """Our figure and the floor's for events, actions, bytes, wall time and CPU time."""
        ours, floor = self.ours, self.floor
        return [
            (ours.events, floor.events),
            (ours.actions, floor.actions),
            (ours.size, floor.size),
            (ours.wall, floor.wall),
            (ours.cpu, floor.cpu),
        ]

    def __str__(self) -> str:
        widths = (7, 5, 11, 9, 9)
        columns = [
            f"{ours:{width},.0f} {floor:{width},.0f} {_ratio(ours, floor):>6}"
            for width, (ours, floor) in zip(widths, self.pairs, strict=True)
        ]
        columns.insert(3, f"{self.shown:11,.0f} {_ratio(self.ours.size, self.shown):>6}")
        return f"{self.name:<24}" + " | ".join([*columns, f"{self.in_process:10,.0f}"])


def _ratio(ours: float, floor: float) -> str:
    return f"{ours / floor:.2f}×" if floor else "-"


def page(rows: Sequence[Row], started: Sequence[StartUp], calls: Sequence[CallRow], *, command: str) -> str:
    """The page `docs/benchmarks.md`.

    Args:
        rows: the measurements beside the floor.
        started: the start-up times.
        calls: the measurements beside the bare client.
        command: the command that made the page.
    """
    measures = ("events", "actions", "bytes of history", "bytes, shown floor", "wall, ms", "worker CPU, ms")
    lines = [
        "# Benchmarks",
        "",
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `{command}`. [Benchmarks](../bench/README.md) says what is measured, and "
        "how.",
        "",
        "Events and bytes are exact where one thing runs at a time. Where several do (parallel, batches), they depend on the load: "
        "results that come in together share a workflow task of three events, and on a busy machine a batch of 100 had 1,669 events "
        "instead of 1,639. Actions are exact as long as no call takes long enough to send heartbeats. Wall times are medians and CPU "
        "times are means; both depend on the machine.",
        "",
        *(f"- {name}: {value}" for name, value in surroundings().items()),
        "",
        "## Beside a hand-written workflow",
        "",
        "Each cell has Pipelex's figure, that of the *floor* (a workflow written by hand that makes the same calls), and "
        "their ratio. The *shown floor* also writes summaries, details and search attributes, as Pipelex always does. The "
        "last column is the wall time of the same method in-process.",
        "",
        "| scenario | " + " | ".join(measures) + " | in-process, ms |",
        "|---|" + "---:|" * (len(measures) + 1),
    ]
    for row in rows:
        cells = [f"{ours:,.0f} / {floor:,.0f} / {_ratio(ours, floor)}" for ours, floor in row.pairs]
        cells.insert(3, f"{row.shown:,.0f} / {_ratio(row.ours.size, row.shown)}")
        lines.append(f"| {row.name} | " + " | ".join(cells) + f" | {row.in_process:,.0f} |")
    lines += [
        "",
        "## Beside the bare client",
        "",
        f"CPU time of an in-process run, and of OpenAI's own client making the same calls. A run may take at most {MOST} "
        "times as much.",
        "",
        "| scenario | in-process, ms | bare client, ms | ratio |",
        "|---|---:|---:|---:|",
        *(f"| {each.name} | {each.ours:,.1f} | {each.bare:,.1f} | {each.ratio:.2f}× |" for each in calls),
        "",
        "## Start-up",
        "",
        "A run makes one call, which is answered at once. For the durable run, the row is about the command; its worker is "
        "already warm. CPU times are the best ones.",
        "",
        "| command | best, ms | median, ms | CPU, ms | memory, MB |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {each.name} | {each.best:,.0f} | {each.median:,.0f} | {'-' if each.cpu is None else f'{each.cpu:,.0f}'} "
            f"| {each.megabytes:,.0f} |"
            for each in started
        ),
        "",
        *_recorded_lines(),
    ]
    return wrapped(lines)


def recorded(report: dict[str, Any], *, command: str) -> str:
    """A report as the text of a file in `bench/recorded`, with the command, the date and the surroundings.

    Args:
        report: the report, with a `title`, the results in words as `what`, and the `verdicts`, each of which has
            `what`, `found`, `bound` and `holds`.
        command: the command that made the report.
    """
    made = {"command": command, "date": f"{datetime.now(UTC):%Y-%m-%d}", "surroundings": surroundings()}
    return json.dumps(made | report, indent=2, ensure_ascii=False) + "\n"


def wrapped(lines: Iterable[str]) -> str:
    """Lines of Markdown as one text. Each line of prose is a paragraph, and is wrapped; tables and headings are not."""
    return "\n".join(
        line
        if line.startswith(("|", "#"))
        else textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


def _recorded_lines() -> Iterator[str]:
    """The verdicts of the long benchmarks, which are run separately."""
    for file in sorted(RECORDED.glob("*.json")):
        report = json.loads(file.read_text(encoding="utf-8"))
        yield f"## {report['title']}"
        yield ""
        yield f"`{report['command']}` on {report['date']}: {report['what']}"
        yield ""
        yield from ("| | found | bound | |", "|---|---:|---:|---|")
        for verdict in report["verdicts"]:
            holds = "holds" if verdict["holds"] else "**broken**"
            yield f"| {verdict['what']} | {verdict['found']} | {verdict['bound']} | {holds} |"
        yield ""


def surroundings() -> dict[str, str]:
    """The machine, the system and the versions."""
    server = subprocess.run([str(find_binary()), "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Server ([\d.]+)", server)
    return {
        "machine": f"{os.cpu_count()} cores, {_processor()}, {psutil.virtual_memory().total / 2**30:.0f} GiB of memory",
        "system": f"{platform.system()} {platform.release()}, Python {sys.version.split()[0]}",
        "versions": f"pipelex {version('pipelex')}, temporalio {version('temporalio')}, "
        f"Temporal server {found[1] if found else server.strip() or 'unknown'}",
    }


def _processor() -> str:
    """The processor's model, as far as the system reports it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
