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


def decoded_limit(compressed: int, limit: int) -> int:
    """The maximum size in bytes that a compressed payload may take when decompressed.

    Args:
        compressed: the size of the compressed form, in bytes.
        limit: the maximum size of any decoded payload, in bytes.
    """
    return min(limit, max(UNSUSPICIOUS, EXPANSION * compressed))


@dataclass
class Allowance:
    """The bytes that the parts of one payload may still take together."""

    left: int
    limit: int

    @classmethod
    def of(cls, limit: int) -> "Allowance":
        """An allowance of which nothing is used."""
        return cls(limit, limit)

    def take(self, size: int) -> None:
        """Use some of it; a part that is named twice counts twice.

        Raises:
            PipelexError: not as much is left (`request.too_large`).
        """
        self.left -= size
        if self.left < 0:
            raise too_large(
                f"its parts have more than {self.limit:,} bytes together", self.limit, self.limit - self.left
            )
