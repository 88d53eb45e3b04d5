"""Answers an editor's questions about a bundle that is being edited: faults, suggestions, and names.

Everything here works on incomplete text, and nothing depends on an editor's protocol.
"""

from pipelex.tooling.editor._asking import AskedPlace, TextChange, ask
from pipelex.tooling.editor._complete import Suggestion, suggestions
from pipelex.tooling.editor._group import OpenFile, OpenMethod
from pipelex.tooling.editor._occurrences import Occurrence, Symbol
from pipelex.tooling.editor._workspace import CheckedFiles, Load, Workspace

__all__ = [
    "AskedPlace",
    "CheckedFiles",
    "Load",
    "Occurrence",
    "OpenFile",
    "OpenMethod",
    "Suggestion",
    "Symbol",
    "TextChange",
    "Workspace",
    "ask",
    "suggestions",
]
