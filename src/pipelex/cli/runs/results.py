"""The result of a run that has ended: printed, or written with its files."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from pipelex.cli._shared.console import out, say
from pipelex.cli._shared.results import bare_json, print_json, print_result
from pipelex.cli.run.files import new_folder, write_main, writing
from pipelex.cli.run.saved import saved_lines, stored_lines
from pipelex.tooling.pages import FILES

if TYPE_CHECKING:
    from pipelex.runner import Pipelex, RunResult


def show_result(result: "RunResult", *, is_json: bool) -> None:
    """Print a result, and say how to fetch its files."""
    if is_json:
        print_json(bare_json(result.value))
        return
    print_result(result, None)
    say_files(result)


def say_files(result: "RunResult") -> None:
    """Say how to fetch the files of a printed result."""
    from pipelex.storage import files_of

    for line in stored_lines(files_of(bare_json(result.value)), result.run_id):
        say(line)


def write_result(app: "Pipelex", result: "RunResult", output_dir: Path, *, is_json: bool) -> None:
    """Write a result and its files into a folder of its own, and print the folder.

    Raises:
        PipelexError: a file cannot be written.
    """
    with writing():
        folder = new_folder(output_dir, f"{result.pipe.rpartition('.')[2]}_output")
        saved = asyncio.run(app.save_files(bare_json(result.value), folder=folder / FILES))
        write_main(folder, result, None, saved)
    if is_json:
        print_json({"folder": str(folder), "files": saved.by_address})
        return
    out(str(folder))
    for line in saved_lines(saved):
        say(line)
