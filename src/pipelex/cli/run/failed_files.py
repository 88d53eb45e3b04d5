"""The files that a run leaves when it fails: its inputs, its trace, its usage and its failure."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.cli._shared.usage import trace_usage_json, usage_json
from pipelex.cli.run.files import (
    FilesToWrite,
    RunPage,
    WrittenRun,
    new_folder,
    tree_json,
    write_json,
    write_run_page,
    writing,
)
from pipelex.content.stuff import Json, Stuff
from pipelex.errors import ErrorReport
from pipelex.pipes.trace import pipes_of
from pipelex.pipes.usage import usages_from_json
from pipelex.tooling.pages import FILES

if TYPE_CHECKING:
    from pipelex.library import LoadedLibrary
    from pipelex.pipes.trace import PipeTrace
    from pipelex.runner import Pipelex
    from pipelex.storage import SavedFiles


@dataclass(frozen=True)
class FailedRun:
    """A run that failed."""

    run_id: str
    pipe: str
    inputs: Mapping[str, Stuff]
    report: ErrorReport
    trace: "PipeTrace | None"
    """The trace of the run, as far as it is known."""
    orchestrator: str
    links: Sequence[tuple[str, str]] = ()

    def with_link(self, label: str, href: str) -> "FailedRun":
        """The run with one more link to a page about it."""
        return replace(self, links=(*self.links, (label, href)))


def write_failed_files(
    app: "Pipelex", run: FailedRun, loaded: "LoadedLibrary", wanted: FilesToWrite
) -> WrittenRun | None:
    """Write what a failed run leaves behind.

    Args:
        app: the runtime, which knows where files are stored.
        run: the run.
        loaded: the method.
        wanted: the files that the run is to leave.

    Returns:
        The run's own folder with what is in it; None when no files are wanted.

    Raises:
        PipelexError: a file cannot be written.
    """
    if not wanted.main_stuff and not wanted.working_memory:
        return None
    with writing():
        folder = new_folder(wanted.output_dir, f"{run.pipe.rpartition('.')[2]}_output")
        write_json(folder / "inputs.json", {name: _given(stuff) for name, stuff in run.inputs.items()})
        write_json(folder / "problem.json", run.report.to_problem(run.run_id))
        write_json(folder / "method_tree.json", tree_json(loaded))
        if wanted.usage:
            write_json(folder / "usage.json", _usage_of(run))
        made = [] if run.trace is None else _made_in(run.trace)
        saved = asyncio.run(app.save_files(*made, folder=folder / FILES))
        if run.trace is not None:
            if paid := _paid_for(run.trace):
                write_json(folder / "paid_for.json", saved.with_paths(paid))
            if wanted.graph:
                _draw(folder, run, run.trace, loaded, saved)
    return WrittenRun(folder, saved)


def _made_in(trace: "PipeTrace") -> list[Json]:
    """The outputs of the pipes that performed effects; controllers only pass such outputs on."""
    return [each.output.content for each in pipes_of(trace) if isinstance(each.output, Stuff) and each.effects]


def _given(stuff: Stuff) -> Json:
    """An input in the form of an inputs file."""
    return {"concept": stuff.concept, "content": stuff.items if stuff.is_list else stuff.content}


def _usage_of(run: FailedRun) -> Json:
    """The usage by pipe if the trace is known. The sums come from the report, which also counts failed attempts."""
    sums = {"id": run.run_id, "pipe": run.pipe, **usage_json(usages_from_json(run.report.usage))}
    return sums if run.trace is None else {**trace_usage_json(run.trace), **sums}


def _draw(folder: Path, run: FailedRun, trace: "PipeTrace", loaded: "LoadedLibrary", saved: "SavedFiles") -> None:
    from pipelex.tooling.viewer import RunFacts

    library = loaded.library
    if library is not None and run.pipe in library.pipes:
        trace.pipe = run.pipe
        _complete(trace, "/".join((trace.id, *run.report.location.path)), run.report)
        facts = RunFacts(run.run_id, run.orchestrator, error=run.report, links=run.links)
        write_run_page(folder, RunPage(trace, facts), library, saved)


def _complete(trace: "PipeTrace", failed: str, report: ErrorReport) -> None:
    """Add the report to the failed pipe if the engine's history left it out."""
    for each in pipes_of(trace):
        if each.id == failed and each.error is None:
            each.error = report


def _paid_for(trace: "PipeTrace") -> list[Json]:
    """The results of pipes that called a model, in the order in which they began.

    There are none if the trace holds no values.
    """
    return [
        {"id": each.id, "pipe": each.pipe, "value": each.output.to_json()}
        for each in pipes_of(trace)
        if each.output is not None and any(effect.usage for effect in each.effects)
    ]
