"""Answers for an editor about a bundle that is being typed: faults, suggestions, meanings and places of names.

Everything here works on half-typed text; nothing here knows of an editor's protocol.
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
