"""`pipelex runs open`: the page of a run, on any orchestrator."""

import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import typer

from pipelex.cli._shared.console import out, say
from pipelex.cli._shared.results import print_json
from pipelex.cli.run.files import check_file, writing
from pipelex.cli.runs.places import RunPlaces, with_places
from pipelex.config.own_files import OWN_FOLDER, write_own_file
from pipelex.errors import PipelexError

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunHandle


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
        return _written(output or _place(app, handle.run_id), await page_of(handle))

    page = with_places(ctx, server, work)
    if is_json:
        print_json({"page": str(page)})
        return
    out(str(page))
    if browser and not webbrowser.open(page.as_uri()):
        say("No browser could be started: open the file by hand.")


async def page_of(handle: "RunHandle") -> str:
    """The page of a run in its present state."""
    from dataclasses import replace

    from pipelex.library import Library
    from pipelex.tooling.viewer import RunFacts, name_pipes, run_document, run_page

    described, root = await handle.describe(), await handle.trace(values=True)
    library: Library | None = None
    with suppress(PipelexError):  # without the source, the page still shows the trace
        library = (await handle.run.source()).library
    facts = RunFacts(handle.run_id, handle.orchestrator.name, replay_of=described.replay_of)
    if described.link is not None:
        facts = replace(facts, links=(("In the UI", described.link),))
    if described.state.has_ended:
        try:
            facts = replace(facts, result=(await handle.run.result()).value)
        except PipelexError as failed:
            facts = replace(facts, error=failed.report)
    if library is not None:
        name_pipes(root, library)
    return run_page(run_document(root, facts, library))


def _place(app: "Pipelex", run_id: str) -> Path:
    """The file for the page of a run in the user's own folder."""
    return Path(app.settings.home_dir) / "pages" / f"{quote(run_id, safe='')[:180]}.html"


def _written(page: Path, text: str) -> Path:
    """Write a page that only the user may read, and return its absolute path."""
    with writing():
        page.parent.mkdir(mode=OWN_FOLDER, parents=True, exist_ok=True)
        write_own_file(page, text.encode(), in_place=page.exists() and not page.is_file())
    return page.absolute()
