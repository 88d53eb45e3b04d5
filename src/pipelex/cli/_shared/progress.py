"""Progress of a run, shown to a person on standard error."""

import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from pipelex.cli._shared.console import clock, json_text, one_line, say, say_whole
from pipelex.cli._shared.console import shown as in_colour
from pipelex.cli._shared.streams import is_terminal
from pipelex.pipes.trace import EffectTrace, PipeTrace, RunState, counts_of
from pipelex.pipes.traces.steps import without_slices

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipelex.orchestration import RunCounts

_EVERY = 5.0
"""The seconds between two status lines when standard error is not a terminal."""
_MOST_SHOWN = 12
"""The most children of one pipe, or calls, that the live tree shows; see `shown_children`."""


class Progress(Protocol):
    """A display of a run."""

    def trace(self, root: PipeTrace) -> None:
        """Show the tree of a run in which something began or ended."""
        ...

    def counts(self, counts: "RunCounts") -> None:
        """Show the number of a durable run's pipes in each state."""
        ...

    def note(self, text: str) -> None:
        """Print a line that stays above the display."""
        ...

    def began(self, moment: datetime) -> None:
        """Measure the time from when the run began, not from when it was first looked at."""
        ...


@contextmanager
def progress(title: str, *, is_silent: bool, noun: str = "pipe") -> Generator[Progress]:
    """The display that suits standard error, for the length of a run.

    Args:
        title: the name of the thing that runs.
        is_silent: show no progress.
        noun: what is counted, in the singular.
    """
    if is_silent:
        yield _Silent()
    elif is_terminal(sys.stderr):
        with _live(title, noun) as live:
            yield live
    else:
        say(f"Running {title}")
        yield _Lines(noun)


def notice(text: str, *, is_json: bool) -> None:
    """Print something that the caller should know on standard error; for a program, as a line `{"notice": "…"}`."""
    if is_json:
        say_whole(json_text({"notice": text}, sys.stderr))
    else:
        say(text)


class _Silent:
    """Shows only notices, as JSON for a program."""

    def trace(self, root: PipeTrace) -> None:
        pass

    def counts(self, counts: "RunCounts") -> None:
        pass

    def note(self, text: str) -> None:
        notice(text, is_json=True)

    def began(self, moment: datetime) -> None:
        pass


