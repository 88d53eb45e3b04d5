"""The end of what a run left behind."""

from pipelex.pipes.trace import PipeTrace, RunState, pipes_of


def close(root: PipeTrace) -> None:
    """Have nothing of a pipe that has ended go on.

    An engine that terminates a run, or ends one that is out of time, ends its children and activities without a word of
    theirs.
    """
    for pipe in pipes_of(root):
        if not pipe.status.has_ended:
            pipe.status, pipe.ended = _left_behind(root), pipe.ended or root.ended
        for effect in pipe.effects:
            if not effect.status.has_ended:
                effect.status, effect.ended = _left_behind(root), root.ended


def _left_behind(root: PipeTrace) -> RunState:
    """What became of a thing that went on when what it belonged to ended."""
    return root.status if root.status in (RunState.TERMINATED, RunState.TIMED_OUT) else RunState.CANCELLED
