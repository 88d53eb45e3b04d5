"""What `runs show` shows of runs with thousands of items."""

from datetime import UTC, datetime

from pipelex.cli._shared.console import Paint
from pipelex.cli.runs.tree import RunView, view_text
from pipelex.orchestration import RunDescription, RunState
from pipelex.pipes.trace import PipeTrace


def view_of(failed: set[int], items: int = 2000) -> RunView:
    root = PipeTrace("big", "all", "PipeBatch", status=RunState.FAILED)
    for number in range(items):
        status = RunState.FAILED if number in failed else RunState.COMPLETED
        root.children.append(PipeTrace(f"big/describe[{number}]", "describe", "PipeLLM", status=status))
    run = RunDescription("big", "big", "all", "PipeBatch", RunState.FAILED, datetime.now(UTC))
    return RunView(run, root)


def test_completed_items_are_summed_up_and_others_shown() -> None:
    text = view_text(view_of({7, 1234}), Paint(False))
    assert "1,978 more that completed" in text
    assert "describe[7]" in text
    assert "describe[1234]" in text
    assert len(text.splitlines()) < 40


def test_only_what_did_not_succeed() -> None:
    view = view_of({7, 1234}).of_failed()
    text = view_text(view, Paint(False))
    assert text.count("describe[") == 2
    assert "more that completed" not in text
    assert len(view.root.children) == 2
