"""Limits on the size of a payload while it is decoded.

A few kilobytes can say "four gigabytes of zeros". Whoever may start a workflow in the namespace may send them, so every
decoder here stops at a limit while it works, and never looks at the size afterwards.
"""

from dataclasses import dataclass
from typing import Final

from pipelex.temporal.workflow.refusals import too_large

EXPANSION: Final = 100
"""The factor by which a payload may exceed its compressed size, once it is larger than `UNSUSPICIOUS`."""
UNSUSPICIOUS: Final = 16_777_216
"""The size in bytes up to which any expansion is allowed: 16 MiB. Very regular values do compress a thousandfold."""

TASK_SHARE: Final = 2
"""The number of payloads of the maximum size that one task may fetch or decompress."""
ENVELOPE: Final = 65_536
"""The bytes that encryption and the payload's own form add, at most."""


def decoded_limit(compressed: int, limit: int) -> int:
    """The maximum size in bytes that a compressed payload may take when decompressed.

    Args:
        compressed: the size of the compressed form, in bytes.
        limit: the maximum size of any decoded payload, in bytes.
    """
    return min(limit, max(UNSUSPICIOUS, EXPANSION * compressed))


@dataclass
class Allowance:
    """The bytes that some payloads, or the parts of one, may still take together."""

    left: int
    limit: int
    of_what: str = "its parts have"
    """The subject and verb of the refusal."""
    within: "Allowance | None" = None
    """The allowance that this one is a share of: what is taken here is taken there, too."""

    @classmethod
    def of(cls, limit: int) -> "Allowance":
        """An allowance for one payload, of which nothing is used."""
        return cls(limit, limit)

    @classmethod
    def of_task(cls, limit: int) -> "Allowance":
        """An allowance for what one task, or one call, fetches and decompresses.

        Args:
            limit: the maximum size of one payload, in bytes.
        """
        return cls(TASK_SHARE * limit, TASK_SHARE * limit, "what comes with it has")

    def take(self, size: int) -> None:
        """Use some of it; a part that is named twice counts twice.

        Raises:
            PipelexError: not as much is left (`request.too_large`).
        """
        if size > self.left:
            raise too_large(
                f"{self.of_what} more than {self.limit:,} bytes together", self.limit, self.limit - self.left + size
            )
        self.left -= size
        if self.within is not None:
            self.within.take(size)
