"""`pipelex build`."""

import json
import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelex.cli._shared.console import out, paint_out, tell_out
from pipelex.cli._shared.flags import with_flags
from pipelex.cli._shared.group import TargetGroup, command_app
from pipelex.cli._shared.session import JsonFlag
from pipelex.cli.authoring.loading import LibraryDirs, PipeOption

if TYPE_CHECKING:
    from pipelex.errors import Json
    from pipelex.temporal import MethodJob

_EXAMPLES = """\b
Examples:
  pipelex build inputs report.mthds
  pipelex build inputs bundle report.mthds --pipe sum_up --explicit
  pipelex build inputs method report -o inputs.json
  pipelex build inputs pipe sum_up --format toml --output -
  pipelex build output report.mthds --format schema
  pipelex build output bundle report.mthds --format python
  pipelex build output method report -o example.json
  pipelex build output pipe sum_up -L methods/ --output -
  pipelex build structures report.mthds -o structures/
  pipelex build job report.mthds -i inputs.json
  pipelex build job bundle report.mthds -i inputs.json --run-id monday --format command
  pipelex build job method report -i inputs.json -o job.json
  pipelex build job pipe sum_up -L methods/"""

app = command_app(no_args_is_help=True)


class InputsFormat(StrEnum):
    """The format of example inputs."""

    JSON = "json"
    TOML = "toml"


class OutputFormat(StrEnum):
    """The format of an example output."""

    JSON = "json"
    PYTHON = "python"
    SCHEMA = "schema"


class JobFormat(StrEnum):
    """The format of a job."""

    JSON = "json"
    COMMAND = "command"


OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="The file to write; - for standard output.")
]


@dataclass(frozen=True)
class InputsFlags:
    """The options of `pipelex build inputs`."""

    pipe: PipeOption = None
    output: OutputOption = None
    format: Annotated[InputsFormat, typer.Option("--format", "-f", help="The kind of file.")] = InputsFormat.JSON
    explicit: Annotated[
        bool, typer.Option("--explicit", help="Write envelopes with concept and content instead of bare values.")
    ] = False
    library_dir: LibraryDirs = None
    json: JsonFlag = False


@dataclass(frozen=True)
class OutputFlags:
    """The options of `pipelex build output`."""

    pipe: PipeOption = None
    output: OutputOption = None
    format: Annotated[OutputFormat, typer.Option("--format", "-f", help="The kind of file.")] = OutputFormat.JSON
    library_dir: LibraryDirs = None
    json: JsonFlag = False


@dataclass(frozen=True)
class JobFlags:
    """The options of `pipelex build job`."""

    pipe: PipeOption = None
    inputs: Annotated[
        list[str] | None,
        typer.Option("--inputs", "-i", metavar="INPUTS", help="The inputs, as `pipelex run` takes them; repeatable."),
    ] = None
    run_id: Annotated[str | None, typer.Option("--run-id", metavar="ID", help="The run's id, if you choose one.")] = (
        None
    )
    format: Annotated[
        JobFormat, typer.Option("--format", "-f", help="JSON, or the `temporal` command that starts it.")
    ] = JobFormat.JSON
    output: OutputOption = None
    library_dir: LibraryDirs = None
    json: JsonFlag = False


@app.callback(epilog=_EXAMPLES)
def build() -> None:
    """Make files to start from: example inputs, an example output, Python classes."""


def _build_inputs(ctx: typer.Context, kind: str, target: str, flags: InputsFlags) -> None:
    from pipelex.cli.authoring.loading import default_folder, open_method, target_of
    from pipelex.tooling.build import example_inputs, toml_text

    found = target_of(ctx, kind, target, flags.pipe, flags.library_dir or [])
    method = open_method(ctx, found, flags.library_dir or [])
    values = example_inputs(method.library, method.pipe(found.pipe), is_explicit=flags.explicit)
    is_toml = flags.format is InputsFormat.TOML
    text = toml_text(values) if is_toml else json.dumps(values, ensure_ascii=False, indent=2) + "\n"
    path = flags.output or default_folder(found) / f"inputs.{flags.format.value}"
    _write(text, path, values, is_json=flags.json)


def _build_output(ctx: typer.Context, kind: str, target: str, flags: OutputFlags) -> None:
    from pipelex.cli.authoring.loading import default_folder, open_method, target_of
    from pipelex.tooling.build import example_output, output_schema, python_module

    found = target_of(ctx, kind, target, flags.pipe, flags.library_dir or [])
    method = open_method(ctx, found, flags.library_dir or [])
    pipe = method.pipe(found.pipe)
    value: Json
    if flags.format is OutputFormat.PYTHON:
        text = value = python_module(method.library, [pipe.output.concept], f"The output of `{pipe.ref}`.")
        name = "output.py"
    else:
        is_schema = flags.format is OutputFormat.SCHEMA
        value = output_schema(method.library, pipe) if is_schema else example_output(method.library, pipe)
        text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        name = "output.schema.json" if is_schema else "output.json"
    _write(text, flags.output or default_folder(found) / name, value, is_json=flags.json)


