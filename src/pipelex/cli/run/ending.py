"""The end of a run on the terminal and on disk, for a result and for a failure."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import typer

from pipelex.cli._shared.console import duration, json_text, out, paint_err, paint_out, say, say_whole, since
from pipelex.cli._shared.failures import RunFailed
from pipelex.cli._shared.results import bare_json, cost_table, failures_text, print_json, print_result, rendered
from pipelex.cli._shared.usage import cost_text, usage_json
from pipelex.cli.run.corrected import with_inputs_of
from pipelex.cli.run.failed_files import FailedRun, write_failed_files
from pipelex.cli.run.files import FilesToWrite, RunPage, WrittenRun, memory_json, write_files
from pipelex.cli.run.flags import RunFlags
from pipelex.cli.run.saved import saved_lines
from pipelex.errors import PipelexError
from pipelex.errors.json import Json
from pipelex.exits import ExitCode
from pipelex.pipes.usage import usages_from_json

if TYPE_CHECKING:
    from pipelex.orchestration import RunDescription
    from pipelex.pipes.models import ModelUsage
    from pipelex.pipes.trace import PipeTrace
    from pipelex.runner import Method, Pipelex, RunHandle, RunResult

_MOST_READ: Final = 300
"""The most pipes that a durable run may have for its page to be written at its end; `runs open` shows larger runs."""


@dataclass(frozen=True)
class Ended:
    """A run that has ended, with what its orchestrator still reports about it."""

    handle: "RunHandle"
    result: "RunResult | None" = None
    failed: PipelexError | None = None
    run: "RunDescription | None" = None
    trace: "PipeTrace | None" = None
    """The trace of the run, if the run failed or leaves a page; else None."""

    @classmethod
    async def of(
        cls,
        handle: "RunHandle",
        *,
        result: "RunResult | None" = None,
        failed: PipelexError | None = None,
        wants_page: bool = True,
    ) -> "Ended":
        """Ask the orchestrator for the facts to show at the end; facts that it cannot provide are left out.

        Args:
            handle: the run.
            result: its result, if it succeeded.
            failed: its failure, if it failed.
            wants_page: whether a page of the run is to be written.
        """
        run: RunDescription | None = None
        trace: PipeTrace | None = None
        try:
            run = await handle.describe()
            if failed is not None or (wants_page and await _is_small(handle)):
                trace = await handle.trace(values=True)
        except PipelexError:  # the engine went away, but the result or the failure is known
            pass
        return cls(handle, result, failed, run, trace)


async def _is_small(handle: "RunHandle") -> bool:
    """Whether a run's trace can be read without a noticeable delay; a durable run has a history to fetch per pipe."""
    if not handle.orchestrator.is_durable:
        return True
    counts = await handle.run.counts()
    return counts is not None and counts.running + counts.completed + counts.failed <= _MOST_READ


def finish(app: "Pipelex", method: "Method", ended: Ended, flags: RunFlags, args: Sequence[str]) -> None:
    """Show and write the result of a run, or its failure.

    Args:
        app: the runtime.
        method: the method that ran.
        ended: the run.
        flags: the options of the command.
        args: the command as it was typed.

    Raises:
        RunFailed: the run failed; it prints the lines that follow the failure.
        typer.Exit: items were left out.
    """
    if ended.failed is not None:
        if ended.run is None or not ended.run.state.has_ended:  # no worker takes it up, or the engine went away
            raise RunFailed(ended.failed, ended.handle.run_id)
        raise _failure(app, method, ended, ended.failed, flags, args)
    assert ended.result is not None
    result = ended.result
    if not flags.json and not flags.no_pretty_print:
        print_result(result, method.library)
    written = write_files(app, result, method.loaded, files_wanted(app, flags), _page(app, ended))
    if flags.json:
        print_json(_envelope(method, result, written) if flags.with_memory else bare_json(result.value))
    else:
        took = "" if ended.run is None else f" in {duration(since(ended.run.started, ended.run.ended))}"
        say(f"{paint_err()('✓', 'green', 'bold')} {result.pipe} completed successfully{took}")
        for line in _facts(ended, result.usage, written):
            say(line)
    _print_costs(app, result.usage, flags)
    if result.failures is not None:
        say(failures_text(result.failures, paint_err()))
        raise typer.Exit(ExitCode.FAILED)


def _page(app: "Pipelex", ended: Ended) -> RunPage | None:
    """The content of the page of a successful run; None if its trace is not known."""
    from pipelex.tooling.viewer import RunFacts

    if ended.trace is None:
        return None
    link = None if ended.run is None else ended.run.link
    links = () if link is None else (("In the UI", link),)
    return RunPage(ended.trace, RunFacts(ended.handle.run_id, app.orchestrator_name, links=links))


