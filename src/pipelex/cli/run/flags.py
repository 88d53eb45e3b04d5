"""The options that every form of `pipelex run` takes, declared once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelex.cli._shared.attributes import AttributeOption, TagOption
from pipelex.cli._shared.session import JsonFlag, ServerOption


@dataclass(frozen=True)
class RunFlags:
    """The options of every form of `pipelex run`."""

    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--inputs", "-i", metavar="NAME=VALUE|FILE",
            help="An input: name=value, or name=@file. Or all of them: a JSON, TOML, YAML or CSV file, inline JSON, or - "
            "for standard input. Repeatable.",
        ),
    ] = None  # fmt: skip
    inputs_csv: Annotated[
        Path | None,
        typer.Option(
            "--inputs-csv", metavar="FILE", help="Run once for each row of a CSV file, whose columns are inputs."
        ),
    ] = None
    json: JsonFlag = False
    with_memory: Annotated[
        bool, typer.Option("--with-memory", help="With --json: the working memory and renderings, too.")
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Mock every model call and other effect.")] = False
    mock_inputs: Annotated[bool, typer.Option("--mock-inputs", help="With --dry-run: make the inputs up.")] = False
    dynamic_output_concept: Annotated[
        str | None,
        typer.Option("--dynamic-output-concept", "-O", metavar="CONCEPT", help="The concept of a Dynamic output."),
    ] = None
    on_item_failure: Annotated[
        Literal["fail", "collect"],
        typer.Option(
            "--on-item-failure", help="Whether a failing item or row fails the whole run, or is left out and reported."
        ),
    ] = "fail"
    local: Annotated[
        bool | None,
        typer.Option("--local/--durable", help="Run in this process, or durably; as configured by default."),
    ] = None
    orchestrator: Annotated[
        str | None,
        typer.Option(
            "--orchestrator", metavar="NAME", help="The orchestrator to run on: direct, temporal, or another."
        ),
    ] = None
    server: ServerOption = None
    run_id: Annotated[
        str | None,
        typer.Option("--run-id", metavar="ID", help="The run's id. An id in use attaches to its run."),
    ] = None
    attribute: AttributeOption = None
    tag: TagOption = None
    detach: Annotated[bool, typer.Option("--detach", help="On Temporal: start the run, print its id and exit.")] = False
    cancel_on_interrupt: Annotated[
        bool, typer.Option("--cancel-on-interrupt", help="On Temporal: Ctrl-C cancels the run instead of detaching.")
    ] = False
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="On Temporal: --wait also waits for a server that is missing or refuses; --no-wait stops if no worker "
            "polls the queue. Without either, a run waits for workers, but not for a server.",
            show_default=False,
        ),
    ] = None
    output_dir: Annotated[
        Path,
        typer.Option("--output-dir", "-o", metavar="DIR", help="The folder below which each run gets its own folder."),
    ] = Path("results")
    save_main_stuff: Annotated[
        bool, typer.Option("--save-main-stuff/--no-save-main-stuff", help="Write main_stuff.json, .md and .html.")
    ] = True
    save_working_memory: Annotated[
        bool, typer.Option("--save-working-memory/--no-save-working-memory", help="Write working_memory.json.")
    ] = True
    working_memory_path: Annotated[
        Path | None,
        typer.Option("--working-memory-path", metavar="FILE", help="Another place for working_memory.json."),
    ] = None
    graph: Annotated[
        bool | None, typer.Option("--graph/--no-graph", help="Write graphspec.json and the method's drawing.")
    ] = None
    save_csv: Annotated[
        Path | None,
        typer.Option(
            "--save-csv",
            metavar="FILE",
            help="Write a flat list result as CSV; with --inputs-csv, the rows and their results.",
        ),
    ] = None
    no_pretty_print: Annotated[bool, typer.Option("--no-pretty-print", help="Do not print the result.")] = False
    costs: Annotated[
        bool | None,
        typer.Option(
            "--costs/--no-costs", help="Print the calls, tokens and cost of each model; with --json, on standard error."
        ),
    ] = None
