"""The order in which a page is read: its columns one after the other, its tables as tables."""

from pipelex.reading.layout.page import laid_out

__all__ = ["laid_out"]
