"""A run's result, printed on the terminal and rendered as plain text, Markdown, HTML or JSON."""

import sys
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import json_text, one_line, out, paint_err, say, table
from pipelex.cli._shared.streams import is_terminal
from pipelex.content.natives import NATIVE_CONCEPTS, native_code
from pipelex.content.render import TextFormat, render_content
from pipelex.content.structure import AnyShape, ListShape, Shape
from pipelex.content.stuff import Absence, Json, Stuff
from pipelex.errors.terminal import clean
from pipelex.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelex.cli._shared.console import Paint
    from pipelex.library import Library
    from pipelex.pipes.calls import ItemFailures
    from pipelex.pipes.models import ModelUsage
    from pipelex.runner import RunResult


_TOLD = 20
"""The most failed items that are listed for people."""


def shape_of(stuff: Stuff, library: "Library | None") -> Shape:
    """The shape of a result; if the library is not available, that of a native concept or `AnyShape`."""
    item: Shape = AnyShape()
    if library is not None and stuff.concept in library.concepts:
        item = library.shape(stuff.concept)
    elif (code := native_code(stuff.concept)) is not None:
        item = NATIVE_CONCEPTS[code].shape
    return ListShape(item) if stuff.is_list else item


def rendered(value: Stuff | Absence, library: "Library | None", text_format: TextFormat) -> str:
    """The main result as text."""
    if isinstance(value, Absence):
        return absence_text(value)
    content = value.items if value.is_list else value.content
    return render_content(shape_of(value, library), content, text_format=text_format)


def absence_text(absence: Absence) -> str:
    """An absence in words."""
    why = {"declared_absent": "the method gave none", "skipped": "its pipe was skipped", "not_provided": "not provided"}
    by = f" by '{absence.pipe}'" if absence.pipe else ""
    cause = f", since '{absence.cause}' is absent" if absence.cause else ""
    return f"(no value: {why[absence.kind]}{by}{cause})"


def bare_json(value: Stuff | Absence) -> Json:
    """The bare content of the main result; for an absence, an object that says so."""
    return {"absence": value.to_json()} if isinstance(value, Absence) else value.content


def print_json(value: Json) -> None:
    """Print one JSON document on standard output."""
    indent = 2 if is_terminal(sys.stdout) else None
    out(json_text(value, sys.stdout, indent=indent))


def print_result(result: "RunResult", library: "Library | None") -> None:
    """Print the main result for people: framed on a terminal, plain in a shell pipe or a file."""
    text = rendered(result.value, library, "markdown")
    if not is_terminal(sys.stdout):
        out(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.panel import Panel
    from rich.text import Text

    title: Text | None = None
    if isinstance(result.value, Stuff):
        title = Text(one_line(f"{result.value.concept}{'[]' if result.value.is_list else ''}"))
    # Links are written out, so that the address shown is where they really lead.
    Console().print(
        Panel(Markdown(clean(text), hyperlinks=False), title=title, title_align="left", border_style="green")
    )


def end_with_failures(result: "RunResult") -> None:
    """List the items that a run left out, and end the command with the exit code of a failure; do nothing without any.

    Raises:
        typer.Exit: items were left out.
    """
    if result.failures is not None:
        say(failures_text(result.failures, paint_err()))
        raise typer.Exit(ExitCode.FAILED)


def failures_text(failures: "ItemFailures", paint: "Paint") -> str:
    """The items that a run left out, one line each."""
    what = "1 item failed and was" if failures.count == 1 else f"{failures.count:,} items failed and were"
    lines = [paint(f"✗ {what} left out:", "red", "bold")]
    for failure in failures.first[:_TOLD]:
        lines.append(f"  {'/'.join(failure.path)}: {failure.error['detail']} ({failure.error['code']})")
    if failures.count > _TOLD:
        lines.append(f"  … and {failures.count - _TOLD:,} more")
    return "\n".join(lines)


def cost_table(usage: "Sequence[ModelUsage]", paint: "Paint") -> str:
    """The table of calls, tokens and cost of a run's models."""
    rows = [
        [
            entry.handle,
            entry.backend,
            f"{entry.calls:,}",
            f"{entry.input_tokens:,}",
            f"{entry.output_tokens:,}",
            f"{entry.cached_tokens:,}",
            "?" if entry.cost_usd is None else f"${entry.cost_usd:.4f}",
        ]
        for entry in usage
    ]
    if len(usage) > 1:
        costs = [entry.cost_usd for entry in usage]
        known = [cost for cost in costs if cost is not None]
        total = f"${sum(known):.4f}" + ("" if len(known) == len(costs) else " + ?")
        sums = [sum(getattr(entry, name) for entry in usage) for name in ("calls", *_TOKENS)]
        rows.append(["total", "", *(f"{number:,}" for number in sums), total])
    headings = ["model", "backend", "calls", "input", "output", "cached", "cost"]
    return table(rows, headings, paint, right=(2, 3, 4, 5, 6))


_TOKENS = ("input_tokens", "output_tokens", "cached_tokens")
