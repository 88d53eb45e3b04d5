"""Workflow ids within what every Temporal server holds."""

import hashlib
from typing import Final

from pipelex.temporal.workflow.observability import cut

WORKFLOW_ID_BYTES: Final = 255
"""The most bytes of a workflow id; SQL servers hold no more."""

_ROOT_BYTES: Final = 140
"""The most bytes of a shortened id that are its root's."""

_HASHED: Final = 16
"""Hexadecimal digits of the hash that tells shortened ids apart."""


def is_long(full: str) -> bool:
    """Whether an id has to be shortened."""
    return len(full.encode()) > WORKFLOW_ID_BYTES


def shortened(full: str, root: str) -> str:
    """A long id as `{root}/~{hash}/{tail}`: always the same for the same id, and readable at both ends.

    Args:
        full: the whole id, which begins with its root's.
        root: the id of the run's entry workflow.
    """
    digest = hashlib.sha256(full.encode()).hexdigest()[:_HASHED]
    head = f"{cut(root, _ROOT_BYTES)}/~{digest}/"
    room = WORKFLOW_ID_BYTES - len(head.encode())
    tail = full.encode()[-room:].decode(errors="ignore")
    whole_steps = tail.partition("/")[2]
    return head + (whole_steps or tail)
