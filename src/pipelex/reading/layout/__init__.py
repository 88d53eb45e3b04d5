"""The order in which a page is read: its columns one after the other, its tables as tables."""

from pipelex.reading.layout.page import in_columns, laid_out
from pipelex.reading.layout.words import Place, Word

__all__ = ["Place", "Word", "in_columns", "laid_out"]