class _Lines:
    """Prints a status line every `_EVERY` seconds."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._began = self._last = time.monotonic()

    def trace(self, root: PipeTrace) -> None:
        if self._is_time():
            running, completed, others = counts_of(root)
            self._line(completed, running, others)

    def counts(self, counts: "RunCounts") -> None:
        if self._is_time():
            self._line(counts.completed, counts.running, counts.failed)

    def note(self, text: str) -> None:
        say(text)

    def began(self, moment: datetime) -> None:
        self._began = _monotonic(moment)

    def _is_time(self) -> bool:
        now = time.monotonic()
        if now - self._last < _EVERY:
            return False
        self._last = now
        return True

    def _line(self, done: int, running: int, failed: int = 0) -> None:
        say(f"  {summary(done, running, failed, time.monotonic() - self._began, self._noun)}")


def _monotonic(moment: datetime) -> float:
    """The reading of this machine's monotonic clock at a moment; now, if the server's clock is ahead of ours."""
    return time.monotonic() - max(0.0, (datetime.now(UTC) - moment).total_seconds())


def summary(done: int, running: int, failed: int, seconds: float, noun: str = "pipe") -> str:
    """The state of a run in one line."""
    parts = [
        f"{done:,} {noun}{'' if done == 1 else 's'} done",
        f"{running:,} {'running' if noun == 'pipe' else 'to go'}",
    ]
    if failed:
        parts.append(f"{failed:,} failed")
    return f"{', '.join(parts)} · {seconds:.0f} s"


class _Live:
    """A tree of pipes, redrawn several times a second, below a line with figures.

    The figures are those of the whole run if the engine reports them, else those of the tree.
    """

    def __init__(self, title: str, noun: str) -> None:
        self._title = title
        self._noun = noun
        self._began = time.monotonic()
        self._root: PipeTrace | None = None
        self._counts: RunCounts | None = None
        self.print_above = say

    def trace(self, root: PipeTrace) -> None:
        self._root = root

    def counts(self, counts: "RunCounts") -> None:
        self._counts = counts

    def note(self, text: str) -> None:
        self.print_above(text)

    def began(self, moment: datetime) -> None:
        self._began = _monotonic(moment)

    def render(self) -> "RenderableType":
        from rich.console import Group
        from rich.spinner import Spinner

        seconds = time.monotonic() - self._began
        if self._counts is not None:
            counts = self._counts
            line = summary(counts.completed, counts.running, counts.failed, seconds, self._noun)
        elif self._root is not None:
            running, completed, others = counts_of(self._root)
            line = summary(completed, running, others, seconds)
        else:
            line = f"{seconds:.0f} s"
        head = self._spinner if hasattr(self, "_spinner") else Spinner("dots")
        self._spinner = head
        head.update(text=f"{_escaped(self._title)} · {line}")
        return head if self._root is None else Group(head, self._tree(self._root))

    def _tree(self, root: PipeTrace) -> "RenderableType":
        from rich.tree import Tree

        root = without_slices(root)
        tree = Tree(trace_label(root), guide_style="dim")
        waiting = [(tree, root)]
        while waiting:
            branch, trace = waiting.pop()
            under_way = [effect for effect in trace.effects if effect.status is RunState.RUNNING]
            if len(trace.effects) > _MOST_SHOWN:  # those of pipes that run inside this pipe's workflow
                branch.add(f"[dim]calls: {_folded(trace.effects)}[/dim]")
            for effect in under_way[-_MOST_SHOWN:]:
                branch.add(f"[dim]{_escaped(effect.summary or effect.name)}{_again(effect)}[/dim]")
            shown, folded = shown_children(trace)
            if folded:
                branch.add(f"[dim]{folded}[/dim]")
            waiting += [(branch.add(trace_label(child)), child) for child in shown]
        return tree


def _again(effect: EffectTrace) -> str:
    """The number of the current attempt after the first, or of the next one with its starting time."""
    if effect.until is not None:
        return f" (attempt {effect.attempts + 1} at {clock(effect.until)})"
    return f" (attempt {effect.attempts})" if effect.attempts > 1 else ""


def shown_children(trace: PipeTrace) -> tuple[list[PipeTrace], str]:
    """The children of a pipe to show live, and a line on the rest; of many, only failed and running ones are shown."""
    if len(trace.children) <= _MOST_SHOWN:
        return trace.children, ""
    running = [child for child in trace.children if child.status is RunState.RUNNING]
    failed = [child for child in trace.children if child.status not in (RunState.RUNNING, RunState.COMPLETED)]
    return failed[: _MOST_SHOWN // 2] + running[-(_MOST_SHOWN // 2) :], _folded(trace.children)


_WORDS = ((RunState.COMPLETED, "done"), (RunState.RUNNING, "running"), (RunState.FAILED, "failed"))


def _folded(many: Sequence[PipeTrace | EffectTrace]) -> str:
    """The number of pipes or calls in each state, as text."""
    states = Counter(each.status for each in many)
    parts = [f"{number:,} {words}" for state, words in _WORDS if (number := states.pop(state, 0))]
    parts += [f"{number:,} {state.words}" for state, number in states.items()]
    return ", ".join(parts)


_MARKS = {
    RunState.RUNNING: "[cyan]●[/cyan]",
    RunState.COMPLETED: "[green]✓[/green]",
    RunState.CANCELLED: "[yellow]○[/yellow]",
}


def trace_label(trace: PipeTrace) -> str:
    """One pipe of a trace, in rich's markup."""
    mark = _MARKS.get(trace.status, "[red]✗[/red]")
    name = trace.id.rpartition("/")[2] if "/" in trace.id else trace.pipe
    seconds = "" if trace.seconds is None else f" [dim]{trace.seconds:.1f} s[/dim]"
    return f"{mark} {_escaped(name or trace.id)} [dim]{_escaped(trace.type)}[/dim]{seconds}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(one_line(text))


@contextmanager
def _live(title: str, noun: str) -> Generator[Progress]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    shown = _Live(title, noun)
    console = Console(stderr=True)
    with Live(console=console, get_renderable=shown.render, refresh_per_second=8, transient=True):
        shown.print_above = lambda text="": console.print(Text.from_ansi(in_colour(text)), highlight=False)
        yield shown
