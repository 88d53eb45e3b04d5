"""What an editor asks of a bundle while it is typed: faults, suggestions, what a name means and where it stands.

Everything here works on half-typed text; nothing here knows of an editor's protocol.
"""

from pipelex.tooling.editor._asking import Asked, Edit, ask
from pipelex.tooling.editor._complete import Suggestion, suggestions
from pipelex.tooling.editor._group import File, Group
from pipelex.tooling.editor._occurrences import Occurrence, Symbol
from pipelex.tooling.editor._workspace import Checked, Load, Workspace

__all__ = [
    "Asked",
    "Checked",
    "Edit",
    "File",
    "Group",
    "Load",
    "Occurrence",
    "Suggestion",
    "Symbol",
    "Workspace",
    "ask",
    "suggestions",
]
