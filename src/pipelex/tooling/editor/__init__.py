"""What an editor asks of a bundle while it is typed: faults, suggestions, what a name means and where it stands.

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
