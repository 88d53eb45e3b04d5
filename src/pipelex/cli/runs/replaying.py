"""`pipelex runs replay`: runs a run again with an edit, and reuses the results that the edit does not affect."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import Paint, out, paint_err, paint_out, say, tell_out
from pipelex.cli._shared.failures import RunFailed
from pipelex.cli._shared.group import Misuse
from pipelex.cli._shared.progress import progress
from pipelex.cli._shared.results import bare_json, cost_table, end_with_failures, print_json, print_result
from pipelex.cli._shared.usage import usage_json
from pipelex.cli.runs.flags import ReplayFlags
from pipelex.cli.runs.places import RunPlaces, with_places
from pipelex.cli.runs.results import say_files
from pipelex.errors import Json, PipelexError
from pipelex.exits import ExitCode

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunHandle, RunResult
    from pipelex.runner.replays import Forecast, Replay, ReplayEdit

_MOST_NAMED = 8
"""The most pipes that a line names."""


def replay_run(ctx: typer.Context, run_id: str, flags: ReplayFlags) -> None:
    """Say what a replay will reuse and what it will pay for, then run it.

    Raises:
        RunFailed: the replay failed.
        PipelexError: there is no such run, it cannot be replayed, or the edit does not fit.
    """
    if flags.dry_run and flags.detach:
        raise Misuse("--dry-run starts nothing that --detach could leave: give one of them")
    members = dict(map(_member, flags.members or ()))
    if flags.bundle is not None and not flags.bundle.exists():
        raise Misuse(f"--bundle {flags.bundle}: there is no file or folder of that name")

    async def prepare(places: RunPlaces) -> "RunResult | None":
        from pipelex.runner.replays import ReplayEdit

        app, handle = await places.attach(run_id)
        replay = await _prepared(
            ctx, app, handle, ReplayEdit(flags.start_over, members, flags.bundle, {}, flags.model), flags
        )
        _tell(replay, flags)
        if flags.dry_run:
            return None
        if not flags.yes and not flags.json:
            _ask(replay.forecast)
        places.asks(app, replay.run_id)
        return await _run(places, app, replay, flags)

    result = with_places(ctx, flags.server, prepare)
    if result is None:
        return
    if flags.json:
        print_json(
            {"pipeline_run_id": result.run_id, "output": bare_json(result.value), "usage": usage_json(result.usage)}
        )
    else:
        print_result(result, None)
        say_files(result)
        say(f"Run {result.run_id}; compare it with: pipelex runs diff {run_id} {result.run_id}")
        say(cost_table(result.usage, paint_err()) if result.usage else "Nothing was paid for.")
    end_with_failures(result)


async def _run(places: RunPlaces, app: "Pipelex", replay: "Replay", flags: ReplayFlags) -> "RunResult | None":
    from pipelex.cli.runs.attached import follow

    try:
        with progress(f"{replay.request.call.pipe} ({replay.run_id})", is_silent=flags.json) as shown:
            if not app.orchestrator.is_durable:
                handle = await replay.start(shown.trace)
                return await handle.result()
            handle = await replay.start()
            places.follows(app, replay.run_id)
            if flags.detach:
                _detached(handle, flags)
                return None
            return await follow(handle, shown)
    except PipelexError as failed:
        raise RunFailed(failed, replay.run_id) from failed


def _detached(handle: "RunHandle", flags: ReplayFlags) -> None:
    if flags.json:
        print_json({"pipeline_run_id": handle.run_id, "workflow_id": handle.workflow_id})
    else:
        out(handle.run_id)
        say(f"Started. Follow it with: pipelex runs watch {handle.run_id}")


# --- the edit ---------------------------------------------------------------------------------------------------------


async def _prepared(
    ctx: typer.Context, app: "Pipelex", handle: "RunHandle", edit: "ReplayEdit", flags: ReplayFlags
) -> "Replay":
    from pipelex.cli.run.corrected import corrected
    from pipelex.cli.run.inputs import constant_inputs
    from pipelex.runner.replays import prepare_replay

    if not flags.inputs:
        return await prepare_replay(app, handle.run_id, edit)
    source = await handle.run.source()
    pipe = source.library.pipe(source.call.pipe)
    with corrected(ctx, pipe, source.library):
        inputs = constant_inputs(flags.inputs, pipe, source.library)
        return await prepare_replay(app, handle.run_id, replace(edit, inputs=inputs))


def _member(given: str) -> tuple[str, Json]:
    """The key and value of `pipe.CODE.MEMBER=VALUE`. The value is JSON if it parses; `@file` means a file's text."""
    key, equals, text = given.partition("=")
    if not equals or not re.fullmatch(r"pipe(\.[^.\s]+){2,}", key):
        raise Misuse(
            f"--set {given}: write pipe.CODE.MEMBER=VALUE, such as --set 'pipe.summarize.prompt=Be brief: $text'"
        )
    if text.startswith("@"):
        try:
            return key, Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as unreadable:
            raise Misuse(f"--set {key}: '{text[1:]}' cannot be read: {unreadable}") from None
    if key.rpartition(".")[2] in ("prompt", "system_prompt", "template", "description"):
        return key, text
    try:
        return key, json.loads(text)
    except ValueError:
        return key, text


