"""`pipelex runs open`: the page of a run, on any orchestrator."""

import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import typer

from pipelex.cli._shared.console import out, say
from pipelex.cli._shared.results import print_json
from pipelex.cli.run.files import RunPage, check_file, page_text, writing
from pipelex.cli.run.saved import missing_lines
from pipelex.cli.runs.attached import outlook
from pipelex.cli.runs.places import RunPlaces, with_places
from pipelex.config.own_files import OWN_FOLDER, write_own_file
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import PipelexError
from pipelex.orchestration import Wait
from pipelex.pipes.trace import pipes_of

if TYPE_CHECKING:
    from pipelex.library import Library
    from pipelex.runner import Pipelex, RunHandle

_MOST_WAITS: Final = 5
"""The most waits of a running run that its page tells."""


def open_run(
    ctx: typer.Context, run_id: str, *, output: Path | None, browser: bool, server: str | None, is_json: bool
) -> None:
    """Write the page of a run, and show it in a browser or print its path.

    Raises:
        PipelexError: there is no such run, or the page cannot be written.
    """
    check_file(output, "--output")

    async def work(places: RunPlaces) -> Path:
        app, handle = await places.attach(run_id)
        page = (output or _place(app, handle.run_id)).absolute()
        shown, library = await _content(app, handle)
        with writing():
            page.parent.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
            saved = await app.save_files(*_made_by(shown), folder=page.with_name(f"{page.stem}_files"))
            _write(page, page_text(shown, library, saved))
        for line in missing_lines(saved):
            say(line)
        return page

    page = with_places(ctx, server, work)
    if is_json:
        print_json({"page": str(page)})
        return
    out(str(page))
    if browser and not webbrowser.open(page.as_uri()):
        say("No browser could be started: open the file by hand.")


async def _content(app: "Pipelex", handle: "RunHandle") -> "tuple[RunPage, Library | None]":
    """The content of the page of a run in its present state, and the method's library if it is known."""
    from pipelex.runner.replays import replays_of
    from pipelex.tooling.viewer import RunFacts, name_pipes

    described, root = await handle.describe(), await handle.trace(values=True)
    library: Library | None = None
    with suppress(PipelexError):  # without the source, the page still shows the trace
        library = (await handle.run.source()).library
    facts = RunFacts(handle.run_id, handle.orchestrator.name, replay_of=described.replay_of)
    with suppress(PipelexError):  # the orchestrator cannot list replays
        facts = replace(facts, replays=[run.run_id for run in await replays_of(app, handle.run_id)])
    if described.link is not None:
        facts = replace(facts, links=(("In the UI", described.link),))
    if not described.state.has_ended:
        facts = replace(facts, waiting=_waiting(await handle.waits()))
    else:
        try:
            facts = replace(facts, result=(await handle.run.result()).value)
        except PipelexError as failed:
            facts = replace(facts, error=failed.report)
    if library is not None:
        name_pipes(root, library)
    return RunPage(root, facts), library


def _waiting(waits: Sequence[Wait]) -> str | None:
    """What a running run waits for, one line each."""
    lines = [" ".join(filter(None, (wait.detail, wait.advice, outlook(wait)))) for wait in waits[:_MOST_WAITS]]
    return "\n".join(lines) or None


def _made_by(shown: RunPage) -> list[Json]:
    """The values that a run made, its result first."""
    outputs = (pipe.output for pipe in pipes_of(shown.trace))
    return [stuff.content for stuff in (shown.facts.result, *outputs) if isinstance(stuff, Stuff)]


def _place(app: "Pipelex", run_id: str) -> Path:
    """The file for the page of a run in the user's own folder."""
    return Path(app.settings.home_dir) / "pages" / f"{quote(run_id, safe='')[:180]}.html"


def _write(page: Path, text: str) -> None:
    """Write a page that only the user may read."""
    write_own_file(page, text.encode(), in_place=page.exists() and not page.is_file())
