"""Limits on the size of a payload while it is decoded.

A few kilobytes can decompress to gigabytes of zeros, and everybody who may start a workflow in the namespace can send
them. So every decoder here stops at a limit while it decodes, instead of checking the size afterwards.
"""

from dataclasses import dataclass
from typing import Final

from pipelex.temporal.workflow.refusals import too_large

EXPANSION: Final = 100
"""The factor by which a payload may exceed its compressed size, once it is larger than `UNSUSPICIOUS`."""
UNSUSPICIOUS: Final = 16_777_216
"""The size in bytes up to which any expansion is allowed: 16 MiB. Very regular values compress a thousandfold."""

TASK_SHARE: Final = 2
"""The number of payloads of the maximum size that one task may fetch or decompress."""
ENVELOPE: Final = 65_536
"""The maximum number of bytes that encryption and serialization add to a payload."""


def decoded_limit(compressed: int, limit: int) -> int:
    """The maximum size in bytes that a compressed payload may take when decompressed.

    Args:
        compressed: the size of the compressed form, in bytes.
        limit: the maximum size of any decoded payload, in bytes.
    """
    return min(limit, max(UNSUSPICIOUS, EXPANSION * compressed))


@dataclass
class Allowance:
    """The number of bytes that several payloads, or the parts of one, may still take together."""

    left: int
    limit: int
    of_what: str = "its parts have"
    """The subject and verb of the refusal."""
    within: "Allowance | None" = None
    """The allowance that this one is part of; bytes that are taken here are taken there, too."""

    @classmethod
    def of(cls, limit: int) -> "Allowance":
        """A full allowance for one payload.

        Args:
            limit: the maximum size of the payload, in bytes.
        """
        return cls(limit, limit)

    @classmethod
    def of_task(cls, limit: int) -> "Allowance":
        """A full allowance for everything that one task, or one call, fetches and decompresses.

        Args:
            limit: the maximum size of one payload, in bytes.
        """
        return cls(TASK_SHARE * limit, TASK_SHARE * limit, "what comes with it has")

    def take(self, size: int) -> None:
        """Use some bytes. A part that is named twice counts twice.

        Raises:
            PipelexError: not enough bytes are left (`request.too_large`).
        """
        if size > self.left:
            raise too_large(
                f"{self.of_what} more than {self.limit:,} bytes together", self.limit, self.limit - self.left + size
            )
        self.left -= size
        if self.within is not None:
            self.within.take(size)
