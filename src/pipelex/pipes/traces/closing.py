"""Marks pipes and effects as ended that a run left open."""

from pipelex.pipes.trace import PipeTrace, RunState, pipes_of


def close(root: PipeTrace) -> None:
    """Mark everything below a pipe that has ended as ended, too.

    When an engine terminates a run or ends one that has timed out, its children and activities end without reporting
    it.
    """
    for pipe in pipes_of(root):
        if not pipe.status.has_ended:
            pipe.status, pipe.ended = _left_behind(root), pipe.ended or root.ended
        for effect in pipe.effects:
            if not effect.status.has_ended:
                effect.status, effect.ended = _left_behind(root), root.ended


def _left_behind(root: PipeTrace) -> RunState:
    """The state of something that was still running when its root ended."""
    return root.status if root.status in (RunState.TERMINATED, RunState.TIMED_OUT) else RunState.CANCELLED