def files_wanted(app: "Pipelex", flags: RunFlags) -> FilesToWrite:
    """The files that a run is to leave, by the options and the settings."""
    execution = app.settings.interpreter.pipeline_execution
    return FilesToWrite(
        flags.output_dir,
        flags.save_main_stuff,
        flags.save_working_memory,
        flags.working_memory_path,
        flags.save_csv,
        execution.is_generate_usage,
        execution.is_generate_graph if flags.graph is None else flags.graph,
    )


def _facts(ended: Ended, usage: "Sequence[ModelUsage]", written: WrittenRun | None) -> list[str]:
    """The run's id and cost, where its files are, and its page."""
    folder = None if written is None else written.folder
    cost = f", cost {cost_text(usage)}" if usage else ""
    lines = [f"  Run: {ended.handle.run_id}{cost}"]
    if folder is not None:
        lines.append(f"  Output: {folder}/")
    if written is not None:
        lines += saved_lines(written.saved)
    if folder is not None and (folder / "run.html").exists():
        lines.append(f"  Page: {folder / 'run.html'}")
    if ended.run is not None and ended.run.link is not None:
        lines.append(f"  In the UI: {ended.run.link}")
    elif ended.run is not None and ended.run.unlinked:
        lines.append(f"  In the UI: not known; {ended.run.unlinked}")
    return lines


def _print_costs(app: "Pipelex", usages: "Sequence[ModelUsage]", flags: RunFlags) -> None:
    settings = app.settings.runtime
    if flags.json:
        if flags.costs:
            say_whole(json_text({"usage": usage_json(usages)}, sys.stderr))
        return
    wants_costs = settings.reporting.is_log_costs_to_console if flags.costs is None else flags.costs
    if wants_costs and usages:
        to_stdout = settings.log.table_target == "stdout"
        (out if to_stdout else say)(cost_table(usages, paint_out() if to_stdout else paint_err()))


def _envelope(method: "Method", result: "RunResult", written: WrittenRun | None) -> Json:
    library = method.library
    found: dict[str, Json] = {
        "pipeline_run_id": result.run_id,
        "main_stuff": {
            "json": bare_json(result.value),
            "markdown": rendered(result.value, library, "markdown"),
            "html": rendered(result.value, library, "html"),
        },
        "working_memory": memory_json(result.working_memory),
        "method_tree_digest": method.loaded.tree.digest,
        "usage": usage_json(result.usage),
    }
    if result.failures is not None:
        found["failures"] = result.failures.model_dump()
    if written is not None:
        found["output_file"] = str(written.folder / "main_stuff.json")
        if written.saved.names:
            found["files"] = written.saved.by_address
    return found


# --- a failure --------------------------------------------------------------------------------------------------------


def _failure(
    app: "Pipelex", method: "Method", ended: Ended, failed: PipelexError, flags: RunFlags, args: Sequence[str]
) -> RunFailed:
    """The failure of a run, once its files are written; if one cannot be written, the failure's lines say so."""
    handle, usage = ended.handle, usages_from_json(failed.report.usage)
    written, lines = None, list[str]()
    run = FailedRun(handle.run_id, handle.pipe, handle.inputs, failed.report, ended.trace, app.orchestrator_name)
    if ended.run is not None and ended.run.link is not None:
        run = run.with_link("In the UI", ended.run.link)
    try:
        written = write_failed_files(app, run, method.loaded, files_wanted(app, flags))
    except PipelexError as unwritable:
        lines.append(f"  {unwritable}")
    lines = [*_facts(ended, usage, written)[0 if usage else 1 :], *lines]
    if handle.orchestrator.is_durable:
        lines.append(f"  See where it failed:        pipelex runs show {handle.run_id}")
        lines.append(f"  Continue once it is fixed:  pipelex runs retry {handle.run_id}")
    elif written is not None:
        again = with_inputs_of(args, written.folder / "inputs.json")
        lines.append(f"  Run it again on the same inputs:  {shlex.join(['pipelex', *again])}")
        if usage and app.settings.runtime.run_records.is_enabled:
            lines.append(f"  Continue without paying twice:    pipelex runs retry {handle.run_id}")

    def tell() -> None:
        if not flags.json:
            for line in lines:
                say(line)
        _print_costs(app, usage, flags)

    return RunFailed(failed, handle.run_id, tell)
