"""What this release speaks."""

from typing import Final

PROTOCOL: Final = "2.0.0"
STANDARD: Final = "8.0.0"
