"""Printing values as PDF, Word, Excel and PowerPoint files, from a layout, from HTML or from a template file.

Needs the extra `documents`. The same request produces the same bytes, so a document that is printed twice is stored
once.
Source: section 6.9 of the language reference.
"""

from pipelex.inference.documents.provider import DocumentAsk, DocumentEngine
from pipelex.inference.documents.service import Documents

__all__ = ["DocumentAsk", "DocumentEngine", "Documents"]