# --- what it says before it starts ------------------------------------------------------------------------------------


def _tell(replay: "Replay", flags: ReplayFlags) -> None:
    told = replay.forecast
    if not flags.json:
        show, paint = (tell_out, paint_out()) if flags.dry_run else (say, paint_err())
        for line in forecast_lines(told, paint):
            show(line)
    elif flags.dry_run:
        print_json({"replay_of": replay.of.run_id, **forecast_json(told)})
    else:
        from pipelex.cli._shared.progress import notice

        notice("; ".join(forecast_lines(told, Paint(is_on=False))), is_json=True)


def forecast_json(told: "Forecast") -> dict[str, Json]:
    """What a replay will reuse and pay for, for programs."""
    found: dict[str, Json] = {
        "reused": dict(told.reused),
        "paid": dict(told.paid),
        "performed": dict(told.performed),
        "saved_usd": told.saved,
        "expected_usd": told.expected,
        "unknown": told.unknown,
    }
    return {name: value for name, value in found.items() if value is not None}


def forecast_lines(told: "Forecast", paint: Paint) -> list[str]:
    """What a replay will reuse and pay for, for people."""
    saved = f", which cost ${told.saved:.4f}" if told.saved else ""
    lines = [f"{paint('Reuses', 'green')} {_results(told.reused, 'result')}{saved}"]
    if told.paid:
        price = "" if told.expected is None else f", about ${told.expected:.4f} by what they cost before"
        lines.append(f"{paint('Pays for', 'yellow')} {_results(told.paid, 'call', 'at most ')}{price}")
    else:
        lines.append(f"{paint('Pays for', 'yellow')} nothing")
    if told.performed:
        lines.append(f"{paint('Performs', 'yellow')} {_results(told.performed, 'effect')} without a price")
    if told.unknown is not None:
        lines.append(f"What comes after that depends on what models answer ({told.unknown})")
    return lines


def _results(counts: Mapping[str, int], noun: str, most: str = "") -> str:
    number = sum(counts.values())
    if not number:
        return f"no {noun}"
    codes = [ref.rpartition(".")[2] + (f" ×{count:,}" if count > 1 else "") for ref, count in counts.items()]
    named = ", ".join(codes[:_MOST_NAMED]) + (
        f", and {len(codes) - _MOST_NAMED} more pipes" if len(codes) > _MOST_NAMED else ""
    )
    return f"{most if number > 1 else ''}{number:,} {noun}{'' if number == 1 else 's'} ({named})"


def _ask(told: "Forecast") -> None:
    """Ask on a terminal before anything is paid for; otherwise, proceed without asking."""
    import sys

    from pipelex.cli._shared.streams import is_terminal

    if (
        told.paid
        and is_terminal(sys.stdin)
        and is_terminal(sys.stderr)
        and not typer.confirm("Start it?", err=True, default=True)
    ):
        raise typer.Exit(ExitCode.FAILED)
