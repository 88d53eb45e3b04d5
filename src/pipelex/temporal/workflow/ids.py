"""Shortens workflow ids to a length that every Temporal server can store."""

import hashlib
from typing import Final

from pipelex.temporal.workflow.observability import cut

WORKFLOW_ID_BYTES: Final = 255
"""The most bytes of a workflow id; a Temporal server on an SQL database stores no more."""

_ROOT_BYTES: Final = 140
"""The most bytes of the root's id in a shortened id."""

_HASHED: Final = 16
"""The number of hexadecimal digits of the hash that distinguishes shortened ids."""


def is_long(full: str) -> bool:
    """Whether an id has to be shortened."""
    return len(full.encode()) > WORKFLOW_ID_BYTES


def shortened(full: str, root: str) -> str:
    """A long id as `{root}/~{hash}/{tail}`, which depends only on the id and is readable at both ends.

    Args:
        full: the whole id, which begins with the id of its root.
        root: the id of the run's entry workflow.
    """
    digest = hashlib.sha256(full.encode()).hexdigest()[:_HASHED]
    head = f"{cut(root, _ROOT_BYTES)}/~{digest}/"
    room = WORKFLOW_ID_BYTES - len(head.encode())
    tail = full.encode()[-room:].decode(errors="ignore")
    whole_steps = tail.partition("/")[2]
    return head + (whole_steps or tail)