def _build_job(ctx: typer.Context, kind: str, target: str, flags: JobFlags) -> None:
    """Print a run as a workflow type with JSON arguments, for any program that starts workflows."""
    import asyncio
    from dataclasses import asdict

    from pipelex.cli.authoring.loading import open_method, target_of
    from pipelex.cli.run.inputs import gather_inputs
    from pipelex.temporal.factory import FACTORY

    FACTORY.require()
    from pipelex.temporal import MethodJob

    found = target_of(ctx, kind, target, flags.pipe, flags.library_dir or [])
    method = open_method(ctx, found, flags.library_dir or [])
    pipe = method.pipe(found.pipe)
    inputs = gather_inputs(flags.inputs or (), found.folder, pipe, method.library)
    request = asyncio.run(method.request(inputs, pipe=pipe.ref, run_id=flags.run_id))
    job = MethodJob.of(method.app.settings, request)
    value = {name: member for name, member in asdict(job).items() if member is not None}
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if flags.format is JobFormat.COMMAND:
        text = _start_command(job)
    _write(text + "\n", flags.output or Path("-"), value, is_json=flags.json)


def _start_command(job: "MethodJob") -> str:
    """The job as a `temporal workflow start` command for a shell."""
    words = ["temporal", "workflow", "start", "--type", job.workflow_type, "--task-queue", job.task_queue]
    if job.workflow_id is not None:
        words += ["--workflow-id", job.workflow_id]
    if job.fairness_key is not None:
        words += ["--fairness-key", job.fairness_key]
    for argument in job.arguments:
        words += ["--input", json.dumps(argument)]
    for flag, values in (("--search-attribute", job.search_attributes), ("--memo", job.memo)):
        for name, value in values.items():
            words += [flag, f"{name}={json.dumps(value)}"]
    return shlex.join(words)


def _write(text: str, path: Path, value: "Json", *, is_json: bool) -> None:
    """Write a file and say so, or print its text if the path is `-`."""
    from pipelex.cli._shared.results import print_json

    if str(path) == "-":
        out(text.rstrip("\n"))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if is_json:
        print_json({"written": str(path), "value": value})
    else:
        tell_out(f"{paint_out()('✓', 'green')} wrote {path}")


def _group(name: str, help_text: str, flags: type, work: Any) -> None:
    """Add the group `build <name>` with its forms `bundle`, `method`, `pipe` and the short one."""
    group = command_app(cls=TargetGroup, no_args_is_help=True, help=help_text, epilog=_EXAMPLES)
    about = {
        "bundle": ("PATH", f"{help_text} The method is a bundle file or a folder."),
        "method": ("NAME", f"{help_text} The method is an installed one."),
        "pipe": ("CODE", f"{help_text} The pipe is in the library directories."),
        TargetGroup.short_form: ("TARGET", help_text),
    }
    for kind, (metavar, told) in about.items():
        group.command(name=kind, hidden=kind == TargetGroup.short_form, help=told, epilog=_EXAMPLES)(
            with_flags(flags)(_command(kind, metavar, work))
        )
    app.add_typer(group, name=name)


def _command(kind: str, metavar: str, work: Any) -> Any:
    def command(ctx: typer.Context, target: str, flags: Any) -> None:
        work(ctx, kind, target, flags)

    command.__annotations__ = {
        "ctx": typer.Context,
        "target": Annotated[str, typer.Argument(metavar=metavar)],
        "flags": Any,
    }
    return command


_group("inputs", "Write example inputs.", InputsFlags, _build_inputs)
_group("output", "Write an example output.", OutputFlags, _build_output)
_group("job", "Write the workflow type and the JSON arguments of a run, for any Temporal SDK.", JobFlags, _build_job)


@app.command(epilog=_EXAMPLES)
def structures(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A bundle file, a folder, or a pipe's code.")],
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", metavar="DIR", help="The folder to write into.")
    ] = Path("structures"),
    library_dir: LibraryDirs = None,
    is_json: JsonFlag = False,
) -> None:
    """Write the concepts as Python classes, one module for each domain."""
    from pipelex.cli._shared.results import print_json
    from pipelex.cli.authoring.loading import open_method, target_of
    from pipelex.tooling.build import python_modules

    method = open_method(ctx, target_of(ctx, "auto", target, None, library_dir or []), library_dir or [])
    modules = python_modules(method.library)
    output_dir.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (output_dir / name).write_text(text, encoding="utf-8")
    written = [str(output_dir / name) for name in modules]
    if is_json:
        print_json({"written": written})
        return
    for path in written:
        tell_out(f"{paint_out()('✓', 'green')} wrote {path}")
    if not written:
        tell_out("No concept is declared: nothing to write.")
