"""The work behind `pipelex validate`: one verdict for each target, in words or as JSON lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipelex.cli._shared.console import Paint, out, paint_out, tell_out
from pipelex.cli._shared.failures import fault_text, report_failure
from pipelex.cli._shared.results import print_json
from pipelex.cli._shared.session import open_local_app
from pipelex.cli._shared.targets import Target, detect, looked_for, pipe_target
from pipelex.errors import Json
from pipelex.exits import ExitCode

if TYPE_CHECKING:
    from pipelex.cli.validate.flags import ValidateFlags
    from pipelex.library import Verdict
    from pipelex.runner import Method, Pipelex


@dataclass(frozen=True)
class Checked:
    """A target, and its name in the output."""

    name: str
    target: Target

    @classmethod
    def of_path(cls, path: Path) -> "Checked":
        return cls(str(path), Target((path,)))

    @classmethod
    def of_word(cls, word: str, library_dirs: Sequence[Path]) -> "Checked":
        """The target that a word stands for: a path if it looks like one, else the code of a pipe."""
        return cls(word, detect(word, None, library_dirs))

    @classmethod
    def of_pipe(cls, code: str | None, library_dirs: Sequence[Path]) -> "Checked":
        """The target for one pipe, or for every pipe if the code is None."""
        return cls(code or ", ".join(map(str, library_dirs)) or ".", pipe_target(code, library_dirs))


def check(ctx: typer.Context, targets: Sequence[Checked], flags: "ValidateFlags") -> None:
    """Print a verdict for each target, and end with the exit code of the worst one.

    Raises:
        PipelexError: a word names neither a file nor a pipe; no verdict is printed then.
    """
    app = open_local_app(ctx)
    named = {each.name: _opened(app, each, flags) for each in targets if each.target.is_word}
    worst = 0
    for number, target in enumerate(targets):
        if number and not flags.json:
            out()
        try:
            is_accepted = _check_one(named.get(target.name) or _opened(app, target, flags), target, flags)
        except BrokenPipeError:
            raise
        except Exception as failed:  # an unexpected error must not keep the other targets from being checked
            worst = max(worst, report_failure(failed, ctx.meta))
        else:
            worst = max(worst, ExitCode.DONE if is_accepted else ExitCode.FAILED)
    raise typer.Exit(worst)


def _opened(app: "Pipelex", checked: Checked, flags: "ValidateFlags") -> "Method":
    with looked_for(checked.target):
        return app.open(*checked.target.paths, library_dirs=flags.library_dir or [], pipe=checked.target.pipe)


def _check_one(method: "Method", checked: Checked, flags: "ValidateFlags") -> bool:
    from pipelex.library import ready_pipes
    from pipelex.runner import run_in_new_loop

    verdict = run_in_new_loop(method.validate(dry_run=flags.dry_run))
    if flags.json:
        print_json(_line(checked.name, verdict))
    else:
        pipes = len(ready_pipes(method.loaded))
        tell_out(verdict_text(checked.name, verdict, paint_out(), pipes, allow_signatures=flags.allow_signatures))
    return verdict.is_accepted(allow_signatures=flags.allow_signatures)


def _line(name: str, verdict: "Verdict") -> dict[str, Json]:
    line: dict[str, Json] = {
        "path": name,
        "is_valid": verdict.is_valid,
        "is_runnable": verdict.is_runnable,
        "errors": [fault.to_item() for fault in verdict.errors],
        "warnings": [fault.to_item() for fault in verdict.warnings],
        "pending_signatures": list(verdict.pending_signatures),
    }
    return line | ({"unchecked": list(verdict.unchecked)} if verdict.unchecked else {})


def verdict_text(name: str, verdict: "Verdict", paint: Paint, pipes: int, *, allow_signatures: bool) -> str:
    """A verdict in words, with every fault."""
    blocks: list[str] = []
    many = len(verdict.errors)
    if not verdict.is_valid:
        blocks.append(f"{paint('✗', 'red', 'bold')} {name}: not valid, {many} error{'' if many == 1 else 's'}")
        blocks += [fault_text(fault, paint, number=number) for number, fault in enumerate(verdict.errors, 1)]
    elif verdict.is_runnable:
        count = f"{pipes} pipe{'' if pipes == 1 else 's'}"
        blocks.append(f"{paint('✓', 'green', 'bold')} {name}: valid, {count}")
    else:
        mark = paint("✓", "green", "bold") if allow_signatures else paint("✗", "red", "bold")
        pending = ", ".join(verdict.pending_signatures)
        blocks.append(f"{mark} {name}: valid, but not runnable yet; only declared: {pending}")
    if verdict.unchecked:
        names = ", ".join(verdict.unchecked)
        blocks.append(
            f"{paint('–', 'yellow')} not run to the end on made-up values, which would take too long: {names}"
        )
    blocks += [fault_text(fault, paint) for fault in verdict.warnings]
    return "\n\n".join(blocks)
