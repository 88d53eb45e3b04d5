"""Failures as people and programs read them."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipelex.cli._shared.console import Paint, columns, json_text, one_line, paint_err, say, say_whole
from pipelex.cli._shared.keys import DEBUG_KEY, JSON_KEY
from pipelex.cli.mistakes.retyped import retyped
from pipelex.errors import ErrorCategory, ErrorReport, Fault, Location, MethodInvalidError, PipelexError
from pipelex.errors.hidden import without_secrets
from pipelex.errors.terminal import marked
from pipelex.exits import ExitCode


class RunFailed(Exception):
    """The failure of a run that has an id.

    Args:
        error: why it failed.
        run_id: the run.
        tell: prints what follows the failure: files, costs, the next command.
    """

    def __init__(self, error: PipelexError, run_id: str, tell: Callable[[], None] = lambda: None) -> None:
        super().__init__(str(error))
        self.error = error
        self.run_id = run_id
        self.tell = tell


def report_failure(failed: Exception, meta: Mapping[str, Any]) -> int:
    """Print a failure on standard error, and return the exit code.

    Args:
        failed: the exception that was raised.
        meta: the `meta` of the command's context, which says whether output is JSON and whether tracebacks are wanted.
    """
    if meta.get(DEBUG_KEY):
        import traceback

        say_whole(without_secrets("".join(traceback.format_exception(failed)).rstrip()))
    if isinstance(failed, RunFailed):
        code = _report(failed.error, meta, failed.run_id)
        failed.tell()
        return code
    return _report(failed, meta)


def _report(failed: Exception, meta: Mapping[str, Any], run_id: str | None = None) -> int:
    if isinstance(failed, OSError) and failed.filename is not None and failed.strerror is not None:
        failed = _file_problem(failed)
    if not isinstance(failed, PipelexError):
        _report_unexpected(failed, meta)
        return ExitCode.NOT_TRIED
    if (advice := retyped(failed.report, meta)) is not None:
        failed = failed.with_report(advice=advice)
    if meta.get(JSON_KEY):
        say_whole(json_text(failed.report.to_problem(run_id), sys.stderr))
    elif isinstance(failed, MethodInvalidError):
        say(invalid_text([fault for fault in failed.faults if fault.severity == "error"], paint_err()))
        say(problem_text(failed.report, paint_err(), detail=False))
    else:
        say(problem_text(failed.report, paint_err(), run_id=run_id))
    return failed.report.exit_code


def _file_problem(failed: OSError) -> PipelexError:
    """The failure to read or write a file that the user named."""
    return PipelexError(
        "runtime.misconfigured",
        f"'{failed.filename}' cannot be read or written: {failed.strerror}",
        category=ErrorCategory.CONFIGURATION,
        params={"component": "files"},
        advice="Choose another path, or make this one accessible.",
    )


def _report_unexpected(failed: Exception, meta: Mapping[str, Any]) -> None:
    what = f"{type(failed).__name__}: {failed}" if str(failed) else type(failed).__name__
    if meta.get(JSON_KEY):
        say_whole(json_text(ErrorReport("runtime.unexpected", what).to_problem(), sys.stderr))
    else:
        paint = paint_err()
        say(f"{paint('Unexpected error:', 'red', 'bold')} {' '.join(what.split())}")
        say("Run `pipelex --debug …` to see where it comes from.")


def problem_text(report: ErrorReport, paint: Paint, *, run_id: str | None = None, detail: bool = True) -> str:
    """The block of text that describes a problem: title, detail, what to do, where, code, attempts."""
    problem = report.to_problem(run_id)
    lines: list[str] = []
    if detail:
        headline, *rest = report.detail.splitlines() or [str(problem["title"])]
        lines += [f"{paint('Error:', 'red', 'bold')} {paint(headline, 'bold')}", *(f"  {line}" for line in rest)]
        if report.faults and report.detail.count("\n") == 0:
            others = [fault for fault in report.faults if fault.detail not in report.detail]
            lines += [f"  - {located(fault)}" for fault in others]
    step = report.what_to_do.splitlines()
    lines += [f"  {paint('→', 'cyan')} {step[0]}", *(f"    {line}" for line in step[1:])]
    if (place := _place(report.location)) is not None:
        lines.append(f"  Location: {one_line(place)}")
    lines.append(f"  Code: {one_line(report.code)} (domain {problem['domain']}, retry {problem['retry']})")
    facts = [
        f"{name} {value}"
        for name, value in (
            ("attempts", report.attempts),
            ("provider", report.provider),
            ("model", report.model),
            ("status", report.status),
            ("request", report.request_id),
            ("run", run_id),
        )
        if value is not None
    ]
    if facts:
        text = one_line(", ".join(facts))
        lines.append(f"  {text[0].upper()}{text[1:]}")
    return "\n".join(lines)


def _place(location: Location) -> str | None:
    parts: list[str] = []
    if location.pipe is not None:
        parts.append(f"pipe '{location.pipe}'")
    if location.path:
        parts.append(f"path {'/'.join(location.path)}")
    if location.input is not None:
        parts.append(f"input '{location.input}'")
    if location.file is not None:
        parts.append(f"file {position(location)}")
    return ", ".join(parts) or None


def position(location: Location) -> str:
    """`file:line:column`, as far as it is known; empty without a file."""
    known = [str(part) for part in (location.file, location.line, location.column) if part is not None]
    return ":".join(known) if location.file is not None else ""


def located(fault: Fault) -> str:
    """A fault in one line, with its place before it."""
    where, file = position(fault.location), fault.location.file
    says_where = bool(where) and fault.detail.startswith((where, f"{file}, line ", f"{file} "))
    return f"{where}: {fault.detail}" if where and not says_where else fault.detail


def invalid_text(faults: list[Fault], paint: Paint) -> str:
    """All faults of a method, numbered, each with its place in the source."""
    count = f"{len(faults)} error" + ("" if len(faults) == 1 else "s")
    blocks = [paint(f"The method is not valid: {count}", "red", "bold")]
    blocks += [fault_text(fault, paint, number=number) for number, fault in enumerate(faults, 1)]
    return "\n\n".join(blocks)


def fault_text(fault: Fault, paint: Paint, *, number: int | None = None) -> str:
    """One fault: code, place, an excerpt of the source, the sentence, the fix."""
    colour = "red" if fault.severity == "error" else "yellow"
    label = fault.severity if number is None else f"{number}."
    lines = [f"{paint(label, colour, 'bold')} {paint(fault.code, 'bold')}"]
    about = _place(Location(pipe=fault.location.pipe, input=fault.location.input))
    if fault.location.concept is not None:
        about = (
            f"concept '{fault.location.concept}'" if about is None else f"{about}, concept '{fault.location.concept}'"
        )
    if about is not None:
        lines[0] += f"  {about}"
    if where := position(fault.location):
        lines.append(f"  {paint('at', 'dim')} {where}")
    lines += excerpt(fault.location, paint, colour)
    lines += [f"  {paint('→', colour)} {fault.detail}"]
    if fault.suggested_fix is not None:
        lines.append(f"    Fix: {fault.suggested_fix.description}")
    elif fault.suggestions and not any(name in fault.detail for name in fault.suggestions):
        lines.append(f"    Did you mean {' or '.join(fault.suggestions)}?")
    return "\n".join(lines)


# --- the lines of a source file around a fault, with the place underlined ------------------------------------------

_BEFORE = 1
_WIDEST = 160


def excerpt(location: Location, paint: Paint, colour: str) -> list[str]:
    """Numbered source lines and a line of carets; empty if the file or the line is not known."""
    if location.file is None or location.line is None:
        return []
    try:
        source = Path(location.file).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    if not 1 <= location.line <= len(source):
        return []
    width = len(str(location.line))
    start, length = _span(location, source[location.line - 1])
    begin, end = _window(start, length, width + len("   │ "))
    lines: list[str] = []
    for number in range(max(1, location.line - _BEFORE), location.line + 1):
        text = _cut(source[number - 1], begin, end)
        if number < location.line and not text.strip(" …"):
            continue
        lines.append(f"  {paint(f'{number:>{width}} │', 'dim')} {text}")
    carets = paint("^" * min(length, end - start), colour, "bold")
    lines.append(f"  {' ' * width} {paint('│', 'dim')} {' ' * (start - begin)}{carets}")
    return lines


def _window(start: int, length: int, before: int) -> tuple[int, int]:
    """The first and last columns of the source to show; the marked text is among them."""
    wide = columns()
    room = _WIDEST if wide is None else min(_WIDEST, max(wide - before, 1))
    begin = 0 if start + length <= room else max(0, min(start - room // 4, start + length - room))
    return begin, begin + room


def _cut(text: str, begin: int, end: int) -> str:
    flat = marked(text).replace("\t", " ")  # one column per character, so that the carets stand in the right place
    cut = flat[begin:end] if len(flat) <= end else f"{flat[begin : end - 1]}…"
    return f"…{cut[1:]}" if begin and cut else cut


def _span(location: Location, text: str) -> tuple[int, int]:
    """The column of the first caret, and the number of carets."""
    indent = len(text) - len(text.lstrip())
    start = indent if location.column is None else min(location.column - 1, len(text))
    end = len(text.rstrip())
    if location.end_column is not None and location.end_line in (None, location.line):
        end = min(location.end_column - 1, len(text))
    return start, max(1, end - start)
