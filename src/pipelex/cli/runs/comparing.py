"""`pipelex runs diff`: two runs side by side."""

import difflib
import json
from collections.abc import Iterator

import typer

from pipelex.cli._shared.console import Paint, duration, paint_out, since, table, tell_out
from pipelex.cli._shared.results import bare_json, print_json
from pipelex.cli.runs.places import RunPlaces, with_places
from pipelex.content.stuff import Absence, Stuff
from pipelex.errors import Json
from pipelex.runner.comparing import ComparedRun, PipeFigures, RunDiff, compared

_MOST_LINES = 60
"""The most lines of one difference that are printed."""


def diff_runs(ctx: typer.Context, first: str, second: str, *, server: str | None, is_json: bool) -> None:
    """Compare two runs, and print the differences."""

    async def work(places: RunPlaces) -> RunDiff:
        (_, before), (_, after) = await places.attach(first), await places.attach(second)
        return RunDiff(await compared(before.run), await compared(after.run))

    diff = with_places(ctx, server, work)
    if is_json:
        print_json(_to_json(diff))
    else:
        tell_out("\n".join(_text(diff, paint_out())))


# --- for people -------------------------------------------------------------------------------------------------------


def _text(diff: RunDiff, paint: Paint) -> Iterator[str]:
    runs = [diff.first, diff.second]
    yield from _names(diff)
    yield ""
    rows = [
        ["pipe", *(each.run.pipe for each in runs)],
        ["status", *(each.run.words for each in runs)],
        ["time", *(duration(since(each.run.started, each.run.ended)) for each in runs)],
        ["cost", *(_money(each.cost) for each in runs)],
        ["version", *((each.run.fingerprint or _version(each))[:12] or "?" for each in runs)],
    ]
    yield table([row for row in rows if any(row[1:])], ["", "first", "second"], paint)
    yield ""
    yield paint("Method", "bold")
    yield from _method(diff, paint)
    yield ""
    yield paint("Output", "bold")
    if diff.is_same_output:
        yield "  the same"
    else:
        yield from _lines(_output(diff.first), _output(diff.second), paint)
    yield ""
    rows = [
        [code, *_figures(diff.first.pipes.get(code)), *_figures(diff.second.pipes.get(code))] for code in diff.pipes
    ]
    headings = ["pipe", "runs", "time", "cost", "reused", "runs", "time", "cost", "reused"]
    yield table(rows, headings, paint, right=tuple(range(1, 9)), has_ids=True)


def _names(diff: RunDiff) -> Iterator[str]:
    """The ids of both runs, and of those that they replay; whole, so that they can be copied."""
    for name, run, other in (("first", diff.first.run, diff.second.run), ("second", diff.second.run, diff.first.run)):
        yield f"{name:<6}  {run.run_id}"
        if run.replay_of is not None:
            yield f"        replays {'the other' if run.replay_of == other.run_id else run.replay_of}"


def _version(run: ComparedRun) -> str:
    return run.versions.get(run.run.pipe_code, "")


def _method(diff: RunDiff, paint: Paint) -> Iterator[str]:
    if not diff.first.texts or not diff.second.texts:
        yield "  not told by the orchestrator"
        return
    changed = diff.changed_pipes
    if not changed:
        yield "  the same"
    for code in changed:
        for name, before, after in diff.changed_members(code):
            yield f"  {code}.{name}"
            yield from _lines(_written(before), _written(after), paint)


def _lines(before: str, after: str, paint: Paint) -> Iterator[str]:
    found = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in found[:_MOST_LINES]:
        yield f"    {paint(line, colours[line[0]]) if line[:1] in colours else line}"
    if len(found) > _MOST_LINES:
        yield f"    … {len(found) - _MOST_LINES:,} more lines"


def _written(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


def _output(run: ComparedRun) -> str:
    if run.error is not None:
        return f"failed: {run.error.detail} ({run.error.code})"
    return "" if run.value is None else _written(_plain(run.value))


def _plain(value: Stuff | Absence) -> Json:
    """A result for people: its text if it has only a text, else its content."""
    content = bare_json(value)
    if isinstance(content, dict) and content.keys() == {"text"}:
        return content["text"]
    return content


def _figures(pipe: PipeFigures | None) -> list[str]:
    if pipe is None:
        return ["–", "", "", ""]
    return [f"{pipe.runs:,}", f"{pipe.seconds:.1f} s", _money(pipe.cost), f"{pipe.reused:,}" if pipe.reused else ""]


def _money(cost: float | None) -> str:
    return "?" if cost is None else f"${cost:.4f}"


# --- for programs -----------------------------------------------------------------------------------------------------


def _to_json(diff: RunDiff) -> dict[str, Json]:
    members: dict[str, Json] = {}
    for code in diff.changed_pipes:
        members[code] = {name: {"first": a, "second": b} for name, a, b in diff.changed_members(code)}
    return {
        "first": _run_json(diff.first),
        "second": _run_json(diff.second),
        "same_output": diff.is_same_output,
        "changed_pipes": members,
        "pipes": {
            code: {"first": _pipe_json(diff.first.pipes.get(code)), "second": _pipe_json(diff.second.pipes.get(code))}
            for code in diff.pipes
        },
    }


def _run_json(run: ComparedRun) -> dict[str, Json]:
    described = run.run
    found: dict[str, Json] = {
        "pipeline_run_id": described.run_id,
        "pipe": described.pipe,
        "status": described.state,
        "created_at": described.started.isoformat(),
        "finished_at": None if described.ended is None else described.ended.isoformat(),
        "cost_usd": run.cost,
        "version": described.fingerprint or _version(run) or None,
        "replay_of": described.replay_of,
        "output": None if run.value is None else bare_json(run.value),
        "error": None if run.error is None else run.error.to_problem(described.run_id),
    }
    return {name: value for name, value in found.items() if value is not None}


def _pipe_json(pipe: PipeFigures | None) -> Json:
    if pipe is None:
        return None
    return {
        "runs": pipe.runs,
        "seconds": pipe.seconds,
        "cost_usd": pipe.cost,
        "calls": pipe.calls,
        "reused": pipe.reused,
    }
